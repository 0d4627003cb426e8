package datasets

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// hardLinks makes a tree of class folders n000, n001, ... with links to one
// image, and returns its root.
func hardLinks(t *testing.T, classes, images int) string {
	t.Helper()
	root := t.TempDir()
	linkTree(t, root, classes, images)
	return root
}

// linkTree fills root. A file takes some 65,000 links, so each folder has a file
// of its own that the others of the folder link to.
func linkTree(t *testing.T, root string, classes, images int) {
	t.Helper()
	content := picture(t, 1)
	errs := make([]error, classes)
	inParallel(classes, 4, func(i int) {
		dir := filepath.Join(root, fmt.Sprintf("n%03d", i))
		if errs[i] = os.MkdirAll(dir, 0o755); errs[i] != nil {
			return
		}
		one := filepath.Join(dir, fmt.Sprintf("n%03d_0.JPEG", i))
		if errs[i] = os.WriteFile(one, content, 0o644); errs[i] != nil {
			return
		}
		for j := 1; j < images && errs[i] == nil; j++ {
			errs[i] = os.Link(one, filepath.Join(dir, fmt.Sprintf("n%03d_%d.JPEG", i, j)))
		}
	})
	for _, err := range errs {
		if err != nil {
			t.Skipf("no tree of hard links can be made here: %v", err)
		}
	}
}

// settle makes the folders old enough for an index to keep.
func settle(t *testing.T, root string) {
	t.Helper()
	old := time.Now().Add(-time.Hour)
	dirs, err := filepath.Glob(filepath.Join(root, "n*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		if err := os.Chtimes(dir, old, old); err != nil {
			t.Fatal(err)
		}
	}
}

// TestImageNetScale opens a tree as large as ImageNet, from a warm disk, in time
// and memory: 1,281,167 + 50,000 files with SPOTLIGHTER_SCALE=full, else 25,000.
func TestImageNetScale(t *testing.T) {
	classes, images, tests, limit := 100, 245, 5, 4*time.Second
	if os.Getenv("SPOTLIGHTER_SCALE") == "full" {
		classes, images, tests, limit = 1000, 1282, 50, 10*time.Second
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	root := t.TempDir()
	train, val := filepath.Join(root, "imagenet/images/train"), filepath.Join(root, "imagenet/images/val")
	began := time.Now()
	linkTree(t, train, classes, images)
	linkTree(t, val, classes, tests)
	names := ""
	for i := range classes {
		names += fmt.Sprintf("n%03d class %d\n", i, i)
	}
	if err := os.WriteFile(filepath.Join(root, "imagenet/classnames.txt"), []byte(names), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("made in %.1f s", time.Since(began).Seconds())
	settle(t, train)
	settle(t, val)
	for _, index := range []string{"without an index", "with one"} {
		debug.FreeOSMemory()
		var after runtime.MemStats
		began = time.Now()
		d, err := Open("imagenet", root, 1)
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		few, err := d.FewShot(16, 1)
		if err != nil || len(few.Train) != 16*classes {
			t.Fatalf("few-shot: %v", err)
		}
		mib := float64(after.Sys-after.HeapReleased) / (1 << 20) // all that the process holds, garbage included
		t.Logf("%d files %s: %.2f s, %.0f MiB", len(d.Train)+len(d.Test), index, took.Seconds(), mib)
		if len(d.Train) != classes*images || len(d.Test) != classes*tests {
			t.Errorf("%v", d.Size())
		}
		if took > limit || mib > 1024 {
			t.Errorf("%s: %v and %.0f MiB, want under %v and 1024 MiB", index, took, mib, limit)
		}
	}
	if readIndex(train) == nil {
		t.Error("no index was kept")
	}
}
