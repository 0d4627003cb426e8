package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/experiments/runfmt"
	"spotlighter/experiments/sweep"
)

// sweepArgs is a small sweep into the folder out, of one method.
func sweepArgs(out string, more ...string) []string {
	return append([]string{"sweep", "../../experiments/debug.yaml", "out=" + out, "method=coop+spotlighter"}, more...)
}

// board reads the leaderboard of the one sweep below out.
func board(t *testing.T, out string) sweep.Board {
	t.Helper()
	var b sweep.Board
	if err := json.Unmarshal(read(t, folder(t, out, "sweep-"), sweep.BoardFile), &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// A sweep from the first command to the leaderboard, and the same command again.
func TestSweep(t *testing.T) {
	out := t.TempDir()
	args := sweepArgs(out, "train.lr=.01,0.02,.02", "spotlight.keep=5,9", "--seeds", "1-2", "--workers", "2", "--plots", "png,svg")
	o := mustRun(t, append(args, "--dry-run")...)
	for _, part := range []string{"8 runs of 4 combinations, 8 missing", "2 combinations left out"} {
		if !strings.Contains(o.out, part) {
			t.Errorf("the dry run does not say %q:\n%s", part, o.out)
		}
	}
	if len(names(t, out)) != 0 {
		t.Errorf("the dry run left %v", names(t, out))
	}
	o = mustRun(t, args...)
	if !strings.Contains(o.out, "4 combinations") && !strings.Contains(o.out, "2/2") || strings.Count(o.stderr, "base ") != 8 {
		t.Errorf("%+v", o)
	}
	b := board(t, out)
	if len(b.Rows) != 4 || b.Duplicates != 2 || len(b.Effects) != 2 {
		t.Errorf("leaderboard: %+v", b)
	}
	for _, r := range b.Rows {
		if r.Score.N != 2 || r.Rank == 0 {
			t.Errorf("row %+v", r)
		}
	}
	dir := folder(t, out, "sweep-")
	for _, name := range []string{"effect-train_lr.png", "effect-spotlight_keep.svg", "map-train_lr-spotlight_keep.png", sweep.MarkdownFile} {
		if !exists(dir, name) {
			t.Errorf("no %s in %v", name, names(t, dir))
		}
	}
	again := mustRun(t, args...)
	if again.out != o.out || strings.Count(again.stderr, "done before") != 8 {
		t.Errorf("again: %+v", again)
	}
	// A longer sweep runs only what is new.
	more := mustRun(t, sweepArgs(out, "train.lr=.01,.02", "spotlight.keep=5,7,9", "--seeds", "1-2", "--workers", "2")...)
	if strings.Count(more.stderr, "done before") != 8 || !strings.Contains(more.stderr, "[12/12]") {
		t.Errorf("a longer sweep: %s", more.stderr)
	}
	// A run of the sweep is a run like any other.
	cells := filepath.Join(dir, sweep.CellsFolder)
	if o := mustRun(t, "run", filepath.Join(cells, names(t, cells)[0])); !strings.Contains(o.stderr, "done before") {
		t.Errorf("a cell by hand: %+v", o)
	}
	status := mustRun(t, "sweep", "status", dir)
	if status.out != dir+": 8 runs, 8 done\n" {
		t.Errorf("status: %s", status.out)
	}
	tidy(t, out)
}

func TestSweepMistakes(t *testing.T) {
	out := t.TempDir()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"train.lr=.1,.2", "--zip", "train.lr"}, 2, "--zip train.lr: want at least two keys"},
		{[]string{"train.lr=range(0,1)"}, 1, "train.lr: a grid needs a step"},
		{[]string{"train.lrr=1,2"}, 1, "did you mean train.lr?"},
		{[]string{"train.lr=.1,.2", "--strategy", "tpe", "--budget", "3"}, 1, "no Go library of it is maintained"},
		{[]string{"train.lr=.1,.2", "--metric", "loss"}, 1, `"loss" is none of hm, base, novel`},
		{[]string{"train.lr=.1,.2", "--plots", "gif"}, 2, `"gif" is none of png, svg, pdf`},
		{[]string{"train.lr=.1,.2", "--seeds", "3-1"}, 2, `--seeds: found "3-1"`},
		{[]string{"train.lr=.1,.2", "--launcher", "ssh"}, 2, `"ssh" is none of local, slurm`},
		{[]string{"train.lr=.1,.2", "--time", "1:00"}, 2, "--time: is for --launcher slurm alone"},
		{[]string{"train.lr=.1,.2", "--workers", "-1"}, 2, "--workers: found -1"},
		{[]string{"train.epochs=1,2", "--halving"}, 1, "train.epochs: --halving sets it"},
		{[]string{"train.lr=.1,.2", "--halving", "--eta", "1"}, 2, "--eta: found 1"},
		{[]string{"seed=1,2"}, 2, "use --seeds"},
	} {
		o := run(t, sweepArgs(out, c.args...)...)
		if o.code != c.code || o.out != "" || !strings.Contains(o.stderr, c.want) {
			t.Errorf("%v: %+v, want code %d and %s", c.args, o, c.code, c.want)
		}
	}
	if o := run(t, "sweep", "status", out); o.code != 1 || !strings.Contains(o.stderr, "is no sweep") {
		t.Errorf("%+v", o)
	}
	if len(names(t, out)) != 0 {
		t.Errorf("mistakes left %v", names(t, out))
	}
}

// What cannot run is told at once, all of it, even what only the model can
// refuse; the rest can run without it.
func TestSweepImpossible(t *testing.T) {
	out := t.TempDir()
	args := sweepArgs(out, "spotlight.blocks=[1],[999]", "spotlight.keep=5,0", "--seeds", "1")
	o := run(t, args...)
	if o.code != 1 || !strings.Contains(lastLine(o), "3 of 4 combinations cannot run, so none was started") ||
		strings.Count(o.stderr, "spotlight.keep=0: override spotlight.keep=0") != 2 || strings.Count(o.stderr, "\n") != 4 || len(names(t, out)) != 0 {
		t.Errorf("%+v, and %v", o, names(t, out))
	}
	mustRun(t, append(args, "--skip-impossible")...)
	if b := board(t, out); len(b.Rows) != 1 || len(b.Impossible) != 3 {
		t.Errorf("%+v", b)
	}
}

// A run that breaks spares the others; the same command tries it alone again.
func TestSweepBroken(t *testing.T) {
	out := t.TempDir()
	args := sweepArgs(out, "train.lr=.01,.02,.04")
	mustRun(t, sweepArgs(out, "train.lr=.02")...)
	bad := filepath.Join(folder(t, out, "coop"), runfmt.ResultFile)
	good := read(t, bad)
	if err := os.WriteFile(bad, []byte(`{"schema": 99}`), 0o644); err != nil {
		t.Fatal(err)
	}
	o := run(t, args...)
	if o.code != 1 || !strings.Contains(lastLine(o), "1 of 3 runs are broken, 0 not started; the same command tries them again") ||
		!strings.Contains(o.stderr, "schema 99") || strings.Count(o.stderr, "base ") != 2 {
		t.Errorf("%+v", o)
	}
	dir := filepath.Dir(sweepOf(t, out, 3))
	if o := mustRun(t, "sweep", "status", dir); !strings.Contains(o.out, "3 runs, 2 done, 1 broken") || !strings.Contains(o.out, "newer program") {
		t.Errorf("status: %s", o.out)
	}
	if err := os.WriteFile(bad, good, 0o644); err != nil {
		t.Fatal(err)
	}
	if o := mustRun(t, args...); strings.Count(o.stderr, "done before") != 3 {
		t.Errorf("%+v", o)
	}

	// With --fail-fast the others are not started.
	if err := os.WriteFile(bad, []byte(`{`), 0o644); err != nil {
		t.Fatal(err)
	}
	o = run(t, sweepArgs(out, "train.lr=.02,.05,.06", "--fail-fast")...)
	if o.code != 1 || !strings.Contains(lastLine(o), "1 of 3 runs are broken, 2 not started") {
		t.Errorf("fail-fast: %+v", o)
	}
}

// sweepOf is the plan of the sweep below out that has n trials.
func sweepOf(t *testing.T, out string, n int) string {
	t.Helper()
	dirs, err := sweep.Find(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		p, err := sweep.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Trials) == n {
			return filepath.Join(dir, sweep.PlanFile)
		}
	}
	t.Fatalf("no sweep of %d trials in %v", n, dirs)
	return ""
}

// Successive halving, and zipped keys.
func TestSweepHalving(t *testing.T) {
	out := t.TempDir()
	args := sweepArgs(out, "train.lr=.005,.01,.02,.04", "train.scalar_lr=.1,.2,.3,.4", "--zip", "train.lr,train.scalar_lr",
		"train.epochs=4", "train.warmup_epochs=0", "--halving", "--eta", "2", "--workers", "2")
	o := mustRun(t, args...)
	if strings.Count(o.stderr, "base ") != 7 || !strings.Contains(o.stderr, "2 of 4 go on for 2 epochs") || !strings.Contains(o.stderr, "1 of 4 go on for 4 epochs") {
		t.Errorf("%s", o.stderr)
	}
	b := board(t, out)
	if len(b.Rows) != 4 || b.Rows[0].Epochs != 4 || b.Rows[1].Epochs != 2 || b.Rows[3].Epochs != 1 {
		t.Errorf("%+v", b.Rows)
	}
	if o := mustRun(t, args...); strings.Count(o.stderr, "done before") != 7 {
		t.Errorf("again: %s", o.stderr)
	}
}

// Random points are the same when the command is run again.
func TestSweepRandom(t *testing.T) {
	out := t.TempDir()
	args := sweepArgs(out, "train.lr=log(1e-3,1e-1)", "spotlight.keep=5,9", "--strategy", "random", "--budget", "3", "--workers", "2")
	o := mustRun(t, args...)
	again := mustRun(t, args...)
	if again.out != o.out || strings.Count(again.stderr, "done before") != 3 {
		t.Errorf("again: %+v", again)
	}
}

// A sweep's folder that cannot be written is one line.
func TestSweepReadOnly(t *testing.T) {
	out := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(out, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	o := run(t, sweepArgs(out, "train.lr=.01,.02")...)
	if o.code != 1 || o.out != "" || strings.Count(o.stderr, "\n") != 1 || !strings.Contains(o.stderr, out) {
		t.Errorf("%+v", o)
	}
}

func TestSweepJSON(t *testing.T) {
	out := t.TempDir()
	o := mustRun(t, sweepArgs(out, "train.lr=.01,.02", "--json", "--quiet")...)
	var b sweep.Board
	if err := json.Unmarshal([]byte(o.out), &b); err != nil || len(b.Rows) != 2 || o.stderr != "" {
		t.Errorf("%v: %+v", err, o)
	}
	o = mustRun(t, "sweep", "status", "--json", folder(t, out, "sweep-"))
	var s []sweepStatus
	if err := json.Unmarshal([]byte(o.out), &s); err != nil || len(s) != 1 || fmt.Sprint(s[0].Counts) != "map[done:2]" {
		t.Errorf("%v: %s", err, o.out)
	}
}
