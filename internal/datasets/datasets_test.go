package datasets

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"spotlighter/internal/shared"
)

// writeTree makes a Caltech101 folder with the split file's content and images
// a/0.jpg, a/1.jpg, b/0.jpg, b/1.jpg, and returns its root.
func writeTree(t *testing.T, split string) string {
	t.Helper()
	root := t.TempDir()
	folder := filepath.Join(root, "caltech-101")
	for _, class := range []string{"a", "b"} {
		dir := filepath.Join(folder, "101_ObjectCategories", class)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.jpg", i)), []byte("x"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "split_zhou_Caltech101.json"), []byte(split), 0o644); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestOpen(t *testing.T) {
	root := writeTree(t, `{"train": [["b/0.jpg", 1, "b_2"], ["a/0.jpg", 0, "a"]],
		"val": [["a/1.jpg", 0, "a"]], "test": [["a/1.jpg", 0, "a"], ["b/1.jpg", 1, "b_2"]]}`)
	got, err := Open("caltech101", root, 1)
	if err != nil {
		t.Fatal(err)
	}
	at := func(path string, label int) Item {
		return Item{filepath.Join(root, "caltech-101/101_ObjectCategories", path), label}
	}
	want := &Dataset{
		Name: "caltech101", Folder: filepath.Join(root, "caltech-101"),
		Images: filepath.Join(root, "caltech-101/101_ObjectCategories"), Classes: []string{"a", "b_2"},
		Train: []Item{at("b/0.jpg", 1), at("a/0.jpg", 0)},
		Val:   []Item{at("a/1.jpg", 0)},
		Test:  []Item{at("a/1.jpg", 0), at("b/1.jpg", 1)},

		lister: "split file " + filepath.Join(root, "caltech-101/split_zhou_Caltech101.json"),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	base, novel := halves(t, got)
	if !reflect.DeepEqual(base.Classes, []string{"a"}) || !reflect.DeepEqual(base.Train, []Item{at("a/0.jpg", 0)}) {
		t.Errorf("base %v", base)
	}
	if !reflect.DeepEqual(novel.Classes, []string{"b_2"}) || !reflect.DeepEqual(novel.Test, []Item{at("b/1.jpg", 0)}) || novel.Val != nil {
		t.Errorf("novel %v", novel)
	}
}

// TestOpenErrors wants one line that names the split file and the entry.
func TestOpenErrors(t *testing.T) {
	const rest = `], "test": [["a/1.jpg", 0, "a"], ["b/1.jpg", 1, "b"]]}`
	for want, split := range map[string]string{
		"bad JSON":                          `{"train": [`,
		"cannot unmarshal":                  `["train"]`,
		"not UTF-8":                         "{\"train\": [[\"\xff\", 0, \"a\"]]}",
		`wanted lists "train"`:              `{"images": []}`,
		`train[1]: no image`:                `{"train": [["b/0.jpg", 1, "b"], ["a/9.jpg", 0, "a"]` + rest,
		"train[0]: path":                    `{"train": [["../../etc/passwd", 0, "a"]` + rest,
		`train[0]: path "/etc`:              `{"train": [["/etc/passwd", 0, "a"]` + rest,
		`class name], found ["a/0.jpg","0"`: "{\"train\": [[\"a/0.jpg\",\n\"0\", \"a\"]" + rest,
		"found 7":                           `{"train": [7` + rest,
		"label 1 has no image":              `{"train": [["a/0.jpg", 0, "a"]], "test": [["b/0.jpg", 2, "b"]]}`,
		"label -1":                          `{"train": [["a/0.jpg", -1, "a"]` + rest,
		`class 1, "b", has no image in "tr`: `{"train": [["a/0.jpg", 0, "a"]` + rest,
		`class 1, "b", has no image in "te`: `{"train": [["a/0.jpg", 0, "a"], ["b/0.jpg", 1, "b"]], "test": [["a/1.jpg", 0, "a"]]}`,
		`test[1]: label 1 is called "b"`:    `{"train": [["a/0.jpg", 0, "a"], ["b/0.jpg", 1, "c"]` + rest,
		`test[1]: class "b" has label 1`:    `{"train": [["a/0.jpg", 0, "a"], ["b/0.jpg", 2, "b"]` + rest,
		"class name of label 0 is empty":    `{"train": [["a/0.jpg", 0, ""]` + rest,
		"is not a file":                     `{"train": [["a", 0, "a"], ["b/0.jpg", 1, "b"]` + rest,
	} {
		_, err := Open("caltech101", writeTree(t, split), 1)
		if err == nil {
			t.Errorf("%s: opened", want)
			continue
		}
		line := err.Error()
		if !strings.Contains(line, want) || !strings.Contains(line, "split_zhou_Caltech101.json") || strings.Contains(line, "\n") {
			t.Errorf("got %q, want one line with the split file and %q", line, want)
		}
	}

	root := t.TempDir()
	if _, err := Open("caltech101", root, 1); err == nil || !strings.Contains(err.Error(), filepath.Join(root, "caltech-101")) {
		t.Errorf("missing folder: %v", err)
	}
	root = writeTree(t, "{}")
	os.Remove(filepath.Join(root, "caltech-101/split_zhou_Caltech101.json"))
	if _, err := Open("caltech101", root, 1); err == nil || !strings.Contains(err.Error(), "too few to be split") {
		t.Errorf("missing split file: %v", err)
	}
	if _, err := Open("caltech", root, 1); err == nil || !strings.Contains(err.Error(), "caltech101") {
		t.Errorf("unknown name: %v", err)
	}
}

func TestCaltech101(t *testing.T) {
	d, err := Open("caltech101", shared.Path(t, "data"), 1)
	if err != nil {
		t.Fatal(err)
	}
	if c, n := len(d.Classes), [3]int{len(d.Train), len(d.Val), len(d.Test)}; c != 100 || n != [3]int{4128, 1649, 2465} {
		t.Errorf("%d classes, %v images", c, n)
	}
	few, err := d.FewShot(16, 1)
	if err != nil {
		t.Fatal(err)
	}
	base, novel := halves(t, few)
	if n := [4]int{len(few.Train), len(few.Val), len(base.Train), len(novel.Train)}; n != [4]int{1600, 400, 800, 800} {
		t.Errorf("few-shot sizes %v", n)
	}
}
