package experiments

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"spotlighter/experiments/runfmt"
)

// The states of a run as somebody else sees them.
func TestLookAt(t *testing.T) {
	c := Default()
	c.Out = t.TempDir()
	look := func(what string, begun bool, state State, held, broken bool) {
		t.Helper()
		l, err := LookAt(filepath.Join(c.Out, RunName(c)))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if l.Begun != begun || l.State != state || (l.Holder != "") != held || l.Broken() != broken {
			t.Errorf("%s: %+v, broken %v", what, l, l.Broken())
		}
	}
	look("nothing", false, New, false, false)
	run, err := OpenRun(c, "w")
	if err != nil {
		t.Fatal(err)
	}
	look("at work", true, New, true, false)
	if err := os.WriteFile(run.Checkpoint(), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	run.Close()
	look("left with a checkpoint", true, Unfinished, false, true)
	if run, err = OpenRun(c, "w"); err != nil {
		t.Fatal(err)
	}
	if err := run.Finish(runfmt.Result{Base: 50, Novel: 50}); err != nil {
		t.Fatal(err)
	}
	run.Close()
	look("done", true, Done, false, false)
	if err := os.WriteFile(filepath.Join(run.Dir, runfmt.ResultFile), []byte(`{"schema": 99}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LookAt(run.Dir); err == nil || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("a newer result: %v", err)
	}
}

// Who looks never keeps a run from being opened.
func TestLookWhileOpening(t *testing.T) {
	c := Default()
	c.Out = t.TempDir()
	dir := filepath.Join(c.Out, RunName(c))
	end := make(chan struct{})
	var lookers sync.WaitGroup
	for range 2 {
		lookers.Go(func() {
			for {
				select {
				case <-end:
					return
				case <-time.After(time.Millisecond):
					if _, err := LookAt(dir); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for range 50 {
		run, err := OpenRun(c, "w")
		if err != nil {
			t.Fatal(err)
		}
		run.Close()
	}
	close(end)
	lookers.Wait()
}
