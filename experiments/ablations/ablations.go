// Package ablations holds the ablation files: each is one table, of a reference
// and of what its settings change.
package ablations

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"spotlighter/experiments"
)

// Group is one file: rows that differ from the first of them in one key, or in
// keys that belong together.
type Group struct {
	Name  string `yaml:"-"`     // of the file, without its ending
	Title string `yaml:"title"` // of its section
	About string `yaml:"about"` // what the rows are, for a reader of the table
	Key   string `yaml:"key"`   // what the rows' names are values of; "" where they are words
	// Base is the configuration that every row starts from, by its path from the
	// file's folder, and Set what all rows override in it.
	Base string   `yaml:"base"`
	Set  []string `yaml:"set"`
	Rows []Row    `yaml:"rows"` // the first is what the others are compared with
}

// Row is one configuration, of all data sets and seeds.
type Row struct {
	Name   string             `yaml:"name"`
	Set    []string           `yaml:"set"` // overrides, beside the group's
	Config experiments.Config `yaml:"-"`
}

//go:embed *.yaml
var files embed.FS

const ending = ".yaml"

// Names are the groups that the program carries, in the order of the method's
// stages.
var Names = []string{
	"methods", "tokens", "activation", "smooth", "bank", "momentum", "prototypes", "selection", "window", "keep",
	"levels", "candidates", "read", "reread", "evidence", "mapping", "learned", "loss", "local_loss",
}

// Load reads the group of that name, or the file at that path (which ends in
// .yaml), and the configurations of its rows: the base, the group's settings, the
// given overrides, the row's. An error is one line with the file and the row.
func Load(name string, overrides []string) (Group, error) {
	open, base := os.ReadFile, func(g Group, set []string) (experiments.Config, error) {
		return experiments.Load(filepath.Join(filepath.Dir(name), filepath.FromSlash(g.Base)), set)
	}
	file := name
	if !strings.HasSuffix(name, ending) {
		file = name + ending
		open, base = files.ReadFile, func(g Group, set []string) (experiments.Config, error) {
			return experiments.LoadEmbedded(path.Join("ablations", g.Base), set)
		}
	}
	text, err := open(file)
	if errors.Is(err, fs.ErrNotExist) && file != name {
		return Group{}, fmt.Errorf("ablation %q is none of %s, nor the path of a file (%s)", name, strings.Join(Names, ", "), ending)
	}
	if err != nil {
		return Group{}, fmt.Errorf("ablation: %w", err)
	}
	g := Group{Name: strings.TrimSuffix(filepath.Base(file), ending)}
	if err := yaml.UnmarshalWithOptions(text, &g, yaml.Strict()); err != nil {
		return Group{}, fmt.Errorf("%s: %s", file, strings.Join(strings.Fields(yaml.FormatError(err, false, false)), " "))
	}
	if err := g.validate(); err != nil {
		return Group{}, fmt.Errorf("%s: %w", file, err)
	}
	for i := range g.Rows {
		row := &g.Rows[i]
		if row.Config, err = base(g, slices.Concat(g.Set, overrides, row.Set)); err != nil {
			return Group{}, fmt.Errorf("%s: row %q: %w", file, row.Name, err)
		}
		if len(row.Config.Method) != 1 {
			return Group{}, fmt.Errorf("%s: row %q: method: found %d, want one", file, row.Name, len(row.Config.Method))
		}
	}
	return g, g.distinct(file)
}

func (g Group) validate() error {
	switch {
	case g.Title == "":
		return errors.New("title: found nothing, want that of the section")
	case g.Base == "":
		return errors.New("base: found nothing, want the path of a configuration")
	case len(g.Rows) < 2:
		return fmt.Errorf("rows: found %d, want a reference and at least one change", len(g.Rows))
	}
	seen := map[string]bool{}
	for i, r := range g.Rows {
		if r.Name == "" || seen[r.Name] {
			return fmt.Errorf("rows[%d].name: found %q, want a name of its own", i, r.Name)
		}
		seen[r.Name] = true
	}
	return nil
}

// distinct refuses rows that would be the same runs, such as a reference that was
// not moved along with a default.
func (g Group) distinct(file string) error {
	seen := map[string]string{}
	for _, r := range g.Rows {
		hash := r.Config.Hash()
		if other, ok := seen[hash]; ok {
			return fmt.Errorf("%s: rows %q and %q are the same configuration", file, other, r.Name)
		}
		seen[hash] = r.Name
	}
	return nil
}
