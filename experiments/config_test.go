package experiments

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"spotlighter/experiments/methods"
	"spotlighter/internal/datasets"
	"spotlighter/spotlight"
)

// loadText is Load of a file with the given text, its folder cut from errors.
func loadText(t *testing.T, text string, overrides ...string) (Config, string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "x.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, overrides)
	if err != nil {
		return c, strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
	}
	return c, ""
}

func TestConfigMistakes(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"shotz: 4\n", `x.yaml:1: unknown key shotz, did you mean shots?`},
		{"shots: 4\nepochs: 3\n", `x.yaml:2: unknown key epochs, did you mean train.epochs?`},
		{"train:\n  lr: 1\n  learning: 3\n", `x.yaml:3: unknown key train.learning, want one of epochs, batch, lr, scalar_lr, momentum, weight_decay, warmup_epochs, warmup_lr, schedule, views, crop_scale, context, fixed`},
		{"spotlight:\n  levels1: 3\n", `x.yaml:2: unknown key spotlight.levels1, did you mean spotlight.level1?`},
		{"train:\n  epochs: ten\n", `x.yaml:2: train.epochs: found the text "ten", want a whole number`},
		{"train:\n  epochs: 2.5\n", `x.yaml:2: train.epochs: found the number 2.5, want a whole number`},
		{"train:\n  lr: \"0.1\"\n", `x.yaml:2: train.lr: found the text "0.1", want a number`},
		{"train:\n  lr: .nan\n", `x.yaml:2: train.lr: found the number .nan, want a number`},
		{"train: 3\n", `x.yaml:1: train: found the number 3, want a mapping with the keys epochs, batch, lr, scalar_lr, momentum, weight_decay, warmup_epochs, warmup_lr, schedule, views, crop_scale, context, fixed`},
		{"train: {fixed: \"[\"}\n", `x.yaml:1: train.fixed: "[" is no name, nor a pattern such as prompt.*`},
		{"spotlight: {bank: off, sample_wise: false}\n", `x.yaml:1: spotlight.bank: off leaves no score to rank the tokens by where spotlight.sample_wise is off`},
		{"train:\n  crop_scale: [.5]\n", `x.yaml:2: train.crop_scale: found a list of 1, want a list of 2 numbers`},
		{"train:\n  crop_scale: [.5, x]\n", `x.yaml:2: train.crop_scale[1]: found the text "x", want a number`},
		{"train:\n  crop_scale: [.8, .5]\n", `x.yaml:2: train.crop_scale: found [0.8, 0.5], want 0 < least <= largest <= 1`},
		{"spotlight: {irm: yes}\n", `x.yaml:1: spotlight.irm: found the text "yes", want true or false`},
		{"spotlight:\n  blocks: 3\n", `x.yaml:2: spotlight.blocks: found the number 3, want a list, each item a whole number`},
		{"spotlight:\n  read: rereed\n", `x.yaml:2: spotlight.read: "rereed" is none of reread, pool, tokens`},
		{"spotlight:\n  level1: 9\n", `x.yaml:2: spotlight.level1: 9, want 1 to keep (5)`},
		{"spotlight: {variant: released}\n", `x.yaml:1: spotlight.variant: "released" is none of paper, release`},
		{"spotlight:\n  release:\n    dropout: 1\n", `x.yaml:3: spotlight.release.dropout: 1, want 0 <= dropout < 1`},
		{"spotlight: {variant: release}\nmethod: [clip, clip+spotlighter]\n", `x.yaml:2: method: clip+spotlighter learns nothing, spotlight.variant release works by learning alone`},
		{"prune: {block: -1}\n", `x.yaml:1: prune.block: found -1, want at least 0`},
		{"prune:\n  keep: 0\n", `x.yaml:2: prune.keep: found 0, want above 0 and at most 1`},
		{"prune:\n  by: texts\n", `x.yaml:2: prune.by: "texts" is none of deviation, attention, text, both, did you mean text?`},
		{"prune: {block: 3}\nspotlight: {variant: release}\n", `x.yaml:1: prune.block: found 3, want 0 (off): spotlight.variant release reads every patch`},
		{"prune: {block: 3}\nspotlight: {select: all, candidates: 1}\n", `x.yaml:1: prune.block: found 3, want 0 (off): spotlight.select all keeps every patch`},
		{"seed: [1, two]\n", `x.yaml:1: seed[1]: found the text "two", want a whole number`},
		{"seed: [1, 2, 1]\n", `x.yaml:1: seed: 1 is there twice`},
		{"method:\n", `x.yaml:1: method: found nothing, want text or a list`},
		{"method: []\n", `x.yaml:1: method: found an empty list, want at least one`},
		{"method: coop+spotlight\n", `x.yaml:1: method: "coop+spotlight" is none of ` + strings.Join(methods.Names(), ", ") + `, did you mean coop+spotlighter?`},
		{"dataset: cluter\n", `x.yaml:1: dataset: "cluter" is none of clutter, dusk, fog, tuning-1, ` + strings.Join(datasets.Names(), ", ") + `, nor the path of a task (.yaml), did you mean clutter?`},
		{"dataset: clutter,fog\n", `x.yaml:1: dataset: "clutter,fog" is no data set; a list is written [clutter, fog]`},
		{"dataset: caltech101\n", `x.yaml: data.root: found nothing, want the folder that holds caltech-101 (dataset caltech101)`},
		{"out: 2024\n", `x.yaml:1: out: found the number 2024, want text`},
		{"clip: [a]\n", `x.yaml:1: clip: found a list of 1, want a mapping with the keys weights, unknown, truncate, templates`},
		{"clip:\n  unknown: guess\n", `x.yaml:2: clip.unknown: "guess" is none of error, random`},
		{"clip:\n  truncate: cut\n", `x.yaml:2: clip.truncate: found the text "cut", want true or false`},
		{"clip:\n  templates: ensembles\n", `x.yaml:2: clip.templates: "ensembles" is none of context, dataset, ensemble, did you mean ensemble?`},
		{"clip:\n  templates: ensemble\nmethod: clip\n", `x.yaml:2: clip.templates: found ensemble, want context: no prompts for data set "clutter"; there are those of caltech101, dtd, eurosat, fgvc_aircraft, food101, imagenet, oxford_flowers, oxford_pets, stanford_cars, sun397, ucf101`},
		{"shots: 4\nshots: 8\n", `x.yaml:2: not YAML: mapping key "shots" already defined at [1:1]`},
		{"shots: 4\n\ttrain: 3\n", `x.yaml:2: not YAML: found character '\t' that cannot start any token`},
		{"method: [clip\nshots: 3\n", `x.yaml:2: not YAML: ',' or ']' must be specified`},
		{"shots: 4\n---\nshots: 8\n", `x.yaml:3: a second document, want one`},
		{"- clip\n", `x.yaml:1: found a list of 1, want a mapping with the keys protocol, method, dataset, seed, targets, clip, data, shots, train, spotlight, prune, text, recipes, ` + strings.Join(append(methods.Sections(), "out"), ", ") + `, threads, device, cuda, cache, cache_dir, cache_limit, cache_fp16`},
		{"shots: &n 4\n", `x.yaml:1: shots: found a YAML anchor, want a whole number`},
		{"shots: 99999999999999999999\n", `x.yaml:1: shots: found the text "99999999999999999999", want a whole number`},
		{"data: {classes: 1}\n", `x.yaml:1: data.classes: found 1, want at least 2 (one base class, one novel) or 0 (all)`},
	} {
		_, got := loadText(t, test.text)
		if got != test.want {
			t.Errorf("%q\n got %s\nwant %s", test.text, got, test.want)
		}
		if strings.Contains(got, "\n") {
			t.Errorf("%q: the error has several lines", test.text)
		}
	}
}

func TestOverrideMistakes(t *testing.T) {
	for _, test := range []struct{ override, want string }{
		{"train.epoch=3", "override train.epoch=3: unknown key train.epoch, did you mean train.epochs?"},
		{"lr=3", "override lr=3: unknown key lr, did you mean train.lr?"},
		{"train.lr=fast", `override train.lr=fast: train.lr: found the text "fast", want a number`},
		{"train.lr.x=1", "override train.lr.x=1: train.lr has no keys below it"},
		{"train.lr=-1", "override train.lr=-1: train.lr: found -1, want above 0"},
		{"train.lr", "override train.lr: want key=value, such as train.lr=.01"},
		{"out=", "override out=: found nothing, want text"},
		{"seed=[1", "override seed=[1: not YAML: sequence end token ']' not found"},
		{"spotlight.keep=20", "override spotlight.keep=20: spotlight.keep: 20 tokens do not fit a window of 3x3"},
	} {
		_, got := loadText(t, "spotlight: {window: 3}\n", test.override)
		if got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.override, got, test.want)
		}
	}
	if _, err := Load("absent.yaml", nil); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("absent file: %v, want one line", err)
	}
}

func TestOverrides(t *testing.T) {
	c, msg := loadText(t, "clip: a.safetensors\ntrain:\n  lr: 1\n",
		"clip=b.safetensors", "clip.unknown=random", "clip.truncate=true", "clip.templates=dataset", "train.lr=1e-3", "seed=[4, 5]", "method=coop",
		"spotlight.blocks=[2, 3]", "train.context=an image of", "dataset=my/task.yaml")
	if msg != "" {
		t.Fatal(msg)
	}
	want := Default()
	want.Clip = Clip{Weights: "b.safetensors", Unknown: "random", Truncate: true, Templates: "dataset"}
	want.Train.LR = 1e-3
	want.Train.Context = "an image of"
	want.Seed = List[int]{4, 5}
	want.Method = List[string]{"coop"}
	want.Dataset = List[string]{"my/task.yaml"}
	want.Spotlight.Blocks = []int{2, 3}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got\n%s\nwant\n%s", c.YAML(), want.YAML())
	}
}

func TestEmptyFileIsDefault(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n"} {
		if c, msg := loadText(t, text); msg != "" || !reflect.DeepEqual(c, Default()) {
			t.Errorf("%q: %s %+v", text, msg, c)
		}
	}
}

// Each setting but out, threads and cache changes the hash.
func TestHash(t *testing.T) {
	grid := Default()
	grid.Method = methods.Names() // sections and clip.templates are of methods
	start := grid.Hash()
	ignored := map[string]bool{"recipes": true, "out": true, "threads": true, "device": true, "cuda.math": true, "cache": true, "cache_dir": true, "cache_limit": true, "cache_fp16": true, "prune.keep": true, "prune.by": true} // pruning is off
	var walk func(v reflect.Value, key string, c *Config)
	walk = func(v reflect.Value, key string, c *Config) {
		old := reflect.New(v.Type()).Elem()
		old.Set(v)
		switch v.Kind() {
		case reflect.Struct:
			for _, f := range fields(v) {
				walk(f.value, join(key, f.key), c)
			}
			return
		case reflect.String:
			v.SetString(v.String() + "x")
		case reflect.Int:
			v.SetInt(v.Int() + 1)
		case reflect.Float64:
			v.SetFloat(v.Float() + .001)
		case reflect.Bool:
			v.SetBool(!v.Bool())
		case reflect.Array:
			walk(v.Index(0), key+"[0]", c)
			return
		case reflect.Slice:
			v.Set(reflect.Append(v, reflect.New(v.Type().Elem()).Elem()))
		case reflect.Map:
			v.Set(reflect.ValueOf(Recipes{"coop": {"train.lr=1"}}))
		default:
			t.Fatalf("%s: kind %s", key, v.Kind())
		}
		if changed := c.Hash() != start; changed == ignored[key] {
			t.Errorf("%s: hash changed: %v", key, changed)
		}
		v.Set(old)
	}
	c := grid
	walk(reflect.ValueOf(&c).Elem(), "", &c)
	if c.Hash() != start {
		t.Error("the walk did not restore the configuration")
	}
	c = Default()
	c.Method = List[string]{"coop"}
	plain := c.Hash()
	c.Spotlight.Keep = 9
	if c.Hash() != plain {
		t.Error("coop, which keeps no tokens, has another hash where more are kept")
	}
	c.Prune = Prune{Block: 3, Keep: .5, By: spotlight.PruneByText}
	if pruned := c.Hash(); pruned == plain {
		t.Error("pruning does not change the hash of coop")
	} else if c.Spotlight.Smooth++; c.Hash() == pruned {
		t.Error("the settings of the activation that prunes do not change the hash of coop")
	}
	c = Default()
	c.Clip.Templates = "ensemble"
	if c.Hash() != Default().Hash() {
		t.Error("the templates of clip change the hash of coop+spotlighter")
	}
}

// No text makes Load panic, and no error has a second line.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{"shots: 3", "train: {lr: 1e-3, crop_scale: [.5, 1]}", "a: &x\n  - *x", "? [a]\n: b",
		"<<: {shots: 3}", "%YAML 1.2\n---\nclip: |\n  a\n", "seed: [1, 2", "\"", "!!int shots: 3", "train:\n\t- x"} {
		f.Add(seed, "train.lr=1")
		f.Add("", "train="+seed)
	}
	f.Fuzz(func(t *testing.T, text, override string) {
		r := reader{open: func(path string) ([]byte, error) {
			if path != "x.yaml" {
				return nil, os.ErrNotExist
			}
			return []byte(text), nil
		}, folder: filepath.Dir}
		_, err := r.load("x.yaml", []string{override})
		if err != nil && strings.ContainsAny(err.Error(), "\n\r") {
			t.Errorf("several lines: %q", err)
		}
	})
}
