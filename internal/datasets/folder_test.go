package datasets

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"spotlighter/internal/shared"
)

// TestFolderReal splits real class folders as Python does.
func TestFolderReal(t *testing.T) {
	for name, per := range map[string]int{"dtd10": 120, "food10": 200} {
		root := shared.Path(t, "data/class_folders", name)
		d := load(t, "folder", root)
		if want := (Size{10, 5 * per, 2 * per, 3 * per}); d.Size() != want {
			t.Errorf("%s: %v, want %v", name, d.Size(), want)
		}
		names := map[string][]string{}
		folders, err := os.ReadDir(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range folders {
			images, err := os.ReadDir(filepath.Join(root, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range images {
				names[f.Name()] = append(names[f.Name()], i.Name())
			}
		}
		var want parts
		python(t, &want, names, "split.py", "folders", "1")
		same(t, name+" train", d.Train, items(want.Train, root))
		same(t, name+" val", d.Val, items(want.Val, root))
		same(t, name+" test", d.Test, items(want.Test, root))

		sub := load(t, "folder:"+name, filepath.Dir(root))
		same(t, name+" by its own name", sub.Test, d.Test)
		other, err := Open("folder", root, 2)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Equal(other.Test, d.Test) {
			t.Errorf("%s: the same split by seeds 1 and 2", name)
		}
	}
}

func TestFolderParts(t *testing.T) {
	root := t.TempDir()
	put(t, root, map[string]string{
		"train/b/0.JPG": "", "train/a/1.png": "", "train/a/Thumbs.db": "x", "test/a/2.jpg": "", "test/b/3.jpeg": "", "val/b/4.webp": "",
		"README.md": "x", "train/.cache/5.jpg": "",
	})
	d := load(t, "folder", root)
	same(t, "train", rel(t, d, d.Train), []string{"train/a/1.png 0 a", "train/b/0.JPG 1 b"})
	same(t, "val", rel(t, d, d.Val), []string{"val/b/4.webp 1 b"})
	same(t, "test", rel(t, d, d.Test), []string{"test/a/2.jpg 0 a", "test/b/3.jpeg 1 b"})

	os.RemoveAll(filepath.Join(root, "test"))
	put(t, root, map[string]string{"val/a/6.jpg": ""})
	d = load(t, "folder", root)
	same(t, "val for testing", rel(t, d, d.Test), []string{"val/a/6.jpg 0 a", "val/b/4.webp 1 b"})
	if d.Val != nil {
		t.Errorf("val %v", d.Val)
	}
}

// TestFolderErrors wants one line that names the folder and what is wrong in it.
func TestFolderErrors(t *testing.T) {
	for want, files := range map[string]map[string]string{
		"no class folders in it":                    {"1.jpg": ""},
		"/a has 3 images, too few":                  {"a/1.jpg": "", "a/2.jpg": "", "a/3.jpg": "", "b/1.jpg": ""},
		"/b has 0 images, too few":                  {"a/1.jpg": "", "a/2.jpg": "", "a/3.jpg": "", "a/4.jpg": "", "b/1.txt": "x"},
		"neither val nor test":                      {"train/a/1.jpg": ""},
		`train and also "other"`:                    {"train/a/1.jpg": "", "test/a/2.jpg": "", "other/a/1.jpg": ""},
		"class folder b is in only one of train":    {"train/a/1.jpg": "", "train/b/1.jpg": "", "test/a/2.jpg": ""},
		"val: class folder b is not in train":       {"train/a/1.jpg": "", "test/a/2.jpg": "", "val/b/1.jpg": ""},
		"test/a has no image":                       {"train/a/1.jpg": "", "test/a/2.txt": "x"},
		`/a holds a folder, "deeper"`:               {"a/deeper/1.jpg": ""},
		`/a: file name "\xff.jpg" is not UTF-8`:     {"a/\xff.jpg": ""},
		`class folder "\xff" is not UTF-8`:          {"\xff/1.jpg": "", "\xff/2.jpg": "", "\xff/3.jpg": "", "\xff/4.jpg": ""},
		`"caf\u00e9" and "cafe\u0301" are one name`: nfcAndNFD(),
		"too many":                {"a/1.jpg": "", "loop": "-> loop"},
		"a/loop.jpg: too many":    {"a/1.jpg": "", "a/loop.jpg": "-> loop.jpg"},
		`/a holds a folder, "up"`: {"a/1.jpg": "", "a/up": "-> .."},
	} {
		root := t.TempDir()
		put(t, root, files)
		_, err := Open("folder", root, 1)
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), `"cafe\u0301" and "caf\u00e9"`, `"caf\u00e9" and "cafe\u0301"`), want) ||
			!strings.Contains(err.Error(), root) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// nfcAndNFD are two class folders that look alike.
func nfcAndNFD() map[string]string {
	files := map[string]string{}
	pictures(files, 4, "caf\u00e9/")
	pictures(files, 4, "cafe\u0301/")
	return files
}

// TestAccents: a list and the disk write an accent in different ways, and class
// names come composed from decomposed folders.
func TestAccents(t *testing.T) {
	root := t.TempDir()
	put(t, root, map[string]string{
		"caltech-101/split_zhou_Caltech101.json":            "{\"train\": [[\"caf\u00e9/0.jpg\", 0, \"caf\u00e9\"]], \"test\": [[\"caf\u00e9/0.jpg\", 0, \"caf\u00e9\"]]}",
		"caltech-101/101_ObjectCategories/cafe\u0301/0.jpg": "",
	})
	_, err := Open("caltech101", root, 1)
	if err == nil || !strings.Contains(err.Error(), "train[0]: no image") || !strings.Contains(err.Error(), "decomposed (NFD)") {
		t.Errorf("got %v", err)
	}
	put(t, root, map[string]string{"caltech-101/101_ObjectCategories/caf\u00e9/0.jpg": "-> 0.jpg"})
	if _, err = Open("caltech101", root, 1); err == nil || !strings.Contains(err.Error(), "train[0]: stat ") || !strings.Contains(err.Error(), "too many levels of symbolic links") {
		t.Errorf("a loop: %v", err)
	}
	root = t.TempDir()
	files := map[string]string{}
	pictures(files, 4, "cafe\u0301/")
	put(t, root, files)
	same(t, "class", load(t, "folder", root).Classes, []string{"caf\u00e9"})
}

func TestNoPermission(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read every folder")
	}
	root, files := t.TempDir(), map[string]string{}
	pictures(files, 4, "a/")
	put(t, root, files)
	for _, dir := range []string{filepath.Join(root, "a"), root} {
		os.Chmod(dir, 0)
		_, err := Open("folder", root, 1)
		os.Chmod(dir, 0o755)
		if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("got %v", err)
		}
	}
}

// TestCheck finds what is wrong and where.
func TestCheck(t *testing.T) {
	root := t.TempDir()
	put(t, root, map[string]string{
		"train/a/0.jpg": "", "train/a/1.jpg": "", "train/a/empty.jpg": "-> /dev/null", "train/b/page.jpg": "<html>", "train/b/2.jpg": "",
		"test/a/3.jpg": "", "test/b/4.jpg": "",
	})
	os.Remove(filepath.Join(root, "train/a/empty.jpg"))
	for file, content := range map[string][]byte{
		"train/a/empty.jpg": nil, "train/a/cut.jpg": picture(t, 99)[:300], "train/a/again.jpg": picture(t, 77), "test/b/again.jpg": picture(t, 77),
	} {
		if err := os.WriteFile(filepath.Join(root, file), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d := load(t, "folder", root)
	os.Remove(filepath.Join(root, "train/b/2.jpg"))
	for _, workers := range []int{1, 4} {
		last := 0
		r, err := d.Check(t.Context(), workers, func(n int) {
			if workers == 1 {
				last = n
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.Images != 10 || workers == 1 && last != 10 {
			t.Errorf("%d images, told %d, want 10", r.Images, last)
		}
		wants := []string{"train/a/cut.jpg", "train/a/empty.jpg is empty", "no image " + root + "/train/b/2.jpg", "train/b/page.jpg: not an image"}
		if len(r.Bad) != len(wants) {
			t.Fatalf("bad: %v", r.Bad)
		}
		for i, want := range wants {
			if !strings.Contains(r.Bad[i].Error(), want) {
				t.Errorf("bad image %d: %v, want %q", i, r.Bad[i], want)
			}
		}
		same(t, "duplicates", r.Duplicates, []Duplicate{{"train", filepath.Join(root, "train/a/again.jpg"), "test", filepath.Join(root, "test/b/again.jpg")}})
	}
}

// TestIndex lists a tree again only where it changed.
func TestIndex(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	root := hardLinks(t, 20, 600)
	if _, err := listClasses(root); err != nil {
		t.Fatal(err)
	}
	if known := readIndex(root); len(known) != 0 {
		t.Errorf("%d folders that changed just now are kept", len(known))
	}
	settle(t, root)
	first, err := listClasses(root)
	if err != nil {
		t.Fatal(err)
	}
	known := readIndex(root)
	if len(known) != 20 || !slices.Equal(known["n007"].images, first[7].images) || len(first[7].images) != 600 {
		t.Fatalf("%d folders known", len(known))
	}
	// What is known is used: a listing that lies shows.
	text, err := os.ReadFile(indexPath(root))
	if err != nil {
		t.Fatal(err)
	}
	lie := strings.Replace(string(text), "n003_5.JPEG", "n003_X.JPEG", 1)
	if err := os.WriteFile(indexPath(root), []byte(lie), 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := listClasses(root)
	if err != nil || !slices.Contains(again[3].images, "n003_X.JPEG") {
		t.Errorf("the index is not read: %v", err)
	}
	// A change of a folder is seen, and the others stay known.
	if err := os.Remove(filepath.Join(root, "n003/n003_6.JPEG")); err != nil {
		t.Fatal(err)
	}
	again, err = listClasses(root)
	if err != nil || len(again[3].images) != 599 || !slices.Contains(again[3].images, "n003_5.JPEG") {
		t.Errorf("a change is not seen: %d images, %v", len(again[3].images), err)
	}
	if err := os.RemoveAll(filepath.Join(root, "n011")); err != nil {
		t.Fatal(err)
	}
	if again, err = listClasses(root); err != nil || len(again) != 19 || again[11].name != "n012" {
		t.Errorf("a folder that is gone: %d, %v", len(again), err)
	}
	// Damage and another tree's index are nothing.
	for _, damage := range []string{"", "x", string(text)[:len(text)/2], strings.Replace(string(text), "600", "999999999999", 1), strings.Replace(string(text), root, "/elsewhere", 1)} {
		if err := os.WriteFile(indexPath(root), []byte(damage), 0o644); err != nil {
			t.Fatal(err)
		}
		if again, err = listClasses(root); err != nil || len(again) != 19 || len(again[3].images) != 599 {
			t.Errorf("with a damaged index: %d, %v", len(again), err)
		}
		for _, f := range again {
			if slices.Contains(f.images, "") {
				t.Fatalf("with a damaged index an image without a name in %s", f.name)
			}
		}
	}
	if err := os.RemoveAll(filepath.Join(root, fmt.Sprintf("n%03d", 3))); err != nil {
		t.Fatal(err)
	}
}
