package experiments

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"testing"

	"spotlighter/experiments/methods"
	"spotlighter/results/paper"
	"spotlighter/spotlight"
)

// Each row of published.yaml is run as by its own file, and that as published.
func TestPublishedRecipes(t *testing.T) {
	type recipe struct {
		own           string // the row's own file
		epochs, batch int
		lr            float64
	}
	want := map[string]recipe{
		"clip":                 {own: ""},
		"coop":                 {"coop.yaml", 200, 32, .002},
		"promptsrc":            {"promptsrc.yaml", 20, 4, .0025},
		"maple":                {"maple.yaml", 5, 4, .0035},
		"clipfit":              {"clipfit.yaml", 100, 32, .002},
		"promptkd":             {"promptkd.yaml", 20, 8, .005},
		"coop+textrefiner":     {"textrefiner.yaml", 10, 32, .002},
		"promptkd+textrefiner": {"promptkd.yaml", 20, 8, .005},
		"coop+spotlighter":     {"release.yaml", 20, 64, .002},
		"promptkd+spotlighter": {"promptkd.yaml", 30, 8, .002},
		"cocoop":               {"cocoop.yaml", 10, 1, .002},
		"linear-probe":         {own: "linear-probe.yaml", epochs: 20, batch: 32, lr: .02}, // none of the three is looked at
		"tip-adapter":          {"tip-adapter.yaml", 20, 256, .001},
		"tip-adapter-f":        {"tip-adapter.yaml", 20, 256, .001},
	}
	c, err := LoadEmbedded("published.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("published.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual([]string(c.Dataset[:1]), []string{"imagenet"}) || len(c.Dataset) != len(paper.Eleven()) {
		t.Errorf("data sets %v, want the eleven of the average", c.Dataset)
	}
	for _, name := range paper.Eleven() {
		if c.on(name).Validate() != nil {
			t.Errorf("%s: %v", name, c.on(name).Validate())
		}
	}
	for _, method := range c.Method {
		cell, ok := paper.BaseToNovel(method, paper.Average)
		if !ok || !bytes.Contains(text, fmt.Appendf(nil, "%.2f", cell.HM)) {
			t.Errorf("%s: the paper has %v, %+v, the file does not say %.2f", method, ok, cell, cell.HM)
		}
	}
	if c.Method = methods.Names(); len(c.Method) < len(want) {
		t.Fatalf("methods %v", c.Method)
	}
	c.Dataset, c.Seed = c.Dataset[:1], c.Seed[:1]
	for _, cell := range c.Cells() {
		method := cell.Method[0]
		w, ok := want[method]
		if !ok {
			continue // a row that nobody published
		}
		if cell.Clip.Weights != "ViT-B-16.pt" || cell.Protocol != BaseToNovel || cell.Shots != 16 || (cell.Clip.Templates == datasetTemplate) != (method == "clip") {
			t.Errorf("%s: %+v, %s, %d shots", method, cell.Clip, cell.Protocol, cell.Shots)
		}
		if w.own == "" {
			continue
		}
		if cell.Train.Epochs != w.epochs || cell.Train.Batch != w.batch || cell.Train.LR != w.lr {
			t.Errorf("%s: %d epochs of %d images at %g, want %+v", method, cell.Train.Epochs, cell.Train.Batch, cell.Train.LR, w)
		}
		overrides := []string{"protocol=base-to-novel", "method=" + method}
		switch method {
		case "promptkd+spotlighter":
			overrides = append(overrides, "train.epochs=30", "train.lr=.002", "train.views=30", "spotlight.variant=release", "promptkd.shots=16")
			fallthrough
		case "promptkd", "promptkd+textrefiner":
			overrides = append(overrides, "promptkd.teacher=experiments/promptkd/published.yaml")
		}
		own, err := LoadEmbedded(w.own, overrides)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(cell.Train, own.Train) || !reflect.DeepEqual(cell.Spotlight, own.Spotlight) ||
			!reflect.DeepEqual(cell.Sections.of(method), own.Sections.of(method)) {
			t.Errorf("%s: other than by %s:\n%s\n%s", method, w.own, cell.YAML(), own.YAML())
		}
		if released := cell.Spotlight.Variant == spotlight.Release; released != methods.Plugged(method) {
			t.Errorf("%s: variant %s", method, cell.Spotlight.Variant)
		}
	}
}

// The published teacher is PromptSRC's of the larger CLIP by its own recipe, for
// the student's data set and seed, with the program's sources beside it or not.
func TestPublishedTeacher(t *testing.T) {
	c, err := LoadEmbedded("published.yaml", []string{"method=promptkd", "dataset=dtd", "seed=2", "train.lr=.004"})
	if err != nil {
		t.Fatal(err)
	}
	var hashes []string
	for _, dir := range []string{"..", t.TempDir()} {
		t.Chdir(dir)
		from, err := c.Cells()[0].teaching()
		if err != nil {
			t.Fatal(err)
		}
		cell := from.cell
		if cell.Method[0] != "promptsrc" || cell.Clip.Weights != "ViT-L-14.pt" || cell.Train.LR != .005 || cell.Train.Batch != 8 || cell.Train.Epochs != 20 || cell.Dataset[0] != "dtd" || cell.Seed[0] != 2 {
			t.Errorf("taught by\n%s", cell.YAML())
		}
		hashes = append(hashes, cell.Hash())
	}
	if hashes[0] != hashes[1] {
		t.Error("the teacher without the sources is another one")
	}
	// What the program does not have is told as what it is: a file that is not there.
	c.Sections["promptkd"].(*methods.PromptKD).Teacher = "experiments/no.yaml"
	c.Recipes = nil
	_, err = c.teaching()
	if want := "promptkd.teacher: config: open experiments/no.yaml: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("a teacher that is not there: %v, want %s", err, want)
	}
}

// Any CLIP but the program's own is one that the published recipes are for.
func TestEmbeddedClip(t *testing.T) {
	for _, test := range []struct {
		overrides []string
		want      bool
	}{
		{nil, true},
		{[]string{"train.lr=1", "clip=tiny"}, true},
		{[]string{"clip=ViT-B-16.pt"}, false},
		{[]string{"clip.weights=a.safetensors", "train.lr=1"}, false},
		{[]string{"clip={weights: a.pt, truncate: true}"}, false},
		{[]string{"clip=a.pt", "clip=tiny"}, true},
		{[]string{"clipp=a.pt"}, true}, // Load refuses it
	} {
		if got := EmbeddedClip(test.overrides); got != test.want {
			t.Errorf("%q: %v, want %v", test.overrides, got, test.want)
		}
	}
}
