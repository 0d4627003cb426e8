package datasets

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"spotlighter/internal/shared"
)

// TestFewShotDTD compares with the images that the published data set class
// picked: 47 classes, 16 shots, three seeds.
func TestFewShotDTD(t *testing.T) {
	split, err := os.ReadFile(shared.Path(t, "data/splits/split_zhou_DescribableTextures.json"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := parseSplit(split, "")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(shared.Path(t, "fixtures/release/fewshot_sampling.json"))
	if err != nil {
		t.Fatal(err)
	}
	type subset struct {
		Classnames []string
		Train, Val [][2]any // path, label
		TestCount  int      `json:"test_count"`
		TestFirst  [][3]any `json:"test_first3"`
		TestLast   [3]any   `json:"test_last"`
	}
	var fixture struct {
		Seeds map[string]struct {
			Sampled struct{ Train, Val [][2]any } // label, paths
			Base    subset
			New     subset
		}
	}
	if err := json.Unmarshal(content, &fixture); err != nil {
		t.Fatal(err)
	}
	for seed := 1; seed <= 3; seed++ {
		want := fixture.Seeds[fmt.Sprint(seed)]
		few, err := d.FewShot(16, seed)
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			got  []Item
			want [][2]any
		}{"train": {few.Train, want.Sampled.Train}, "val": {few.Val, want.Sampled.Val}} {
			var all []Item
			for _, class := range c.want {
				for _, path := range class[1].([]any) {
					all = append(all, Item{path.(string), int(class[0].(float64))})
				}
			}
			if len(all) == 0 || !reflect.DeepEqual(c.got, all) {
				t.Errorf("seed %d: %s differs", seed, name)
			}
		}
		base, novel := halves(t, few)
		for name, c := range map[string]struct {
			got  *Dataset
			want subset
		}{"base": {base, want.Base}, "new": {novel, want.New}} {
			item := func(path, label any) Item { return Item{path.(string), int(label.(float64))} }
			items := func(pairs [][2]any) (out []Item) {
				for _, p := range pairs {
					out = append(out, item(p[0], p[1]))
				}
				return out
			}
			if !reflect.DeepEqual(c.got.Classes, c.want.Classnames) || len(c.want.Classnames) == 0 {
				t.Errorf("seed %d: %s classes %v, want %v", seed, name, c.got.Classes, c.want.Classnames)
			}
			if !reflect.DeepEqual(c.got.Train, items(c.want.Train)) || !reflect.DeepEqual(c.got.Val, items(c.want.Val)) {
				t.Errorf("seed %d: %s images differ", seed, name)
			}
			if len(c.got.Test) != c.want.TestCount {
				t.Errorf("seed %d: %s has %d test images, want %d", seed, name, len(c.got.Test), c.want.TestCount)
			}
			first, last := c.want.TestFirst[0], c.want.TestLast
			if c.got.Test[0] != item(first[0], first[1]) || c.got.Test[len(c.got.Test)-1] != item(last[0], last[1]) {
				t.Errorf("seed %d: %s test images differ", seed, name)
			}
		}
	}
}

// TestFewShot has labels that appear out of order and a class that is too
// small, which is taken whole and draws nothing: the numbers are Python's.
func TestFewShot(t *testing.T) {
	d := &Dataset{Name: "x", Classes: []string{"a", "b"}}
	d.Train = append(d.Train, Item{"b0", 1}, Item{"b1", 1})
	for i := range 24 {
		d.Train = append(d.Train, Item{fmt.Sprint("a", i), 0})
	}
	few, err := d.FewShot(4, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := []Item{{"b0", 1}, {"b1", 1}, {"a4", 0}, {"a18", 0}, {"a2", 0}, {"a8", 0}}
	if !reflect.DeepEqual(few.Train, want) {
		t.Errorf("got %v, want %v", few.Train, want)
	}
	if want := []string{`1 of 2 classes have fewer than 4 training images and are taken whole, such as "b"`}; !reflect.DeepEqual(few.Notes, want) {
		t.Errorf("notes %q, want %q", few.Notes, want)
	}
	if len(d.Train) != 26 {
		t.Error("sampling changed the data set")
	}
	if _, err := (&Dataset{Name: "imagenet_a"}).FewShot(4, 1); err == nil || !strings.Contains(err.Error(), "no training images") {
		t.Errorf("a test set: %v", err)
	}
	if _, err := d.FewShot(0, 1); err == nil || !strings.Contains(err.Error(), "0 shots") {
		t.Errorf("no shots: %v", err)
	}
}

// TestSubsetOdd gives the middle class to the base.
func TestSubsetOdd(t *testing.T) {
	d := &Dataset{Classes: []string{"a", "b", "c"}, ImageNet: []int{4, 5, 9}, Test: []Item{{"z", 2}, {"y", 1}, {"x", 0}}}
	base, novel := halves(t, d)
	if !reflect.DeepEqual(base.Test, []Item{{"y", 1}, {"x", 0}}) || !reflect.DeepEqual(novel.Test, []Item{{"z", 0}}) {
		t.Errorf("base %v, novel %v", base.Test, novel.Test)
	}
	if !reflect.DeepEqual(novel.ImageNet, []int{9}) {
		t.Errorf("ImageNet's labels %v", novel.ImageNet)
	}
	if all, err := d.Subset(All); err != nil || all != d {
		t.Errorf("all: %v, %v", all, err)
	}
	if _, err := d.Subset("novel"); err == nil || !strings.Contains(err.Error(), "all, base or new") {
		t.Errorf("unknown subset: %v", err)
	}
}

func halves(t *testing.T, d *Dataset) (base, novel *Dataset) {
	t.Helper()
	base, err := d.Subset(Base)
	if err != nil {
		t.Fatal(err)
	}
	if novel, err = d.Subset(New); err != nil {
		t.Fatal(err)
	}
	return base, novel
}
