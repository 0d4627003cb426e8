package experiments

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/experiments/runfmt"
)

// Metrics that are cut in the middle of a line are cut back to whole lines and
// training goes on; where a line is gone that the checkpoint knows of, it starts
// anew and says so. The bits are the same.
func TestMetricsCutInALine(t *testing.T) {
	c := tinyCell(t, "coop+spotlighter")
	c.Train.Epochs = 4
	_, dir, _, err := newLab(t, c).RunCell(t.Context(), c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	whole := written(t, dir)
	lines := bytes.SplitAfter(whole[1], []byte("\n"))
	for _, test := range []struct {
		name, metrics string
		anew          bool
	}{
		{"a line too many, cut", string(bytes.Join(lines[:2], nil)) + string(lines[2][:9]), false},
		{"a line cut", string(lines[0]) + string(lines[1][:9]), true},
		{"a line gone", string(lines[0]), true},
		{"all gone", "", true},
		{"zeros", string(lines[0]) + strings.Repeat("\x00", 40), true},
	} {
		c.Out = t.TempDir()
		lab := newLab(t, c)
		var notes []string
		lab.Note = func(line string) { notes = append(notes, line) }
		ctx, stop := context.WithCancel(t.Context())
		_, dir, _, err := lab.RunCell(ctx, c, func(s Step) {
			if s.Epoch == 3 { // two epochs are over
				stop()
			}
		})
		stop()
		if !errors.Is(err, ErrStopped) {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, runfmt.MetricsFile), test.metrics)
		if _, _, _, err := lab.RunCell(t.Context(), c, quiet); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		for i, text := range written(t, dir) {
			if !bytes.Equal(text, whole[i]) {
				t.Errorf("%s: file %d differs from that of an uninterrupted run", test.name, i)
			}
		}
		if said := strings.Contains(strings.Join(notes, "\n"), "the checkpoint is of epoch 2: training starts anew"); said != test.anew {
			t.Errorf("%s: notes %q", test.name, notes)
		}
	}
}

// In a folder that cannot be written, a done run is read, and any other is
// refused in one line.
func TestReadOnlyFolder(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("to the superuser every folder is writable; the command line's test runs as another user")
	}
	c := testCell(t.TempDir())
	r := open(t, c, "w")
	r.Close()
	lock := func(mode os.FileMode) {
		if err := os.Chmod(r.Dir, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(r.path(runfmt.LockFile), mode&^0o111); err != nil {
			t.Fatal(err)
		}
	}
	lock(0o555)
	_, err := OpenRun(c, "w")
	wantError(t, err, "permission denied")
	lock(0o755)
	r = open(t, c, "w")
	if err := r.Finish(runfmt.Result{Base: 1, Novel: 1, HM: 1}); err != nil {
		t.Fatal(err)
	}
	r.Close()
	lock(0o555)
	defer lock(0o755)
	if r = open(t, c, "w"); r.State() != Done {
		t.Errorf("state %s", r.State())
	}
}
