package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/internal/tiny"
)

// worldImages writes test images of a task as files and returns their class
// names, in the order of the files' names.
func worldImages(t *testing.T, dir string, n int) []string {
	t.Helper()
	task, err := tiny.FindTask("clutter")
	if err != nil {
		t.Fatal(err)
	}
	var classes []string
	for i := range n {
		img := task.Render("test", 0, i%2, i)
		m := image.NewRGBA(image.Rect(0, 0, tiny.Size, tiny.Size))
		for p := range tiny.Size * tiny.Size {
			m.Set(p%tiny.Size, p/tiny.Size, color.RGBA{img.RGB[3*p], img.RGB[3*p+1], img.RGB[3*p+2], 255})
		}
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		put(t, b.Bytes(), dir, fmt.Sprintf("%03d.png", i))
		classes = append(classes, task.ClassNames()[i%2])
	}
	return classes
}

// A user's images are classified by a run, a batch after the other; what cannot
// be read is told and left out.
func TestPredict(t *testing.T) {
	dir := t.TempDir()
	out, images := filepath.Join(dir, "out"), filepath.Join(dir, "images")
	mustRun(t, small(out, "method=coop+spotlighter")...)
	runDir := folder(t, out, "coop+spotlighter")
	classes := worldImages(t, images, 70) // more than two batches

	o := mustRun(t, "predict", "--run", runDir, "--json", "--top", "2", images)
	lines := strings.Split(strings.TrimSpace(o.out), "\n")
	if len(lines) != 70 {
		t.Fatalf("%d lines, want 70", len(lines))
	}
	right := 0
	for i, line := range lines {
		var p prediction
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		if want := filepath.Join(images, fmt.Sprintf("%03d.png", i)); p.Image != want || len(p.Top) != 2 || p.Top[0].Probability < p.Top[1].Probability {
			t.Fatalf("line %d is %+v, want 2 classes of %s", i, p, want)
		}
		if p.Top[0].Class == classes[i] {
			right++
		}
	}
	if right < 45 { // of 4 classes; chance is 17
		t.Errorf("%d of 70 right", right)
	}

	put(t, []byte("blue circle\r\nplain red star\n"), dir, "classes.txt")
	put(t, []byte("no image"), dir, "x.jpg")
	c := start(t, "predict", "--run", runDir, "--classes", filepath.Join(dir, "classes.txt"), "--top", "9",
		filepath.Join(images, "000.png"), filepath.Join(dir, "x.jpg"), filepath.Join(dir, "none.png"))
	got := c.wait()
	if got.code != 1 || !strings.HasSuffix(got.stderr, "spotlighter: 2 of 3 images were left out\n") || strings.Count(got.stderr, "spotlighter: left out: image ") != 2 {
		t.Errorf("bad images: %+v", got)
	}
	if n := strings.Count(got.out, "\n"); n != 1 || !strings.Contains(got.out, "blue circle") || !strings.Contains(got.out, "plain red star") {
		t.Errorf("output %q, want one line with both classes", got.out)
	}

	looks := filepath.Join(dir, "look")
	mustRun(t, "look", "--run", runDir, "--task", "clutter", "--index", "3,100", "--out", looks, filepath.Join(images, "001.png"))
	want := []string{"001-001.png", "002-clutter-test-class-0-image-3.png", "003-clutter-test-class-1-image-40.png", "index.html"}
	if got := names(t, looks); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("look wrote %v, want %v", got, want)
	}
	if page := string(read(t, looks, "index.html")); strings.Count(page, "kept patches lie on the object") != 2 {
		t.Error("the page does not say how many patches lie on the objects")
	}

	for _, x := range []struct {
		args string
		code int
		want string
	}{
		{"predict IMAGES", 2, "--run is needed: the folder of a finished run"},
		{"predict --run RUN", 2, "spotlighter predict: requires at least 1 arg(s), only received 0"},
		{"predict --run RUN --top 0 IMAGES", 2, "--top: found 0, want at least 1"},
		{"predict --run IMAGES IMAGES", 1, "run IMAGES: no config.yaml in it, want the folder of a run"},
		{"predict --run RUN --classes EMPTY IMAGES", 1, "classes EMPTY, line 2: an empty class name"},
		{"predict --run RUN --classes TWICE IMAGES", 1, `classes TWICE, line 3: "red star" is there already, on line 1`},
		{"look --run RUN", 2, "nothing to look at: give images, or --task and --index"},
		{"look --run RUN --index 3", 2, "--task and --index belong together"},
		{"look --run RUN --task clutter --index 1920", 2, "--index: 1920, task clutter has test images 0 to 1919"},
		{"bench prune", 2, "--out is needed"},
		{"bench prune --out IMAGES --shapes ViT-H/14", 2, `--shapes: "ViT-H/14", want ViT-B/32, ViT-B/16 or ViT-L/14`},
		{"bench prune --out IMAGES --blocks 2,7 --shapes=", 1, "--blocks 7: prune.block: 7, the image encoder has 5 blocks and one must follow: want 1 to 4, or 0 (off)"},
		{"bench prune --out IMAGES --blocks 0", 2, "--blocks: found 0, want at least 1"},
		{"bench prune --out IMAGES --rounds 0", 2, "--rounds: found 0, want at least 1"},
	} {
		words := strings.NewReplacer("RUN", runDir, "IMAGES", images,
			"EMPTY", put(t, []byte("red star\n \nblue star\n"), dir, "empty.txt"), "TWICE", put(t, []byte("red star\nblue star\nred star \n"), dir, "twice.txt"))
		o := run(t, strings.Fields(words.Replace(x.args))...)
		if want := (outcome{x.code, "", "spotlighter: " + words.Replace(x.want) + "\n"}); o != want {
			t.Errorf("%s\n got %+v\nwant %+v", x.args, o, want)
		}
	}
	if _, err := os.Stat(filepath.Join(images, "prune.md")); err == nil {
		t.Error("a mistake wrote something")
	}
}

// The bench of pruning runs small, and its files say what it printed.
func TestBenchPrune(t *testing.T) {
	dir := t.TempDir()
	o := mustRun(t, "bench", "prune", "--quiet", "--out", dir, "--blocks", "3", "--keeps", ".5,.25", "--shapes", "", "--rounds", "2",
		"dataset=clutter", "data.classes=4", "data.test_per_class=4", "out="+filepath.Join(dir, "runs"))
	page := string(read(t, dir, "prune.md"))
	if !strings.HasPrefix(o.out, page) || !strings.Contains(page, "\n| 3 | 0.25 | ") || !strings.Contains(page, "CoOp+Spotlighter") {
		t.Errorf("prune.md is\n%s", page)
	}
	if rows := strings.Count(string(read(t, dir, "prune.csv")), "\n"); rows != 1+3+3 {
		t.Errorf("prune.csv has %d rows, want a header, 3 settings and 3 ways to classify", rows)
	}
	if _, err := png.DecodeConfig(bytes.NewReader(read(t, dir, "prune.png"))); err != nil {
		t.Error(err)
	}
}
