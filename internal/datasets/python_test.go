package datasets

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"spotlighter/internal/shared"
)

// python runs a script of testdata with input as JSON and reads its output into
// out. Without Python the test is skipped.
func python(t *testing.T, out, input any, script string, args ...string) {
	t.Helper()
	program, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 to compare with")
	}
	cmd := exec.Command(program, append([]string{filepath.Join("testdata", script)}, args...)...)
	text, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(text), &errs
	printed, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, errs.String())
	}
	if out == nil {
		return
	}
	if err := json.NewDecoder(bytes.NewReader(printed)).Decode(out); err != nil && err != io.EOF {
		t.Fatalf("%s: %v", script, err)
	}
}

// parts are lists of [path, label, class name] or [path, label].
type parts struct{ Train, Val, Test [][]any }

// items are the entries of a list as items.
func items(list [][]any, images string) []Item {
	var out []Item
	for _, e := range list {
		out = append(out, Item{filepath.Join(images, e[0].(string)), int(e[1].(float64))})
	}
	return out
}

// TestEverySplitFile asks Python which images of each split file at hand it picks.
func TestEverySplitFile(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared.Path(t, "data"), "*", "split_zhou_*.json"))
	if err != nil || len(files) < 7 {
		t.Fatalf("%d split files, %v", len(files), err)
	}
	draws := [][2]int{{16, 1}, {16, 2}, {4, 3}, {1, 1}, {64, 1}} // shots, seed
	var all []parts
	python(t, &all, map[string]any{"files": files, "draws": draws}, "sample.py")
	for i, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d, err := parseSplit(content, "")
			if err != nil {
				t.Fatal(err)
			}
			for j, draw := range draws {
				want := all[i*len(draws)+j]
				few, err := d.FewShot(draw[0], draw[1])
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(few.Train, items(want.Train, "")) || !reflect.DeepEqual(few.Val, items(want.Val, "")) {
					t.Errorf("%d shots, seed %d: other images than Python's", draw[0], draw[1])
				}
				checkHalves(t, few, want)
			}
		})
	}
}

// checkHalves compares base and new with those of Python's lists: the classes,
// counted by label, the first ceil(C/2) and the rest.
func checkHalves(t *testing.T, few *Dataset, want parts) {
	t.Helper()
	half := (len(few.Classes) + 1) / 2
	base, novel := halves(t, few)
	if len(base.Classes) != half || len(novel.Classes) != len(few.Classes)-half {
		t.Errorf("%d base and %d new classes of %d", len(base.Classes), len(novel.Classes), len(few.Classes))
	}
	at := map[bool]int{}
	for _, e := range want.Train {
		label := int(e[1].(float64))
		isNew := label >= half
		sub, shift := base, 0
		if isNew {
			sub, shift = novel, half
		}
		i := at[isNew]
		at[isNew]++
		if got := sub.Train[i]; got != (Item{e[0].(string), label - shift}) || sub.Classes[got.Label] != e[2] {
			t.Fatalf("image %d of new %v: got %v of class %q, want %v", i, isNew, got, sub.Classes[got.Label], e)
		}
	}
	if at[false] != len(base.Train) || at[true] != len(novel.Train) {
		t.Errorf("%d base and %d new images, want %v", len(base.Train), len(novel.Train), at)
	}
}

// TestPublishedNames compares the classes of split files with the published lists.
func TestPublishedNames(t *testing.T) {
	for name, file := range map[string]string{
		"caltech101": "caltech-101/split_zhou_Caltech101.json", "dtd": "splits/split_zhou_DescribableTextures.json",
		"eurosat": "splits/split_zhou_EuroSAT.json", "oxford_flowers": "splits/split_zhou_OxfordFlowers.json",
		"oxford_pets": "splits/split_zhou_OxfordPets.json", "stanford_cars": "splits/split_zhou_StanfordCars.json",
		"ucf101": "splits/split_zhou_UCF101.json",
	} {
		content, err := os.ReadFile(shared.Path(t, "data", file))
		if err != nil {
			t.Fatal(err)
		}
		d, err := parseSplit(content, "")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		names, err := os.ReadFile(shared.Path(t, "data/splits/classnames", name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Split(strings.TrimSpace(string(names)), "\n"); !reflect.DeepEqual(d.Classes, want) {
			t.Errorf("%s: classes %q, want %q", name, d.Classes, want)
		}
		if guide, _ := Describe(name); guide.Size != d.Size() {
			t.Errorf("%s: %v, said to be %v", name, d.Size(), guide.Size)
		}
	}
}
