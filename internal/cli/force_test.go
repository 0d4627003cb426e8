package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/experiments/runfmt"
)

// A sweep with --force runs what is done anew, to the same bits; without, nothing.
func TestSweepForce(t *testing.T) {
	out := t.TempDir()
	args := sweepArgs(out, "train.lr=.01,.02")
	mustRun(t, args...)
	runs, err := filepath.Glob(filepath.Join(out, "coop*"))
	if err != nil || len(runs) != 2 {
		t.Fatalf("%v %v", runs, err)
	}
	before := map[string]map[string]string{}
	for _, dir := range runs {
		before[dir] = numbers(t, dir)
	}
	if o := mustRun(t, append(args, "--force", "--dry-run")...); strings.Count(o.out, "it runs anew") != 2 || !strings.Contains(o.out, "2 missing") {
		t.Errorf("dry run: %s", o.out)
	}
	if o := mustRun(t, args...); strings.Count(o.stderr, "done before") != 2 {
		t.Errorf("without --force: %s", o.stderr)
	}
	if o := mustRun(t, append(args, "--force")...); strings.Contains(o.stderr, "done before") {
		t.Errorf("with --force: %s", o.stderr)
	}
	for dir, want := range before {
		same(t, dir, numbers(t, dir), want)
		if n := strings.Count(string(read(t, dir, runfmt.LogFile)), `"begin"`); n != 2 {
			t.Errorf("%s has begun %d times, want 2", dir, n)
		}
	}
}

// What only the encoder's sizes show is refused before the first cell runs, even
// where an earlier cell of the grid could.
func TestRunChecksFirst(t *testing.T) {
	for setting, want := range map[string]string{
		"spotlight.keep=65":    "coop+spotlighter on clutter: spotlight.keep: 65, the image encoder has 64 patches",
		"spotlight.heads=3":    "coop+spotlighter on clutter: spotlight.heads: 3 do not divide the joint width 128",
		"spotlight.blocks=[9]": "coop+spotlighter on clutter: spotlight.blocks: 9, the image encoder has blocks 1 to 5",
		"train.fixed=x":        `coop+spotlighter on clutter: train.fixed: "x" names none of prompt.context`,
	} {
		out := filepath.Join(t.TempDir(), "runs")
		o := run(t, small(out, "method=[coop+spotlighter, clip]", "spotlight.window=0", setting)...)
		if o.code != 1 || o.out != "" || !strings.HasPrefix(o.stderr, "spotlighter: "+want) || exists(out) {
			t.Errorf("%s: %+v\nwant %s", setting, o, want)
		}
	}
}
