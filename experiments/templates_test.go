package experiments

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/internal/clip"
	"spotlighter/internal/prompts"
	"spotlighter/internal/shared"
)

// caltechCell is zero-shot CLIP on a few test images of four classes.
func caltechCell(t *testing.T, templates string) Config {
	t.Helper()
	c := tinyCell(t, "clip")
	c.Protocol, c.Dataset, c.Data.TestPerClass = ZeroShot, List[string]{"caltech101"}, 5
	c.Data.Root = filepath.Dir(shared.Path(t, "data", "caltech-101"))
	c.Clip.Unknown, c.Clip.Templates = "random", templates
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// textOf is the class features that a cell's method gets.
func textOf(t *testing.T, l *Lab, c Config, names []string) graph.Tensor {
	t.Helper()
	cl, err := l.classes(t.Context(), c, names)
	if err == nil {
		err = l.reword(t.Context(), c, &cl)
	}
	if err != nil {
		t.Fatal(err)
	}
	return cl.Text
}

func apart(a, b graph.Tensor) float64 {
	most := 0.
	for i := range a.F32 {
		most = max(most, math.Abs(float64(a.F32[i]-b.F32[i])))
	}
	return most
}

// The row of CLIP reads Caltech101 in the words that the configuration names; no
// other row does.
func TestTemplates(t *testing.T) {
	c := caltechCell(t, ensembleTemplates)
	lab := newLab(t, c)
	b := mustBenchmark(t, c)
	in := func(method, templates string) graph.Tensor {
		c := c
		c.Method, c.Clip.Templates = List[string]{method}, templates
		return textOf(t, lab, c, b.Classes)
	}
	plain := in("clip", contextTemplate)
	if plain.Shape[0] != 4 {
		t.Fatalf("%v, want 4 classes", plain.Shape)
	}
	// The published template says what the context words say.
	if d := apart(in("clip", datasetTemplate), plain); d > 1e-5 {
		t.Errorf("the template is %g from the context words", d)
	}
	ensemble := in("clip", ensembleTemplates)
	w, err := prompts.Of("caltech101")
	if err != nil || len(w.Ensemble) != 34 {
		t.Fatalf("%d templates, %v", len(w.Ensemble), err)
	}
	mean := graph.NewTensor(graph.Float32, ensemble.Shape...)
	z := clip.NewZeroShot(lab.model, lab.pool)
	for _, template := range w.Ensemble {
		var texts []string
		for _, n := range b.Classes {
			texts = append(texts, strings.TrimSuffix(strings.ReplaceAll(template, "{}", strings.ReplaceAll(n, "_", " ")), "."))
		}
		features, err := z.Text(t.Context(), texts)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range features.F32 {
			mean.F32[i] += v
		}
	}
	for class := range b.Classes {
		clip.Unit(mean.Row(class))
	}
	if d := apart(ensemble, mean); d > 1e-5 {
		t.Errorf("the ensemble is %g from the mean of its templates", d)
	}
	if d := apart(ensemble, plain); d < 1e-2 {
		t.Errorf("the ensemble is only %g from the context words", d)
	}
	for _, method := range []string{"clip+spotlighter", "coop", "coop+spotlighter"} {
		if d := apart(in(method, ensembleTemplates), plain); d != 0 {
			t.Errorf("%s: %g from the context words, want their bits", method, d)
		}
	}
}

// A whole cell of each kind: the numbers of the data set's template are those of
// the same context words, and every run has a folder of its own.
func TestTemplatesRun(t *testing.T) {
	out := t.TempDir()
	confusion := map[string][]int{}
	dirs := map[string]bool{}
	for _, templates := range []string{contextTemplate, datasetTemplate, ensembleTemplates} {
		c := caltechCell(t, templates)
		c.Out = out
		res, dir, done, err := newLab(t, c).RunCell(t.Context(), c, quiet)
		if err != nil || done {
			t.Fatalf("%s: %v, done before: %v", templates, err, done)
		}
		s := res.Sets[0]
		if s.Images != 20 || s.Classes != 4 {
			t.Errorf("%s: %d images of %d classes, want 20 of 4", templates, s.Images, s.Classes)
		}
		near(t, templates+": zero-shot beside clip", s.ZeroShot, s.Top1)
		for _, row := range s.Confusion {
			for class := range 4 {
				confusion[templates] = append(confusion[templates], row[class])
			}
		}
		dirs[dir] = true
	}
	if len(dirs) != 3 {
		t.Errorf("%d folders of three runs", len(dirs))
	}
	if !slices.Equal(confusion[contextTemplate], confusion[datasetTemplate]) {
		t.Errorf("predictions in the same words differ: %v", confusion)
	}
}

func TestTemplatesOf(t *testing.T) {
	for _, test := range []struct {
		dataset, templates string
		want               int
		first              string
	}{
		{"oxford_pets", datasetTemplate, 1, "a photo of a {}, a type of pet."},
		{"dtd", ensembleTemplates, 8, "a photo of a {} texture."},
		{"imagenet_r", ensembleTemplates, 7, "itap of a {}."},
		{"imagenetv2", datasetTemplate, 1, "a photo of a {}."},
	} {
		c := Default().on(test.dataset)
		c.Clip.Templates = test.templates
		got, err := c.templates()
		if err != nil || len(got) != test.want || got[0] != test.first {
			t.Errorf("%s %s: %q, %v, want %d, the first %q", test.dataset, test.templates, got, err, test.want, test.first)
		}
	}
	for _, text := range []string{
		"dataset: folder:x\n", "dataset: [dtd, fog]\n", "protocol: cross-dataset\ndataset: dtd\ntargets: [dusk]\n",
	} {
		text += "data: {root: x}\nclip: {templates: dataset}\nmethod: "
		_, got := loadText(t, text+"[clip, coop]\n")
		if !strings.Contains(got, "clip.templates: found dataset, want context: no prompts for data set ") || strings.Contains(got, "\n") {
			t.Errorf("%q: %q", text, got)
		}
		if _, got := loadText(t, text+"[coop]\n"); got != "" {
			t.Errorf("%q without clip: %s", text, got)
		}
	}
}

// Prompts that are too long are refused, naming the class, or cut.
func TestTruncate(t *testing.T) {
	c := tinyCell(t, "clip")
	c.Train.Context = strings.Repeat("a ", 80) + "photo"
	_, err := NewLab(c)
	if err == nil || !strings.Contains(err.Error(), " tokens, the text encoder takes ") || !strings.HasSuffix(err.Error(), "(clip.truncate=true or --truncate cuts it)") ||
		!strings.Contains(err.Error(), "photo "+mustBenchmark(t, c).Classes[0]) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
	c.Clip.Truncate = true
	if _, _, _, err := newLab(t, c).RunCell(t.Context(), c, quiet); err != nil {
		t.Error(err)
	}
}

func mustBenchmark(t *testing.T, c Config) *Benchmark {
	t.Helper()
	b, err := OpenBenchmark(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
