package prompts

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"spotlighter/internal/shared"
)

// TestWordings counts classes and prompts: 2191 names, and as many templates as
// CLIP's paper has.
func TestWordings(t *testing.T) {
	names, err := Names()
	if err != nil || len(names) != 11 {
		t.Fatalf("%v, %v", names, err)
	}
	for name, want := range map[string][2]int{ // classes, templates
		"imagenet": {1000, 7}, "caltech101": {100, 34}, "oxford_pets": {37, 1}, "stanford_cars": {196, 8},
		"oxford_flowers": {102, 1}, "food101": {101, 1}, "fgvc_aircraft": {100, 2}, "sun397": {397, 2},
		"dtd": {47, 8}, "eurosat": {10, 3}, "ucf101": {101, 48},
	} {
		w, err := Of(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]int{len(w.Classes), len(w.Ensemble)}; got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		for _, p := range append(w.Ensemble, w.Template) {
			if strings.Count(p, "{}") != 1 || strings.ContainsAny(p, "[]|_") || strings.Contains(p, "  ") {
				t.Errorf("%s: template %q", name, p)
			}
		}
		if n := len(slices.Compact(slices.Sorted(slices.Values(w.Ensemble)))); n != len(w.Ensemble) {
			t.Errorf("%s: %d of %d templates are different", name, n, len(w.Ensemble))
		}
		for i, c := range w.Classes {
			if c == "" || c != strings.TrimSpace(c) || strings.Contains(c, "_") {
				t.Errorf("%s: class %d is %q", name, i, c)
			}
		}
	}
	if _, err := Of("cifar10"); err == nil || !strings.Contains(err.Error(), "caltech101, dtd") {
		t.Errorf("unknown: %v", err)
	}
}

func TestExpand(t *testing.T) {
	got := Expand([]string{"a [x|y z] of [|the ]{}.", "{}"})
	want := []string{"a x of {}.", "a x of the {}.", "a y z of {}.", "a y z of the {}.", "{}"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := Fill("a photo of a {}.", "wild_cat"); got != "a photo of a wild cat." {
		t.Errorf("got %q", got)
	}
}

// TestShared compares with the lists and the split files of the shared data.
func TestShared(t *testing.T) {
	content, err := os.ReadFile(shared.Path(t, "data/splits/prompt_templates.json"))
	if err != nil {
		t.Fatal(err)
	}
	var templates map[string]string
	if err := json.Unmarshal(content, &templates); err != nil {
		t.Fatal(err)
	}
	for name, template := range templates {
		w, err := Of(name)
		if err != nil || w.Template != template {
			t.Errorf("%s: %q, %v, want %q", name, w.Template, err, template)
		}
		list, err := os.ReadFile(shared.Path(t, "data/splits/classnames", name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.ReplaceAll(strings.TrimSpace(string(list)), "_", " "); strings.Join(w.Classes, "\n") != want {
			t.Errorf("%s: class names differ", name)
		}
	}
}
