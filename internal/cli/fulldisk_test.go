//go:build linux

package cli

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"spotlighter/experiments/runfmt"
)

// A full disk stops a run with one line and nothing half-written; with room
// again, the same command goes on to the same bits.
func TestFullDisk(t *testing.T) {
	args := []string{"method=coop+spotlighter", "train.epochs=6"}
	whole := t.TempDir()
	mustRun(t, small(whole, args...)...)
	want := numbers(t, folder(t, whole, "coop"))

	disk := t.TempDir()
	resize := func(kib, flags int) error {
		return unix.Mount("tmpfs", disk, "tmpfs", uintptr(flags), fmt.Sprintf("size=%dk", kib))
	}
	if err := resize(4, 0); err != nil {
		t.Skipf("no right to mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	// From no room for the configuration to none for the result.
	failed := 0
	for kib := 4; ; kib += 8 + kib/4 {
		if err := resize(kib, unix.MS_REMOUNT); err != nil {
			t.Fatal(err)
		}
		o := run(t, small(disk, args...)...)
		if o.code == 0 {
			break
		}
		failed++
		if o.code != 1 || o.out != "" || !strings.Contains(lastLine(o), "no space left on device") || strings.Count(o.stderr, "spotlighter:") != 1 {
			t.Errorf("%d KiB: %+v", kib, o)
		}
		if kib > 2000 {
			t.Fatalf("still no room on %d KiB: %+v", kib, o)
		}
		tidy(t, disk)
		if paths, err := filepath.Glob(filepath.Join(disk, "*", runfmt.ResultFile)); err == nil && len(paths) > 0 && !strings.Contains(o.stderr, ".png") {
			t.Errorf("%d KiB: a result after %s", kib, o.stderr)
		}
	}
	if failed < 3 {
		t.Errorf("only %d sizes were too small", failed)
	}
	same(t, fmt.Sprintf("after %d full disks", failed), numbers(t, folder(t, disk, "coop")), want)
}
