//go:build unix

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"spotlighter/experiments/runfmt"
	"spotlighter/experiments/sweep"
)

// longSweep has two runs of a second or more each, most of it training.
func longSweep(out string, more ...string) []string {
	return sweepArgs(out, append([]string{"shots=8", "train.epochs=400", "train.lr=.01,.02"}, more...)...)
}

// untouched is what wholeSweep has found.
var untouched map[string]map[string]string

// wholeSweep is the numbers of its runs, by folder, when nothing happens to it.
func wholeSweep(t *testing.T) map[string]map[string]string {
	t.Helper()
	if untouched != nil {
		return untouched
	}
	out := t.TempDir()
	mustRun(t, longSweep(out)...)
	all := map[string]map[string]string{}
	for _, name := range names(t, out) {
		if strings.HasPrefix(name, "coop") {
			all[name] = numbers(t, filepath.Join(out, name))
		}
	}
	if len(all) != 2 {
		t.Fatalf("%d runs in %v", len(all), names(t, out))
	}
	untouched = all
	return all
}

// sameSweep wants each run below out to have the numbers of whole.
func sameSweep(t *testing.T, what, out string, whole map[string]map[string]string) {
	t.Helper()
	for name, want := range whole {
		same(t, what+": "+name, numbers(t, filepath.Join(out, name)), want)
	}
	tidy(t, out)
}

var pidOf = regexp.MustCompile(`^process ([0-9]+) on `)

// worker is the process that works on the run folder, 0 if it did not say yet.
func worker(dir string) int {
	text, _ := os.ReadFile(filepath.Join(dir, runfmt.LockFile)) // it may not be there yet
	m := pidOf.FindSubmatch(text)
	if m == nil {
		return 0
	}
	pid, _ := strconv.Atoi(string(m[1])) // digits
	return pid
}

// epochs is how many the one run below out has trained.
func epochs(out string) int {
	paths, err := filepath.Glob(filepath.Join(out, "coop*", runfmt.MetricsFile))
	if err != nil || len(paths) == 0 {
		return 0
	}
	text, _ := os.ReadFile(paths[0])
	return strings.Count(string(text), "\n")
}

// A worker that is killed is told as broken, with the signal; the other run is
// spared, and the same command goes on to the very same bits.
func TestSweepWorkerKilled(t *testing.T) {
	whole := wholeSweep(t)
	out := t.TempDir()
	c := start(t, longSweep(out)...)
	c.until(t, "training", func() bool { return epochs(out) > 10 })
	dir := folder(t, out, "coop")
	if err := syscall.Kill(worker(dir), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	o := c.wait()
	if o.code != 1 || !strings.Contains(o.stderr, "broken: signal: killed") || strings.Count(o.stderr, "base ") != 1 ||
		!strings.Contains(lastLine(o), "1 of 2 runs are broken, 0 not started") {
		t.Errorf("%+v", o)
	}
	status := mustRun(t, "sweep", "status", folder(t, out, "sweep-"))
	if !strings.Contains(status.out, "2 runs, 1 done, 1 broken") || !strings.Contains(status.out, "signal: killed") {
		t.Errorf("status: %s", status.out)
	}
	if o := mustRun(t, longSweep(out)...); strings.Count(o.stderr, "done before") != 1 {
		t.Errorf("again: %+v", o)
	}
	sameSweep(t, "killed and gone on with", out, whole)
}

// Ctrl-C stops all workers at a checkpoint; the same command goes on to the very
// same bits.
func TestSweepInterrupted(t *testing.T) {
	whole := wholeSweep(t)
	out := t.TempDir()
	c := start(t, longSweep(out, "--workers", "2")...)
	c.until(t, "two checkpoints", func() bool {
		paths, err := filepath.Glob(filepath.Join(out, "coop*", runfmt.CheckpointFile))
		return err == nil && len(paths) == 2
	})
	var pids []int
	for _, name := range names(t, out) {
		if strings.HasPrefix(name, "coop") {
			pids = append(pids, worker(filepath.Join(out, name)))
		}
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	o := c.wait()
	if o.code != 1 || !strings.HasSuffix(lastLine(o), stopped) || strings.Count(o.stderr, "stopped at a checkpoint") != 2 || o.out != "" {
		t.Errorf("%+v", o)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); err == nil {
			t.Errorf("worker %d is still there", pid)
		}
	}
	mustRun(t, longSweep(out)...)
	sameSweep(t, "interrupted and gone on with", out, whole)
}

// Two launchers with one folder share the runs: each is run once.
func TestSweepTwoLaunchers(t *testing.T) {
	whole := wholeSweep(t)
	out := t.TempDir()
	a := start(t, longSweep(out, "--workers", "2")...)
	b := start(t, longSweep(out, "--workers", "2")...)
	oa, ob := a.wait(), b.wait()
	if oa.code != 0 || ob.code != 0 || oa.out != ob.out {
		t.Errorf("%+v\n%+v", oa, ob)
	}
	sameSweep(t, "by two launchers", out, whole)
	for name := range whole {
		if n := strings.Count(string(read(t, out, name, runfmt.EnvFile)), `"started"`); n != 1 {
			t.Errorf("%s was worked on by %d processes, want 1", name, n)
		}
	}
}

// The launcher itself may be killed: its workers end their run, and the next
// launcher waits for them.
func TestSweepLauncherKilled(t *testing.T) {
	whole := wholeSweep(t)
	out := t.TempDir()
	c := start(t, longSweep(out)...)
	c.until(t, "training", func() bool { return epochs(out) > 5 })
	pid := worker(folder(t, out, "coop"))
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-c.ended
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) }) // if the test failed
	status := mustRun(t, "sweep", "status", folder(t, out, "sweep-"))
	if !strings.Contains(status.out, fmt.Sprintf("process %d on", pid)) {
		t.Logf("the worker was quick: %s", status.out)
	}
	mustRun(t, longSweep(out)...)
	sameSweep(t, "without its launcher", out, whole)
}

// A log that cannot be written is one line, and breaks that run alone.
func TestSweepLogCannotBeWritten(t *testing.T) {
	out := t.TempDir()
	args := sweepArgs(out, "train.lr=.01,.02")
	mustRun(t, args...)
	dir := filepath.Join(out, names(t, out)[0]) // a run: the sweep's own folder comes later
	if err := os.Remove(filepath.Join(dir, runfmt.ResultFile)); err != nil {
		t.Fatal(err)
	}
	log := sweep.LogFile(folder(t, out, "sweep-"), filepath.Base(dir))
	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(log, 0o755); err != nil {
		t.Fatal(err)
	}
	o := run(t, args...)
	if o.code != 1 || !strings.Contains(o.stderr, "is a directory") || !strings.Contains(lastLine(o), "1 of 2 runs are broken") {
		t.Errorf("%+v", o)
	}
}
