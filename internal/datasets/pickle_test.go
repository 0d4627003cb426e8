package datasets

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pickled is a file that Python is to write.
type pickled struct {
	File     string         `json:"file"`
	Protocol int            `json:"protocol"`
	Lists    map[string]any `json:"lists"`
}

// fewShotFile is where the published code keeps two images a class for seed 1.
func fewShotFile(t *testing.T, d *Dataset) string {
	t.Helper()
	file := filepath.Join(d.Folder, "split_fewshot/shot_2-seed_1.pkl")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// TestPickles reads what the published code pickles: with every protocol the
// images that it left, wherever its data lay.
func TestPickles(t *testing.T) {
	root, dir := imageNet(t), t.TempDir()
	d := load(t, "imagenet", root)
	var list [][]any
	for _, it := range d.Train {
		r, err := filepath.Rel(d.Folder, it.Path)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, []any{"/home/someone/DATA/imagenet/" + filepath.ToSlash(r), it.Label, d.Classes[it.Label]})
	}
	reversed := slices.Clone(list)
	slices.Reverse(reversed)
	tasks := []pickled{
		{filepath.Join(dir, "all"), 5, map[string]any{"train": reversed, "test": list[:0]}},
		{filepath.Join(dir, "old"), 5, map[string]any{"train": list[1:]}},
	}
	for protocol := 2; protocol <= 5; protocol++ { // those before make objects by a function's call
		tasks = append(tasks, pickled{filepath.Join(dir, fmt.Sprint(protocol)), protocol, map[string]any{"train": [][]any{list[19], list[3], list[7]}}})
	}
	python(t, nil, tasks, "datum.py")
	file := fewShotFile(t, d)
	for protocol := 2; protocol <= 5; protocol++ {
		move(t, filepath.Join(dir, fmt.Sprint(protocol)), file)
		few, err := d.FewShot(2, 1)
		if err != nil {
			t.Errorf("protocol %d: %v", protocol, err)
			continue
		}
		same(t, fmt.Sprint("protocol ", protocol), few.Train, []Item{d.Train[19], d.Train[3], d.Train[7]})
		if n := len(few.Notes); !strings.Contains(few.Notes[n-1], file) {
			t.Errorf("notes %q", few.Notes)
		}
	}

	move(t, filepath.Join(dir, "all"), filepath.Join(d.Folder, "preprocessed.pkl"))
	again := load(t, "imagenet", root)
	slices.Reverse(again.Train)
	same(t, "preprocessed.pkl", again.Train, d.Train)
	move(t, filepath.Join(dir, "old"), filepath.Join(d.Folder, "preprocessed.pkl"))
	if _, err := Open("imagenet", root, 1); err == nil || !strings.Contains(err.Error(), "preprocessed.pkl: 19 training images, on the disk are 20") {
		t.Errorf("an old list: %v", err)
	}
}

func TestPickleErrors(t *testing.T) {
	root, dir := imageNet(t), t.TempDir()
	d := load(t, "imagenet", root)
	const good = "/x/imagenet/images/train/n01/n01_0.jpg"
	mistakes := map[string]any{
		"train[0]: image images/train/n01/gone.jpg is not among": [][]any{{"/x/imagenet/images/train/n01/gone.jpg", 0, "tench"}},
		`image "/x/dtd/a.jpg" is in no folder imagenet`:          [][]any{{"/x/dtd/a.jpg", 0, "tench"}},
		"is not among":                   [][]any{{"/x/imagenet/../../etc/passwd", 0, "tench"}},
		`has label 1, "tench", wanted 0`: [][]any{{good, 1, "tench"}},
		`label 0, "carp", wanted 0`:      [][]any{{good, 0, "carp"}},
		"whose _label is a string":       [][]any{{good, "0", "tench"}},
		"no images in a list":            [][]any{},
	}
	var tasks []pickled
	var wants []string
	for want, list := range mistakes {
		tasks = append(tasks, pickled{filepath.Join(dir, fmt.Sprint(len(tasks))), 4, map[string]any{"train": list}})
		wants = append(wants, want)
	}
	python(t, nil, tasks, "datum.py")
	for want, content := range map[string]string{
		`found a "os.system"`:     "\x80\x02cos\nsystem\n(X\x04\x00\x00\x00truetR.", // code is refused, not run
		`found a "posix.system"`:  "\x80\x04\x8c\x05posix\x8c\x06system\x93.",
		"instruction 0x52":        "\x80\x02)R.", // a call
		"wanted a dict of lists":  "\x80\x04].",
		"found x: int":            "\x80\x04}X\x01\x00\x00\x00xK\x01s.",
		"train[0]: found a int":   "\x80\x04}\x8c\x05train]K\x01as.",
		"byte 2: it ends":         "\x80\x04X\xff\xff\xff\xffx.", // a string longer than the file
		"it ends in the middle":   "\x80\x04}",
		"instruction 0x3c":        "<html>",
		"no mark":                 "\x80\x04]K\x01e.",
		"nothing on the stack":    "\x80\x04.",
		"values of no list":       "\x80\x04K\x01K\x01a.",
		"place 7 of the memo":     "\x80\x04h\x07.",
		"place 9 of the memo":     "\x80\x04]q\x09.",
		"an object of no class":   "\x80\x04])\x81.",
		"attributes of no object": "\x80\x04]}b.",
		"key that has no value":   "\x80\x04}(K\x01u.",
	} {
		file := filepath.Join(dir, fmt.Sprint(len(wants)))
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		wants = append(wants, want)
	}
	file := fewShotFile(t, d)
	for i, want := range wants {
		move(t, filepath.Join(dir, fmt.Sprint(i)), file)
		if _, err := d.FewShot(2, 1); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// FuzzUnpickle wants an answer or an error, whatever a file holds.
func FuzzUnpickle(f *testing.F) {
	for _, text := range []string{
		"\x80\x02}q\x00X\x05\x00\x00\x00trainq\x01]q\x02cd\nDatum\nq\x03)\x81q\x04}q\x05(X\x07\x00\x00\x00_impathX\x01\x00\x00\x00xX\x06\x00\x00\x00_labelK\x01ubas.",
		"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01x]\x94(K\x01M\x01\x01Nh\x00es.",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { _, _ = unpickle(text) })
}
