package cli

import (
	"bytes"
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/internal/shared"
)

// TestDataReal goes through the data commands on the real Caltech101.
func TestDataReal(t *testing.T) {
	root := shared.Path(t, "data")
	type line struct {
		Name, State               string
		Classes, Train, Val, Test int
	}
	var list []line
	if err := json.Unmarshal([]byte(mustRun(t, "data", "list", "--json", "--root", root).out), &list); err != nil {
		t.Fatal(err)
	}
	found := map[string]line{}
	for _, l := range list {
		found[l.Name] = l
	}
	for _, name := range []string{"imagenet", "caltech101", "oxford_pets", "stanford_cars", "oxford_flowers", "food101", "fgvc_aircraft", "sun397", "dtd", "eurosat", "ucf101", "imagenetv2", "imagenet_sketch", "imagenet_a", "imagenet_r"} {
		if _, ok := found[name]; !ok {
			t.Errorf("no %s in %+v", name, list)
		}
	}
	if len(found) != len(list) || found["caltech101"].State != "here" || found["caltech101"].Test != 2465 || found["dtd"].State != "not here" {
		t.Errorf("list %+v", list)
	}

	var s struct{ Train, Val [][3]any }
	o := mustRun(t, "data", "sample", "caltech101", "--root", root, "--subset", "base", "--seed", "2", "--json")
	if err := json.Unmarshal([]byte(o.out), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Train) != 800 || len(s.Val) != 200 || s.Train[0][2] != "face" || s.Train[799][1] != 49. {
		t.Errorf("%d + %d images, first %v", len(s.Train), len(s.Val), s.Train[0])
	}
	lines := strings.Split(mustRun(t, "data", "sample", "caltech101", "--root", root, "--subset", "base", "--seed", "2").out, "\n")
	if want := "train\t0\tface\t" + s.Train[0][0].(string); len(lines) != 1001 || lines[0] != want {
		t.Errorf("%d lines, the first %q, want %q", len(lines), lines[0], want)
	}

	sheet := filepath.Join(t.TempDir(), "sheet.png")
	mustRun(t, "data", "show", "caltech101", "--root", root, "--out", sheet)
	img, err := png.Decode(bytes.NewReader(read(t, sheet)))
	if err != nil || img.Bounds().Dx() != 856 || img.Bounds().Dy() < 4*192 {
		t.Errorf("sheet: %v, %v", img.Bounds(), err)
	}

	o = mustRun(t, "data", "check", "folder:dtd10", "--root", filepath.Join(root, "class_folders"))
	if o.out != "folder:dtd10: 10 classes, 600 + 240 + 360 images: 0 bad, 0 in two parts\n" {
		t.Errorf("check: %q", o.out)
	}
}

// TestDataFaults has a broken image and one that is in two parts.
func TestDataFaults(t *testing.T) {
	root := fakeCaltech(t, "circle", "star", "heart", "moon")
	images := filepath.Join(root, "caltech-101", "101_ObjectCategories")
	bad := filepath.Join(images, "heart", "image_0008.jpg")
	put(t, []byte("<html>"), bad)
	put(t, read(t, images, "star", "image_0001.jpg"), images, "star", "image_0004.jpg")
	if err := os.Remove(filepath.Join(images, "moon", "image_0003.jpg")); err != nil {
		t.Fatal(err)
	}
	o := run(t, "data", "check", "--root", root, "--quiet")
	if o.code != 1 || o.stderr != "spotlighter: 1 of 1 data sets have faults\n" {
		t.Errorf("%+v", o)
	}
	for _, want := range []string{
		"caltech101: 4 classes, 24 + 12 + 12 images: 2 bad, 1 in two parts\n",
		"  no image " + filepath.Join(images, "moon", "image_0003.jpg"),
		"  image " + bad + ": not an image",
		"  the same image in train and test: " + filepath.Join(images, "star", "image_0001.jpg") + ", " + filepath.Join(images, "star", "image_0004.jpg") + "\n",
	} {
		if !strings.Contains(o.out, want) {
			t.Errorf("%s\nlacks %q", o.out, want)
		}
	}
	if o := mustRun(t, "data", "list", "caltech101", "dtd", "--root", root); !strings.Contains(o.out, "4 classes, 24 + 12 + 12 images; as published: 100 classes") ||
		!strings.Contains(o.out, "dtd, in "+root+":\n  download dtd-r1.0.1.tar.gz") {
		t.Errorf("list\n%s", o.out)
	}
}

// TestSkipBadImages runs without the images that cannot be read, and lists them.
func TestSkipBadImages(t *testing.T) {
	root, out := fakeCaltech(t, "circle", "star", "heart", "moon"), t.TempDir()
	images := filepath.Join(root, "caltech-101", "101_ObjectCategories")
	test, train := filepath.Join(images, "heart", "image_0008.jpg"), filepath.Join(images, "star", "image_0001.jpg")
	put(t, []byte("<html>"), test)
	if err := os.Remove(train); err != nil {
		t.Fatal(err)
	}
	args := small(out, "dataset=caltech101", "data.root="+root, "method=[clip+spotlighter, coop+spotlighter]", "data.on_bad_image=skip", "shots=6")
	o := mustRun(t, args...)
	if !strings.Contains(o.stderr, "1 of 12 images cannot be read and are left out, such as image "+test) {
		t.Errorf("said\n%s", o.stderr)
	}
	for method, want := range map[string][]string{"clip+spotlighter": {test}, "coop+spotlighter": {test, train}} {
		var res struct {
			Base    int `json:"base_images"`
			Novel   int `json:"novel_images"`
			Skipped []string
		}
		if err := json.Unmarshal(read(t, folder(t, out, method), "result.json"), &res); err != nil {
			t.Fatal(err)
		}
		if res.Base != 6 || res.Novel != 5 || len(res.Skipped) != len(want) {
			t.Fatalf("%s: %+v", method, res)
		}
		for i, path := range want {
			if !strings.Contains(res.Skipped[i], path) {
				t.Errorf("%s: skipped %q, want %q", method, res.Skipped[i], path)
			}
		}
	}
}

// TestFewerThanShots says once that classes are taken whole.
func TestFewerThanShots(t *testing.T) {
	root := fakeCaltech(t, "circle", "star", "heart", "moon")
	o := mustRun(t, "data", "sample", "caltech101", "--root", root)
	if want := "caltech101: 4 of 4 classes have fewer than 16 training images and are taken whole, such as \"circle\"\n"; o.stderr != want {
		t.Errorf("said %q, want %q", o.stderr, want)
	}
	if n := strings.Count(o.out, "train\t"); n != 24 {
		t.Errorf("%d training images, want all 24", n)
	}
	o = mustRun(t, small(t.TempDir(), "dataset=caltech101", "data.root="+root, "method=[coop, coop+spotlighter]", "shots=16")...)
	if n := strings.Count(o.stderr, "taken whole"); n != 1 {
		t.Errorf("said %d times:\n%s", n, o.stderr)
	}
}

func TestDataUsage(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"data sample", "spotlighter data sample: accepts 1 arg(s), received 0"},
		{"data samples dtd", `unknown command "data samples"; see spotlighter data --help`},
		{"data check dtds", `data set "dtds" is unknown, wanted one of: imagenet, caltech101,`},
		{"data list --rot x", "unknown flag: --rot"},
	} {
		o := run(t, strings.Fields(c.args)...)
		if o.code != 2 || o.out != "" || !strings.HasPrefix(o.stderr, "spotlighter: "+c.want) {
			t.Errorf("%s: %+v, want %q", c.args, o, c.want)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"data sample dtd --root /nowhere", "data set dtd: no folder /nowhere: file does not exist"},
		{"data check --root /nowhere", "no data set in /nowhere (--root)"},
	} {
		wantLine(t, run(t, strings.Fields(c.args)...), c.want)
	}
}
