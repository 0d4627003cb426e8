package experiments

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"spotlighter/experiments/methods"
	"spotlighter/experiments/runfmt"
)

// taught is a cell of seconds that learns from a teacher.
func taught(t *testing.T, method string, overrides ...string) Config {
	t.Helper()
	c, err := LoadEmbedded("debug.yaml", append([]string{"method=" + method, "shots=2", "train.batch=4", "promptkd.shots=2", "promptkd.depth=2"}, overrides...))
	if err != nil {
		t.Fatal(err)
	}
	c.Out, c.Threads = t.TempDir(), 2
	return c
}

// A teacher is trained where it is not, and once; its student is stopped anywhere,
// run by other threads, with the teacher's logits on the disk or asked anew, to the
// same bits; and its run can be put to work without the teacher.
func TestTaught(t *testing.T) {
	for _, method := range []string{"promptkd", "promptkd+textrefiner", "promptkd+spotlighter"} {
		c := taught(t, method)
		var moments []string
		want, dir, _, err := newLab(t, c).RunCell(t.Context(), c, func(s Step) { moments = append(moments, s.Phase) })
		if err != nil {
			t.Fatal(err)
		}
		teachers, err := filepath.Glob(filepath.Join(c.Out, "coop-*", runfmt.ResultFile))
		if err != nil || len(teachers) != 1 {
			t.Fatalf("%s: teachers %v, %v", method, teachers, err)
		}
		before, err := os.Stat(teachers[0])
		if err != nil {
			t.Fatal(err)
		}
		whole := written(t, dir)
		if trained, err := OpenTrained(t.Context(), dir, Use{Batch: 1}); err != nil || len(trained.Classes) != 4 {
			t.Errorf("%s: %v", method, err)
		}

		again := func(c Config, what string) {
			t.Helper()
			got, dir, _, err := newLab(t, c).RunCell(t.Context(), c, func(Step) {})
			if err != nil {
				t.Fatalf("%s, %s: %v", method, what, err)
			}
			if got := written(t, dir); !slices.EqualFunc(got[:], whole[:], bytes.Equal) {
				t.Errorf("%s, %s: other bits", method, what)
			}
			compare(t, got, want)
		}
		for _, at := range []int{slices.Index(moments, "ask the teacher"), slices.Index(moments, ""), len(moments) - slices.Index(reversed(moments), "") - 1} {
			if at < 0 {
				t.Fatalf("%s: phases %v", method, moments)
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			n, skip := 0, slices.IndexFunc(moments, func(p string) bool { return !strings.HasPrefix(p, "train teacher") })
			_, _, _, err := newLab(t, c).RunCell(ctx, c, func(s Step) {
				if n++; n == at-skip+1 {
					stop()
				}
			})
			stop()
			if err != nil && !errors.Is(err, ErrStopped) {
				t.Fatalf("%s: %v", method, err)
			}
			again(c, "stopped at "+moments[at])
		}
		if after, err := os.Stat(teachers[0]); err != nil || !after.ModTime().Equal(before.ModTime()) {
			t.Errorf("%s: the teacher was trained again: %v", method, err)
		}
		if method != "promptkd" {
			continue
		}
		threads := c
		threads.Out, threads.Threads = t.TempDir(), 1
		again(threads, "one thread")
		for _, keep := range []string{"off", "disk"} {
			kept := c
			kept.Out, kept.Cache, kept.CacheFolder = t.TempDir(), keep, t.TempDir()
			again(kept, "cache "+keep)
		}
	}
}

func reversed(s []string) []string {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}

// What of the novel classes is seen in training is as the configuration says.
func TestLeak(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	for leak, want := range map[string]int{methods.LeakPublished: 4, methods.LeakNone: 2} {
		if got := taught(t, "promptkd", "promptkd.leak="+leak).learned(names, 2); len(got) != want {
			t.Errorf("leak %s: learns of %v, want %d", leak, got, want)
		}
	}
	if got := taught(t, "coop").learned(names, 2); len(got) != 2 {
		t.Errorf("coop learns of %v", got)
	}
	c := taught(t, "promptkd", "promptkd.leak=none")
	if _, _, _, err := newLab(t, c).RunCell(t.Context(), c, func(Step) {}); err != nil {
		t.Error(err)
	}
}

// A teacher may be a run, an experiment's file, or a CLIP as it is.
func TestTeachers(t *testing.T) {
	c := taught(t, "promptkd")
	run := func(teacher string) runfmt.Result {
		t.Helper()
		cell := taught(t, "promptkd", "promptkd.teacher="+teacher)
		lab := newLab(t, cell)
		if err := lab.Check(t.Context(), cell); err != nil {
			t.Fatalf("%s: %v", teacher, err)
		}
		res, _, _, err := lab.RunCell(t.Context(), cell, func(Step) {})
		if err != nil {
			t.Fatalf("%s: %v", teacher, err)
		}
		res.Config = "" // names the teacher
		return res
	}
	_, _, _, err := newLab(t, c).RunCell(t.Context(), c, func(Step) {})
	if err != nil {
		t.Fatal(err)
	}
	teachers, err := filepath.Glob(filepath.Join(c.Out, "coop-*"))
	if err != nil || len(teachers) != 1 {
		t.Fatalf("%v %v", teachers, err)
	}
	want := run("coop")
	compare(t, run(teachers[0]), want)
	file := filepath.Join(t.TempDir(), "teacher.yaml")
	put(t, file, "method: coop\nshots: 2\ntrain: {epochs: 2, batch: 4, views: 1}\n")
	compare(t, run(file), want)
	if got := run(filepath.Join("..", "internal", "tiny", "clip.safetensors")); got.FinalLoss == want.FinalLoss {
		t.Error("a CLIP as it is teaches what a tuned one teaches")
	}
}

// A teacher that is not there, is no teacher, or does not fit is refused in a line.
func TestTeacherRefused(t *testing.T) {
	dir := t.TempDir()
	two := filepath.Join(dir, "two.yaml")
	put(t, two, "method: [coop, clip]\n")
	unfinished := filepath.Join(dir, "unfinished")
	if err := os.Mkdir(unfinished, 0o755); err != nil {
		t.Fatal(err)
	}
	for want, overrides := range map[string][]string{
		`"copo" is no method, and there is no such file or folder, did you mean coop?`:               {"promptkd.teacher=copo"},
		"promptkd needs a teacher of its own":                                                        {"promptkd.teacher=promptkd"},
		"two.yaml: method: found coop, clip, want one method, that needs no teacher":                 {"promptkd.teacher=" + two},
		"unfinished: no checkpoint.safetensors in it, want the folder of a finished run of a method": {"promptkd.teacher=" + unfinished},
		"is there already, promptkd.clip is of one that is trained here":                             {"promptkd.teacher=" + unfinished, "promptkd.clip=tiny"},
		"no such file": {"promptkd.clip=" + filepath.Join(dir, "none.pt")},
	} {
		c := taught(t, "promptkd", overrides...)
		_, _, _, err := newLab(t, c).RunCell(t.Context(), c, func(Step) {})
		if err == nil || !strings.Contains(err.Error(), "promptkd.teacher: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}
