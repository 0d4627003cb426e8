package experiments

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/experiments/runfmt"
	"spotlighter/internal/tensorboard"
)

// logLines reads a run's log: each line is JSON.
func logLines(t *testing.T, dir string) (messages []string, lines []map[string]any) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, runfmt.LogFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, s.Text())
		}
		messages, lines = append(messages, line["msg"].(string)), append(lines, line)
	}
	return messages, lines
}

// A run that is stopped and goes on logs both sessions, a line an epoch, and has
// an events file of each.
func TestLogAndEvents(t *testing.T) {
	c := tinyCell(t, "coop+spotlighter")
	lab := newLab(t, c)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	_, _, _, err := lab.RunCell(ctx, c, func(s Step) {
		if s.Epoch == 2 {
			stop()
		}
	})
	if !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
	res, dir, _, err := lab.RunCell(t.Context(), c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	messages, lines := logLines(t, dir)
	if got, want := strings.Join(messages, ", "), "begin, train from, epoch, stopped, begin, train from, epoch, tested, tested, done"; got != want {
		t.Errorf("log: %s\nwant %s", got, want)
	}
	if l := lines[2]; l["epoch"] != 1. || l["loss"] == nil || l["lr"] == nil || !(l["images_per_second"].(float64) > 0) {
		t.Errorf("line of an epoch: %v", l)
	}
	if l := lines[4]; l["state"] != "unfinished" || l["session"] != 2. {
		t.Errorf("second session: %v", l)
	}
	if l := lines[7]; l["set"] != "base" || l["top1"] != res.Base {
		t.Errorf("test: %v, want base %g", l, res.Base)
	}
	if events, _ := filepath.Glob(filepath.Join(dir, tensorboard.Pattern)); len(events) != 2 {
		t.Errorf("events: %v, want a file a session", events)
	}
	var env Env
	if err := json.Unmarshal([]byte(get(t, filepath.Join(dir, runfmt.EnvFile))), &env); err != nil {
		t.Fatal(err)
	}
	if s := env.Sessions[1]; len(env.Data["clutter"]) != 64 || s.GPU != "none" || s.Go == "" || s.Threads != 2 || len(s.Command) == 0 {
		t.Errorf("env %+v", env)
	}
	if s := env.Sessions[0]; s.Revision != "" && (len(s.Revision) != 40 || s.RevisionOf == "") {
		t.Errorf("commit %q of %q", s.Revision, s.RevisionOf)
	}
}

// Force runs a done run anew, to the same numbers, and one whose result is of a
// newer program.
func TestForce(t *testing.T) {
	c := tinyCell(t, "coop")
	lab := newLab(t, c)
	want, dir, _, err := lab.RunCell(t.Context(), c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	whole := written(t, dir)
	lab.Force = true
	for _, damage := range []string{"", `{"schema": 99}`, `{"schema": 1, "met`} {
		if damage != "" {
			put(t, filepath.Join(dir, runfmt.ResultFile), damage)
		}
		got, _, done, err := lab.RunCell(t.Context(), c, quiet)
		if err != nil || done {
			t.Fatalf("forced: %v, done %v", err, done)
		}
		compare(t, got, want)
		for i, text := range written(t, dir) {
			if string(text) != string(whole[i]) {
				t.Errorf("file %d differs", i)
			}
		}
	}
	lab.Force = false
	if _, _, done, err := lab.RunCell(t.Context(), c, quiet); err != nil || !done {
		t.Errorf("not forced: %v, done %v", err, done)
	}
	run, err := OpenRun(c, lab.Model().Hash+"/"+lab.dataHash(c))
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	lab.Force = true
	_, _, _, err = lab.RunCell(t.Context(), c, quiet)
	wantError(t, err, "in use by process")
	if run.State() != Done {
		t.Error("a run that is held was deleted")
	}
}

// A log that cannot be written is an error of the run, in one line.
func TestLogOnFullDiskIsToldAtTheEnd(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full")
	}
	c := tinyCell(t, "clip")
	lab := newLab(t, c)
	dir := filepath.Join(c.Out, RunName(c))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", filepath.Join(dir, runfmt.LogFile)); err != nil {
		t.Fatal(err)
	}
	_, _, _, err := lab.RunCell(t.Context(), c, quiet)
	wantError(t, err, "log: write "+filepath.Join(dir, runfmt.LogFile)+": no space left on device")
	if _, err := runfmt.ReadResult(dir); err != nil {
		t.Errorf("the run itself was well: %v", err)
	}
}
