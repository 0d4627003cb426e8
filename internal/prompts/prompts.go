// Package prompts knows how the benchmark data sets are put into words: their
// class names, and the templates that zero-shot CLIP reads them in.
package prompts

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

// Wording is how a data set is put into words. {} in a template stands for the
// class.
type Wording struct {
	Template string   // CoOp's hand-written prompt
	Ensemble []string // CLIP's prompts, whose features are averaged
	Classes  []string // by label, with spaces
}

//go:embed prompts.yaml classes/*.txt
var files embed.FS

// all reads the embedded files once. An error means that they are damaged.
var all = sync.OnceValues(func() (map[string]Wording, error) {
	text, err := files.ReadFile("prompts.yaml")
	if err != nil {
		return nil, err
	}
	var sets map[string]Wording
	if err := yaml.UnmarshalWithOptions(text, &sets, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("prompts.yaml: %w", err)
	}
	for name, w := range sets {
		names, err := files.ReadFile("classes/" + name + ".txt")
		if err != nil {
			return nil, err
		}
		w.Classes = strings.Split(strings.TrimSuffix(string(names), "\n"), "\n")
		w.Ensemble = Expand(w.Ensemble)
		sets[name] = w
	}
	return sets, nil
})

// Names lists the data sets, by the names of CoOp's configs.
func Names() ([]string, error) {
	sets, err := all()
	return slices.Sorted(maps.Keys(sets)), err
}

// Of returns a data set's wording.
func Of(name string) (Wording, error) {
	sets, err := all()
	if err != nil {
		return Wording{}, err
	}
	w, ok := sets[name]
	if !ok {
		return Wording{}, fmt.Errorf("no prompts for data set %q; there are those of %s", name, strings.Join(slices.Sorted(maps.Keys(sets)), ", "))
	}
	w.Ensemble, w.Classes = slices.Clone(w.Ensemble), slices.Clone(w.Classes)
	return w, nil
}

// Fill puts a class name into a template. Underscores become spaces.
func Fill(template, class string) string {
	return strings.ReplaceAll(template, "{}", strings.ReplaceAll(class, "_", " "))
}

// Expand writes out the alternatives of templates: [a|b] stands for either.
func Expand(templates []string) []string {
	var out []string
	for _, t := range templates {
		out = append(out, expand(t)...)
	}
	return out
}

// expand writes out [a|b], the first of them first.
func expand(t string) []string {
	head, rest, ok := strings.Cut(t, "[")
	if !ok {
		return []string{t}
	}
	choices, tail, _ := strings.Cut(rest, "]")
	var out []string
	for _, c := range strings.Split(choices, "|") {
		out = append(out, expand(head+c+tail)...)
	}
	return out
}
