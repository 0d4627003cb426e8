package progress

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// clock is a Reporter on a terminal of the given width, or on none (0), whose
// time the test moves.
func clock(width int, quiet bool, tasks ...Task) (*Reporter, *strings.Builder, func(time.Duration)) {
	var out strings.Builder
	now := time.Unix(0, 0)
	r := &Reporter{out: &out, now: func() time.Time { return now }, quiet: quiet, tasks: tasks, current: -1}
	if width > 0 {
		r.width = func() int { return width }
	}
	return r, &out, func(d time.Duration) { now = now.Add(d) }
}

func twoTasks() []Task {
	return []Task{{Name: "coop clutter seed 1", Work: 10}, {Name: "coop fog seed 1", Work: 30}}
}

func TestTerminalLine(t *testing.T) {
	r, out, pass := clock(100, false, twoTasks()...)
	r.Start(0)
	pass(4 * time.Second)
	r.Step(Step{Epoch: 3, Epochs: 20, Done: .4, Loss: 1.2345, ImagesPerSecond: 812.6})
	// 4 s for 4 of 40 units of work: 36 s are left.
	want := "\r[1/2] coop clutter seed 1\x1b[K" +
		"\r[1/2] coop clutter seed 1  epoch 3/20  loss 1.234  813 images/s  36s left\x1b[K"
	if out.String() != want {
		t.Errorf("\n%q\n%q", out.String(), want)
	}
	out.Reset()
	pass(redraw / 2)
	r.Step(Step{Epoch: 4, Epochs: 20}) // too soon to be drawn
	pass(6*time.Second - redraw/2)
	r.Finish(0, "HM 65.8")
	r.Start(1)
	r.Close()
	want = "\r\x1b[K[1/2] coop clutter seed 1  HM 65.8  10s\n" +
		"\r[2/2] coop fog seed 1  30s left\x1b[K\r\x1b[K"
	if out.String() != want {
		t.Errorf("\n%q\n%q", out.String(), want)
	}
}

func TestPlainLines(t *testing.T) {
	r, out, pass := clock(0, false, twoTasks()...)
	r.Skip(0, "HM 65.8")
	r.Start(1)
	pass(125 * time.Second)
	r.Step(Step{Epoch: 1, Epochs: 2, Loss: 1})
	r.Finish(1, "HM 61.0")
	r.Close()
	want := "[1/2] coop clutter seed 1  HM 65.8  done before\n[2/2] coop fog seed 1  HM 61.0  2m05s\n"
	if out.String() != want {
		t.Errorf("\n%q\n%q", out.String(), want)
	}
}

func TestQuiet(t *testing.T) {
	r, out, pass := clock(80, true, twoTasks()...)
	r.Start(0)
	pass(time.Second)
	r.Step(Step{Epoch: 1, Epochs: 2})
	r.Finish(0, "HM 1")
	r.Note("note")
	r.Close()
	if out.String() != "" {
		t.Errorf("%q, want nothing", out.String())
	}
}

// The line never wraps, also where letters are two columns wide.
func TestNarrowTerminal(t *testing.T) {
	for text, want := range map[string]string{
		"[1/2] coop clutter": "[1/2] coop…",
		"[1/2] a":            "[1/2] a",
		"[1/2] 雾雾雾雾":         "[1/2] 雾雾…",
	} {
		if got := fit(text, 11); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A file is no terminal: lines only.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := New(f, twoTasks(), false)
	r.Start(0)
	r.Step(Step{Epoch: 1, Epochs: 2})
	r.Note("runs/ holds the runs")
	r.Close()
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "runs/ holds the runs\n" {
		t.Errorf("%q %v", text, err)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		8420 * time.Millisecond: "8.4s", 9960 * time.Millisecond: "10s", 59700 * time.Millisecond: "1m00s",
		125 * time.Second: "2m05s", 2*time.Hour + 3*time.Minute: "2h03m",
	} {
		if got := Short(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// Elsewhere than on a terminal an epoch is a line, with all that is known of it.
func TestLineAnEpoch(t *testing.T) {
	var b strings.Builder
	now := time.Unix(1000, 0)
	r := &Reporter{out: &b, now: func() time.Time { return now }, tasks: []Task{{"a", 1}}, current: -1}
	r.Start(0)
	now = now.Add(2 * time.Second)
	r.Step(Step{Epoch: 1, Epochs: 4, Step: 1, Steps: 2, Done: .125, Loss: 1.5, LR: .02, ImagesPerSecond: 80})
	r.Step(Step{Epoch: 1, Epochs: 4, Step: 2, Steps: 2, Done: .25, Loss: 1.25, LR: .02, ImagesPerSecond: 81, EpochOver: true})
	r.Step(Step{Phase: "evaluate", Done: .9})
	if want := "[1/1] a  epoch 1/4  loss 1.250  lr 0.02  81 images/s  6.0s left\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

// A clock that goes backwards neither stops the line nor makes times negative.
func TestClockGoesBackwards(t *testing.T) {
	var b strings.Builder
	now := time.Unix(1000, 0)
	r := &Reporter{out: &b, now: func() time.Time { return now }, width: func() int { return 80 }, tasks: []Task{{"a", 1}}, current: -1}
	r.Start(0)
	now = now.Add(-time.Hour)
	r.Step(Step{Epoch: 1, Epochs: 2, Done: .5, Loss: 1})
	r.Finish(0, "done")
	if got := b.String(); !strings.Contains(got, "epoch 1/2") || strings.Contains(got, "-") || !strings.Contains(got, "done  0.0s\n") {
		t.Errorf("%q", got)
	}
}
