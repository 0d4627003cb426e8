package cli

import (
	"encoding/json"
	"maps"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/graph/inspect"
)

// slice is an event of a trace, as its readers know it.
type slice struct {
	Name, Cat, Ph string
	TS, Dur       float64
	PID, TID      int
	Args          map[string]any
}

// readProfile reads a profile's folder: its numbers and its trace.
func readProfile(t *testing.T, dir string) (r inspect.ProfileReport, trace []slice) {
	t.Helper()
	if err := json.Unmarshal(read(t, dir, inspect.ProfileJSON), &r); err != nil {
		t.Fatal(err)
	}
	var file struct{ TraceEvents []slice }
	if err := json.Unmarshal(read(t, dir, inspect.ProfileTrace), &file); err != nil {
		t.Fatal(err)
	}
	return r, file.TraceEvents
}

// checkProfile wants a profile whose parts agree: sums by op, by layer and by phase,
// and a trace whose slices lie in one another and have the ops of whole Runs.
func checkProfile(t *testing.T, dir string) (r inspect.ProfileReport) {
	t.Helper()
	r, trace := readProfile(t, dir)
	for name, groups := range map[string][]inspect.Group{"op": r.ByOp, "layer": r.ByLayer, "phase": r.ByPhase} {
		var c inspect.Cost
		for _, g := range groups {
			c.Add(g.Cost)
		}
		if c.Calls != r.All.Calls || c.Calls == 0 || math.Abs(c.GFLOP-r.All.GFLOP) > 1e-9 || math.Abs(c.Seconds-r.All.Seconds) > 1e-9 {
			t.Errorf("by %s the sum is %+v, all is %+v", name, c, r.All)
		}
	}
	if r.All.Seconds > r.Wall || r.Peak < 1<<20 {
		t.Errorf("%v s of ops in %v s, peak %d", r.All.Seconds, r.Wall, r.Peak)
	}
	ops, seconds := map[string]int{}, 0.
	var open []slice // the slices around the next one
	for _, s := range trace {
		if s.Ph == "M" {
			continue
		}
		if s.Ph != "X" || s.Name == "" || s.TS < 0 || s.Dur < 0 || s.TID < 1 {
			t.Fatalf("%+v", s)
		}
		const rounding = .002
		for len(open) > 0 && (open[len(open)-1].TID != s.TID || open[len(open)-1].TS+open[len(open)-1].Dur+rounding < s.TS+s.Dur) {
			open = open[:len(open)-1]
		}
		if s.Cat == "run" != (len(open) == 0) || len(open) > 0 && open[len(open)-1].TS > s.TS+rounding {
			t.Fatalf("%+v lies in %+v", s, open)
		}
		if s.Cat == "op" {
			ops[r.Programs[s.TID-1].Title]++
			seconds += s.Dur / 1e6
		}
		open = append(open, s)
	}
	for _, p := range r.Programs {
		want := 0
		for _, o := range p.Ops {
			if want += o.Calls; p.Runs <= 3 && o.Calls > p.Runs {
				t.Errorf("%s of %s has %d calls in %d runs", o.Node, p.Title, o.Calls, p.Runs)
			}
		}
		if p.Runs <= 3 && ops[p.Title] != want || ops[p.Title] == 0 {
			t.Errorf("the trace has %d ops of %s, the profile %d", ops[p.Title], p.Title, want)
		}
		if m := p.Memory; m.Live == 0 || m.Live > m.Values || len(m.Held) == 0 || m.Peak == "" {
			t.Errorf("%s: %+v", p.Title, m)
		}
	}
	if seconds == 0 || seconds > r.All.Seconds+1e-6 {
		t.Errorf("the trace's ops take %v s, all take %v s", seconds, r.All.Seconds)
	}
	return r
}

// A profiled run has the numbers of one that is not, and its files say what its
// programs did.
func TestRunProfile(t *testing.T) {
	plain, looked := t.TempDir(), t.TempDir()
	args := []string{"method=coop+spotlighter", "--quiet"}
	mustRun(t, small(plain, args...)...)
	o := mustRun(t, small(looked, append(args, "--profile")...)...)
	dir := folder(t, looked, "coop")
	if a, b := numbers(t, folder(t, plain, "coop")), numbers(t, dir); !maps.Equal(a, b) {
		t.Errorf("a profile changes the run:\n%s\n%s", a, b)
	}
	if exists(folder(t, plain, "coop"), "profile") {
		t.Error("there is a profile that nobody asked for")
	}
	r := checkProfile(t, filepath.Join(dir, "profile"))
	phases := map[string]bool{}
	for _, g := range r.ByPhase {
		phases[g.Name] = true
	}
	titles := map[string]int{}
	for _, p := range r.Programs {
		titles[p.Title] = p.Runs
	}
	if !maps.Equal(phases, map[string]bool{"forward": true, "backward": true, "update": true}) || titles["step"] == 0 || titles["encode"] == 0 || titles["classify"] == 0 {
		t.Errorf("phases %v, runs %v", phases, titles)
	}
	table := string(read(t, dir, "profile/"+inspect.ProfileTable))
	for _, w := range []string{"visual.transformer.resblocks.0.mlp", "spotlight backward", "values are live at", "peak memory of the process"} {
		if !strings.Contains(table, w) {
			t.Errorf("the table has no %q:\n%s", w, table)
		}
	}
	if !strings.Contains(o.stderr, "profile: ") || !strings.Contains(o.stderr, "others") || strings.Contains(o.out, "profile: ") {
		t.Errorf("%+v", o)
	}
	if o = run(t, small(looked, append(args, "--profile")...)...); o.code != 1 || !strings.Contains(lastLine(o), "--force") {
		t.Errorf("a profile of a run that is done: %+v", o)
	}
}

func TestBenchProfile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "profile")
	o := mustRun(t, "bench", "ops", "--begin", "add", "--repeat", "2", "--seconds", "0", "--profile", dir, "--json")
	r := checkProfile(t, dir)
	if len(r.Programs) != 1 || r.Programs[0].Runs < 3 || r.ByOp[0].Name != "add" || !strings.Contains(o.stderr, "add 1576x768") {
		t.Errorf("%+v\n%s", r, o.stderr)
	}
	var numbers []any
	if err := json.Unmarshal([]byte(o.out), &numbers); err != nil {
		t.Errorf("%v: %s", err, o.out)
	}
}
