package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"spotlighter/experiments/runfmt"
)

// The same seed gives the same bits: twice, with one thread and with two, and
// whether features are kept or computed again.
func TestSameBits(t *testing.T) {
	const prefix = "coop+spotlighter-"
	args := []string{"method=coop+spotlighter", "shots=5", "train.views=2", "train.batch=3", "train.epochs=3"}
	want := map[string]string{}
	for _, test := range []struct {
		name string
		args []string
	}{
		{"first", []string{"--threads", "1"}},
		{"again", []string{"--threads", "1"}},
		{"two threads", []string{"--threads", "2"}},
		{"five threads", []string{"--threads", "5"}},
		{"no cache", []string{"--threads", "2", "cache=off"}},
	} {
		out := t.TempDir()
		mustRun(t, append(small(out, args...), test.args...)...)
		got := numbers(t, folder(t, out, prefix))
		if len(want) == 0 {
			want = got
		}
		same(t, test.name, got, want)
	}
	if want[runfmt.CheckpointFile] == "" || want[runfmt.MetricsFile] == "" || want["trainable_scalars"] == "0" {
		t.Errorf("nothing was trained: %v", want)
	}

	out := t.TempDir()
	mustRun(t, small(out, append(args, "seed=2")...)...)
	if other := numbers(t, folder(t, out, prefix)); other[runfmt.CheckpointFile] == want[runfmt.CheckpointFile] {
		t.Error("seed 2 trains what seed 1 trains")
	}
}

// A run that is done is left as it is, to the byte.
func TestDoneIsNotRunAgain(t *testing.T) {
	out := t.TempDir()
	first := mustRun(t, small(out)...)
	before := map[string][]byte{}
	each := func(f func(path string)) {
		paths, err := filepath.Glob(filepath.Join(out, "*", "*"))
		if err != nil || len(paths) < 10 {
			t.Fatalf("%v %v", paths, err)
		}
		for _, p := range paths {
			if filepath.Base(p) != runfmt.LockFile { // says who had it last
				f(p)
			}
		}
	}
	each(func(p string) { before[p] = read(t, p) })
	second := mustRun(t, small(out)...)
	each(func(p string) {
		if !bytes.Equal(read(t, p), before[p]) {
			t.Errorf("%s was changed", p)
		}
	})
	if first.out != second.out {
		t.Errorf("another table:\n%s\n%s", first.out, second.out)
	}
	if want := "[2/2] coop+spotlighter clutter seed 1  "; !bytes.Contains([]byte(second.stderr), []byte(want)) ||
		bytes.Count([]byte(second.stderr), []byte("  done before\n")) != 2 {
		t.Errorf("progress %q, want two runs done before", second.stderr)
	}
	if err := os.Remove(filepath.Join(folder(t, out, "clip-"), runfmt.ResultFile)); err != nil {
		t.Fatal(err)
	}
	if third := mustRun(t, small(out)...); bytes.Count([]byte(third.stderr), []byte("  done before\n")) != 1 {
		t.Errorf("progress %q, want one run done before", third.stderr)
	}
}
