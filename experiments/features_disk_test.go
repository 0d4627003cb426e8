package experiments

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/internal/cache"
	"spotlighter/vit/preprocess"
)

// diskCell is a small cell that keeps its features in a folder of its own.
func diskCell(t *testing.T) Config {
	c := tinyCell(t, "coop+spotlighter")
	c.Cache, c.CacheFolder = "disk", t.TempDir()
	return c
}

// A run whose features come from the disk, be they computed by it or by another,
// is the run that keeps them in memory, to the bit.
func TestDiskRun(t *testing.T) {
	c := diskCell(t)
	run := func(c Config) [3][]byte {
		c.Out = t.TempDir()
		l := newLab(t, c)
		_, dir, _, err := l.RunCell(t.Context(), c, quiet)
		if err != nil {
			t.Fatal(err)
		}
		return written(t, dir)
	}
	memory := c
	memory.Cache = "memory"
	if c.Hash() != memory.Hash() {
		t.Error("where features are kept changes the hash")
	}
	want, first := run(memory), run(c)
	before, err := cache.List(c.CacheFolder)
	if err != nil || len(before) != 1 || before[0].Files < 2 {
		t.Fatal(before, err)
	}
	second := run(c)
	after, err := cache.List(c.CacheFolder)
	if err != nil || after[0].Files != before[0].Files || after[0].Bytes != before[0].Bytes {
		t.Errorf("the second run wrote: %+v, then %+v, %v", before, after, err)
	}
	for i := range want {
		if !bytes.Equal(first[i], want[i]) || !bytes.Equal(second[i], want[i]) {
			t.Errorf("file %d: disk differs from memory", i)
		}
	}
}

func writeJPEG(t *testing.T, path string, img image.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// An image whose bytes have changed is encoded anew, the others are not; so is
// all for other settings of the encoder.
func TestDiskChanges(t *testing.T) {
	c := diskCell(t)
	l := newLab(t, c)
	l.use(c)
	folder := t.TempDir()
	var pictures []Picture
	for i := range 3 {
		path := filepath.Join(folder, string(rune('a'+i))+".jpg")
		img := preprocess.NewRGB(64, 64)
		for k := range img.Pix {
			img.Pix[k] = uint8(k * (i + 3))
		}
		writeJPEG(t, path, img)
		pictures = append(pictures, Picture{
			Name: path, ID: func() (string, error) { return hashFile(path) },
			Load: func() (*preprocess.RGB, []float32, error) {
				img, err := preprocess.Decode(path)
				return img, nil, err
			},
		})
	}
	missing := func(c Config) int {
		e, err := l.encoder(t.Context(), c, nil, true)
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.openCache(c, l.featureStore(c, e, nil))
		if err != nil {
			t.Fatal(err)
		}
		whole := func(int) string { return "" }
		ids, err := rowIDs(t.Context(), l.pool, pictures, whole)
		if err != nil {
			t.Fatal(err)
		}
		n := len((&features{ids: ids, disk: s}).missing())
		if _, err := l.newFeatures(t.Context(), c, e, pictures, "test", nil, whole, keeping{disk: s}, func(float64) {}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	wants := func(what string, n int, c Config) {
		t.Helper()
		if got := missing(c); got != n {
			t.Errorf("%s: %d images are encoded, want %d", what, got, n)
		}
	}
	wants("nothing there", 3, c)
	wants("all there", 0, c)
	writeJPEG(t, pictures[1].Name, preprocess.NewRGB(64, 64))
	wants("one image changed", 1, c)
	other := c
	other.Spotlight.Blocks = []int{1}
	wants("other blocks", 3, other)
	wants("and again", 0, other)
	half := c
	half.CacheFP16 = true
	wants("16 bits", 3, half)
	l.model.Hash += "x"
	wants("other weights", 3, c)
}

// A disk is not filled: what would be too much is refused, with the sizes.
func TestDiskLimit(t *testing.T) {
	c := diskCell(t)
	c.CacheLimit = 1e-6
	_, _, _, err := newLab(t, c).RunCell(t.Context(), c, quiet)
	if err == nil || !strings.Contains(err.Error(), "cache_limit: features of ") || !strings.Contains(err.Error(), "of at most 1e-06 GiB") {
		t.Error(err)
	}
}

// A job that is stopped leaves the rows that it had; the next one goes on.
func TestDiskStopped(t *testing.T) {
	c := diskCell(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, _, _, err := newLab(t, c).RunCell(ctx, c, func(Step) { cancel() })
	if err == nil {
		t.Fatal("not stopped")
	}
	all, err := cache.List(c.CacheFolder)
	if err != nil || len(all) != 1 || all[0].Files == 0 {
		t.Fatal(all, err)
	}
	if _, _, _, err := newLab(t, c).RunCell(t.Context(), c, quiet); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(c.CacheFolder); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}
