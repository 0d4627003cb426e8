package experiments

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"spotlighter/experiments/methods"
)

const recipes = `method: [clip, coop, cocoop, coop+spotlighter]
seed: [1, 2]
train: {epochs: 7}
recipes:
  cocoop: [own/cocoop.yaml, train.epochs=3, cocoop.reduction=4]
  coop: [coop.position=front]
  coop+spotlighter: [spotlight.keep=9]
`

// cocoopFile also sets what a recipe cannot: that is for runs of the file itself.
const cocoopFile = "method: cocoop\nseed: [1, 2, 3]\nout: elsewhere\ntrain: {epochs: 10, batch: 1, crop_scale: [.5, 1]}\ncocoop: {start: random, length: 2}\n"

func loadRecipes(t *testing.T, text, own string, overrides ...string) (Config, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "own"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]string{"x.yaml": text, "own/cocoop.yaml": own} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(s), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(filepath.Join(dir, "x.yaml"), overrides)
	if err != nil {
		return c, &relative{err, dir}
	}
	return c, nil
}

// relative is an error without the temporary folder.
type relative struct {
	error
	dir string
}

func (e *relative) Error() string { return strings.ReplaceAll(e.error.Error(), e.dir+"/", "") }

func TestRecipes(t *testing.T) {
	c, err := loadRecipes(t, recipes, cocoopFile)
	if err != nil {
		t.Fatal(err)
	}
	cells := c.Cells()
	if len(cells) != 8 {
		t.Fatalf("%d cells, want 4 methods x 2 seeds", len(cells))
	}
	for _, cell := range cells {
		coop, cocoop := cell.Sections["coop"].(*methods.CoOp), cell.Sections["cocoop"].(*methods.CoCoOp)
		want, reduction, position, keep := Default().Train, 16, "end", Default().Spotlight.Keep
		want.Epochs = 7
		switch cell.Method[0] {
		case "cocoop":
			want.Epochs, want.Batch, want.CropScale, reduction = 3, 1, [2]float64{.5, 1}, 4
			if cocoop.Start != "random" || cocoop.Length != 2 {
				t.Errorf("the file's settings are %+v", cocoop)
			}
		case "coop":
			position = "front"
		case "coop+spotlighter": // its row's, and its own
			position, keep = "front", 9
		}
		if !reflect.DeepEqual(cell.Train, want) || cocoop.Reduction != reduction || coop.Position != position || cell.Spotlight.Keep != keep {
			t.Errorf("%s: %+v, %+v, %+v", cell.Method[0], cell.Train, coop, cocoop)
		}
		if cell.Out != "runs" || cell.Recipes != nil {
			t.Errorf("%s: out %s, recipes %v", cell.Method[0], cell.Out, cell.Recipes)
		}
		// What a run is does not say how it was asked for.
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, cell.YAML(), 0o644); err != nil {
			t.Fatal(err)
		}
		back, err := Load(path, nil)
		if err != nil || back.Hash() != cell.Hash() {
			t.Errorf("%s: read back as another run, %v", cell.Method[0], err)
		}
	}
	if plain := Default(); plain.Hash() == cells[1].Hash() {
		t.Error("the hash does not know of a recipe")
	}

	// The command line counts more.
	c, err = loadRecipes(t, recipes, cocoopFile, "train.epochs=2", "coop.position=middle")
	if err != nil {
		t.Fatal(err)
	}
	for _, cell := range c.Cells() {
		if cell.Train.Epochs != 2 || cell.Sections["coop"].(*methods.CoOp).Position != "middle" {
			t.Errorf("%s: %d epochs, %+v", cell.Method[0], cell.Train.Epochs, cell.Sections["coop"])
		}
	}
}

func TestRecipeMistakes(t *testing.T) {
	for _, c := range [][2]string{
		{"recipes: 3\n", `x.yaml:1: recipes: found the number 3, want a mapping of names to lists`},
		{"recipes: {coop: 3}\n", `x.yaml:1: recipes.coop: found the number 3, want a list, each item text`},
		{"recipes: {cop: [train.lr=1]}\n", `x.yaml:1: recipes.cop: "cop" is none of ` + strings.Join(methods.Names(), ", ") + `, did you mean coop?`},
		{"recipes: {coop: [seed=1]}\n", `x.yaml:1: recipes.coop: seed=1 is for all methods: want keys of train, spotlight, text, prune or of a method's own`},
		{"recipes: {coop: [train.lr=0]}\n", `x.yaml:1: recipes.coop: train.lr: found 0, want above 0`},
		{"recipes: {coop: [train.lrr=1]}\n", `x.yaml:1: recipes.coop: train.lrr=1: unknown key train.lrr, did you mean train.lr?`},
		{"recipes: {coop: [no.yaml]}\n", `x.yaml:1: recipes.coop: open no.yaml: no such file or directory`},
		{"recipes: {coop: [own/cocoop.yaml]}\n", `x.yaml:1: recipes.coop: own/cocoop.yaml:1: unknown key trian, did you mean train?`},
	} {
		_, err := loadRecipes(t, c[0], "trian: {epochs: 1}\n")
		if err == nil || err.Error() != c[1] {
			t.Errorf("%q:\n  %v, want\n  %s", c[0], err, c[1])
		}
	}
	if _, err := Load(filepath.Join("..", "experiments", "debug.yaml"), []string{"recipes={coop: [x.yaml]}"}); err == nil {
		t.Error("a file on the command line is taken")
	}
}
