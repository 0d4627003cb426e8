package experiments

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"spotlighter/experiments/runfmt"
	"spotlighter/vit/preprocess"
)

// finished runs a tiny cell and returns its folder and result.
func finished(t *testing.T, c Config) (string, runfmt.Result) {
	t.Helper()
	res, dir, _, err := newLab(t, c).RunCell(t.Context(), c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return dir, res
}

// classified puts a run to work on the test images of classes [lo, hi) among
// those, in batches of 5, and counts the right ones of each class.
func classified(t *testing.T, tr *Trained, c Config, lo, hi int) []int {
	t.Helper()
	b, err := OpenBenchmark(c)
	if err != nil {
		t.Fatal(err)
	}
	right := make([]int, hi-lo)
	test := slices.DeleteFunc(b.Test, func(p Picture) bool { return p.Label < lo || p.Label >= hi })
	for batch := range slices.Chunk(test, tr.Batch) {
		bad, err := tr.Classify(t.Context(), len(batch), func(i int) (*preprocess.RGB, error) {
			img, _, err := batch[i].Load()
			return img, err
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range batch {
			if bad[i] != nil {
				t.Fatal(bad[i])
			}
			if tr.Top(i, 1)[0].Class == b.Classes[p.Label] {
				right[p.Label-lo]++
			}
		}
	}
	return right
}

// A finished run put to work says of its own test images what its result says,
// for the classes that it learned and for those that it did not.
func TestTrained(t *testing.T) {
	for _, x := range []struct {
		method string
		change func(c *Config)
	}{
		{"coop+spotlighter", func(*Config) {}},
		{"coop+spotlighter", func(c *Config) { c.Spotlight.Candidates = 1 }},
		{"coop+spotlighter", func(c *Config) { c.Prune = Prune{Block: 2, Keep: .4, By: "attention"} }},
		{"coop+spotlighter", func(c *Config) { c.Spotlight.Variant = "release" }},
		{"clip+spotlighter", func(*Config) {}},
		{"clip", func(*Config) {}},
		{"maple", func(c *Config) { c.Sections = imageCell(t, "maple").Sections }},
		{"maple", func(c *Config) {
			c.Sections = imageCell(t, "maple").Sections
			c.Prune = Prune{Block: 2, Keep: .4, By: "attention"}
		}},
		{"promptsrc", func(c *Config) { c.Sections = imageCell(t, "promptsrc").Sections }},
		{"clipfit", func(*Config) {}},
	} {
		c := tinyCell(t, x.method)
		c.Data.TestPerClass = 6
		x.change(&c)
		dir, res := finished(t, c)
		for _, half := range [][2]int{{0, res.BaseClasses}, {res.BaseClasses, len(res.Classes)}} {
			var names []string
			var want []int
			for _, class := range res.Classes[half[0]:half[1]] {
				names, want = append(names, class.Name), append(want, class.Right)
			}
			tr, err := OpenTrained(t.Context(), dir, Use{Classes: names, Batch: 5, Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			if got := classified(t, tr, c, half[0], half[1]); !slices.Equal(got, want) {
				t.Errorf("%s: right %v, the run had %v", x.method, got, want)
			}
		}
	}
}

// A view shows the tokens that the run's own pictures show, and where a token's
// class was learned the bank knows it.
func TestView(t *testing.T) {
	c := tinyCell(t, "coop+spotlighter")
	dir, res := finished(t, c)
	examples, err := runfmt.ReadExamples(dir)
	if err != nil {
		t.Fatal(err)
	}
	var base []string
	for _, class := range res.Classes[:res.BaseClasses] {
		base = append(base, class.Name)
	}
	tr, err := OpenTrained(t.Context(), dir, Use{Classes: base, Batch: 1, Threads: 1, Views: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.CanView(); err != nil {
		t.Fatal(err)
	}
	for i, x := range examples[:len(examples)/2] { // of the base classes
		bad, err := tr.Classify(t.Context(), 1, func(int) (*preprocess.RGB, error) {
			path := filepath.Join(t.TempDir(), "x.png")
			if err := os.WriteFile(path, x.PNG, 0o644); err != nil {
				return nil, err
			}
			return preprocess.Decode(path)
		})
		if err = errors.Join(err, bad[0]); err != nil {
			t.Fatal(err)
		}
		if got := tr.Top(0, 1)[0].Class; got != x.Caption {
			t.Errorf("image %d is a %s, the run said %s", i, got, x.Caption)
		}
		v := tr.View(0)
		var levels [2][]int
		for _, k := range v.Kept {
			levels[k.Level-1] = append(levels[k.Level-1], k.Patch)
			if k.Matches[0].Share <= 0 || k.Matches[0].Class != x.Caption || !k.Matches[0].Learned {
				t.Errorf("image %d: token at %d matched %+v, want prototypes of %s", i, k.Patch, k.Matches, x.Caption)
			}
			if k.Nearest.Similarity < k.Matches[0].Similarity {
				t.Errorf("image %d: nearest %+v is further than %+v", i, k.Nearest, k.Matches[0])
			}
			if k.Score != float64(v.Score[k.Patch]) {
				t.Errorf("image %d: score %g at patch %d, the map says %g", i, k.Score, k.Patch, v.Score[k.Patch])
			}
		}
		if !slices.Equal(levels[0], x.Level1) || !slices.Equal(levels[1], x.Level2) {
			t.Errorf("image %d: kept %v, the run kept %v and %v", i, levels, x.Level1, x.Level2)
		}
		if v.Grid != 8 || len(v.Sample) != 64 || len(v.Semantic) != 64 {
			t.Errorf("image %d: grid %d, maps of %d and %d", i, v.Grid, len(v.Sample), len(v.Semantic))
		}
	}
}

// What keeps a run from being put to work is one line.
func TestTrainedRefuses(t *testing.T) {
	c := tinyCell(t, "coop+spotlighter")
	dir, _ := finished(t, c)
	more := c
	more.Data.Classes = 6
	other, _ := finished(t, more)
	fails := func(words string) {
		t.Helper()
		_, err := OpenTrained(context.Background(), dir, Use{Batch: 1, Threads: 1})
		if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error is %v, want %s", err, words)
		}
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	read := func(path string) []byte {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	write := func(path string, text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	env := read(file(runfmt.EnvFile))
	write(file(runfmt.EnvFile), bytes.Replace(env, []byte(`"weights": "`), []byte(`"weights": "f00`), 1))
	fails("trained with another CLIP: its weights were f00")
	write(file(runfmt.EnvFile), env)
	checkpoint := read(file(runfmt.CheckpointFile))
	write(file(runfmt.CheckpointFile), read(filepath.Join(other, runfmt.CheckpointFile)))
	fails("checkpoint.safetensors does not fit 2 classes and a CLIP of width 128: tensors do not fit the model: misshapen: spotlight.bank is (3, 5, 128), want (2, 5, 128)")
	write(file(runfmt.CheckpointFile), checkpoint[:len(checkpoint)/2])
	fails("truncated")
	write(file(runfmt.CheckpointFile), checkpoint)
	if _, err := OpenTrained(context.Background(), dir, Use{Classes: []string{"red car"}, Batch: 1}); err == nil || !strings.Contains(err.Error(), "does not know car") {
		t.Errorf("an unknown word: error is %v", err)
	}
	// What a card trained in bf16 is put to work on the CPU, too.
	config := read(file(runfmt.ConfigFile))
	write(file(runfmt.ConfigFile), bytes.Replace(bytes.Replace(config, []byte("math: fp32"), []byte("math: bf16"), 1), []byte("device: cpu"), []byte("device: cuda"), 1))
	if bytes.Equal(read(file(runfmt.ConfigFile)), config) {
		t.Fatalf("no device in\n%s", config)
	}
	if _, err := OpenTrained(context.Background(), dir, Use{Batch: 1, Threads: 1}); err != nil {
		t.Error(err)
	}
	write(file(runfmt.ConfigFile), config)
	result := read(file(runfmt.ResultFile))
	if err := os.Remove(file(runfmt.ResultFile)); err != nil {
		t.Fatal(err)
	}
	fails("not finished")
	write(file(runfmt.ResultFile), result)
	if err := os.Remove(file(runfmt.ConfigFile)); err != nil {
		t.Fatal(err)
	}
	fails("no config.yaml in it")
}
