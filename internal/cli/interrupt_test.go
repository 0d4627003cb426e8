//go:build unix

package cli

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"spotlighter/experiments/runfmt"
)

const stopped = "stopped; the same command goes on from here"

// long is a run of a second or more, most of it training.
func long(out string, overrides ...string) []string {
	return small(out, append([]string{"method=coop+spotlighter", "shots=8", "train.epochs=150"}, overrides...)...)
}

// interrupt sends SIGINT and wants the program to stop as a user expects.
func interrupt(t *testing.T, c *call) outcome {
	t.Helper()
	sent := time.Now()
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	o := c.wait()
	if took := time.Since(sent); took > time.Second {
		t.Errorf("stopped after %v, want a second at most", took)
	}
	if o.code != 1 || o.out != "" || strings.Count(o.stderr, "spotlighter:") != 1 || !strings.HasSuffix(lastLine(o), stopped) {
		t.Errorf("%+v, want code 1 and one line: %s", o, stopped)
	}
	return o
}

// A run that is interrupted, again and again, ends with the bits of one that is not.
func TestInterruptAndGoOn(t *testing.T) {
	whole := t.TempDir()
	mustRun(t, long(whole)...)
	want := numbers(t, folder(t, whole, "coop"))

	out := t.TempDir()
	stops := 0
	for ; stops < 3; stops++ {
		c := start(t, long(out)...)
		c.writes(t, out, runfmt.CheckpointFile)
		dir := folder(t, out, "coop")
		c.until(t, "training", func() bool {
			text, _ := os.ReadFile(filepath.Join(dir, runfmt.MetricsFile)) // a moment later it is there
			return strings.Count(string(text), "\n") > 40*stops+10
		})
		interrupt(t, c)
		if !exists(dir, runfmt.CheckpointFile) || exists(dir, runfmt.ResultFile) {
			t.Fatalf("stop %d: want a checkpoint and no result in %v", stops, names(t, dir))
		}
		tidy(t, out)
	}
	mustRun(t, long(out)...)
	same(t, fmt.Sprintf("interrupted %d times", stops), numbers(t, folder(t, out, "coop")), want)
	tidy(t, out)
}

// A run that is killed at random moments goes on from what was whole.
func TestKillAndGoOn(t *testing.T) {
	whole := t.TempDir()
	mustRun(t, long(whole)...)
	want := numbers(t, folder(t, whole, "coop"))

	tries := 50
	if testing.Short() {
		tries = 5
	}
	rng := rand.New(rand.NewPCG(7, 8))
	for kills := 0; kills < tries; {
		out := t.TempDir()
		here := 0
		for here < 10 && kills < tries { // then let it end, and begin another
			c := start(t, long(out)...)
			time.Sleep(50*time.Millisecond + time.Duration(rng.IntN(500))*time.Millisecond)
			if !c.alive() {
				break
			}
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			c.wait()
			here, kills = here+1, kills+1
		}
		mustRun(t, long(out)...)
		same(t, fmt.Sprintf("killed %d times", here), numbers(t, folder(t, out, "coop")), want)
		tidy(t, folder(t, out, "coop"))
	}
}

// Nothing is trained yet while images are encoded: nothing is left but the
// folder with its configuration, and the log.
func TestInterruptEncoding(t *testing.T) {
	for _, method := range []string{"clip", "coop+spotlighter"} {
		out := t.TempDir()
		args := small(out, "method="+method, "data.classes=32", "data.test_per_class=400")
		c := start(t, args...)
		c.writes(t, out, runfmt.EnvFile)
		time.Sleep(100 * time.Millisecond)
		interrupt(t, c)
		if got := strings.Join(names(t, folder(t, out, method)), " "); got != "config.yaml env.json lock log.jsonl" {
			t.Errorf("%s: %s are left", method, got)
		}
	}
}

// SIGTERM, which schedulers send, stops as Ctrl-C does.
func TestTerminate(t *testing.T) {
	out := t.TempDir()
	c := start(t, long(out)...)
	c.writes(t, out, runfmt.CheckpointFile)
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if o := c.wait(); o.code != 1 || !strings.HasSuffix(lastLine(o), stopped) {
		t.Errorf("%+v", o)
	}
}

// Two processes do not work on one run, and an unfinished run is not continued
// by another configuration.
func TestUnfinishedRun(t *testing.T) {
	out := t.TempDir()
	c := start(t, long(out)...)
	c.writes(t, out, runfmt.CheckpointFile)
	dir := folder(t, out, "coop")
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	want := outcome{1, "", fmt.Sprintf("spotlighter: open run: %s: in use by process %d on %s\n", dir, c.Process.Pid, host)}
	if o := run(t, long(out)...); o != want {
		t.Errorf("beside a running one: %+v\nwant %+v", o, want)
	}
	interrupt(t, c)

	path := filepath.Join(dir, runfmt.ConfigFile)
	other := strings.Replace(string(read(t, path)), "shots: 8", "shots: 7", 1)
	if err := os.WriteFile(path, []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	if o := run(t, long(out)...); o.code != 1 || o.out != "" || strings.Count(o.stderr, "\n") != 1 ||
		!strings.HasPrefix(o.stderr, "spotlighter: open run: "+dir+": holds another configuration (hash ") {
		t.Errorf("over another configuration: %+v", o)
	}

	if err := os.WriteFile(path, []byte(strings.Replace(other, "shots: 7", "shots: 8", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	checkpoint := filepath.Join(dir, runfmt.CheckpointFile)
	if err := os.Truncate(checkpoint, 1000); err != nil {
		t.Fatal(err)
	}
	if o := run(t, long(out)...); o.code != 1 || o.out != "" || strings.Count(o.stderr, "\n") != 1 ||
		!strings.HasPrefix(o.stderr, "spotlighter: "+dir+": weights "+checkpoint+": truncated: ") {
		t.Errorf("from a cut checkpoint: %+v", o)
	}
}

// writes waits for a file in the one run folder below out.
func (c *call) writes(t *testing.T, out, name string) {
	t.Helper()
	c.until(t, name, func() bool {
		paths, err := filepath.Glob(filepath.Join(out, "*", name))
		return err == nil && len(paths) > 0
	})
}
