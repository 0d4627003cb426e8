package mutants

import (
	"cmp"
	"fmt"
	"maps"
	"math/bits"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"spotlighter/graph/cuda/interp"
)

// Limits of the instructions that are run on one mutant: of all its jobs, and of
// those that are alike, in that they come to the same lines by about as many
// instructions. The first may have more.
const (
	mostSteps = 150_000_000
	mostAlike = 10_000_000
)

// job is one op on operands.
type job struct {
	*interp.Job
	steps   int64             // instructions
	reached map[string][]bool // by kernel: the lines that it comes to
	path    map[string]string // by kernel: the same for jobs that are alike
}

// jobsOf runs the tests of the ops and lists for each kernel the jobs that use it,
// the shortest first.
func jobsOf(t *testing.T, kernels interp.Kernels) map[string][]job {
	t.Helper()
	dir := t.TempDir()
	test := exec.Command("go", "test", "-count=1", "spotlighter/layers", "spotlighter/optim", "spotlighter/spotlight/...", "spotlighter/graph/cuda/interp")
	test.Env = append(os.Environ(), "SPOTLIGHTER_JOBS="+dir)
	if out, err := test.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	by := map[string][]job{}
	for _, file := range files {
		recorded, err := interp.Recorded(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range recorded {
			j, err := trace(r, kernels)
			if err != nil {
				t.Fatal(err)
			}
			for name := range j.reached {
				by[name] = append(by[name], j)
			}
		}
	}
	for name := range kernels {
		if len(by[name]) == 0 {
			t.Errorf("no test of an op runs kernel %s", name)
		}
		slices.SortStableFunc(by[name], func(a, b job) int {
			return cmp.Or(cmp.Compare(a.steps, b.steps), cmp.Compare(a.Name, b.Name))
		})
	}
	return by
}

// trace runs a job.
func trace(r *interp.Job, kernels interp.Kernels) (job, error) {
	j := job{Job: r, reached: map[string][]bool{}, path: map[string]string{}}
	traced := maps.Clone(kernels)
	for _, l := range r.List.Launches {
		if l.Kernel != "" && j.reached[l.Kernel] == nil {
			k := *kernels[l.Kernel]
			k.Reached = make([]bool, len(k.Lines))
			traced[l.Kernel], j.reached[l.Kernel] = &k, k.Reached
		}
	}
	var err error
	j.steps, err = r.Check(traced, 0)
	for name, lines := range j.reached {
		j.path[name] = fmt.Sprint(lines, bits.Len64(uint64(j.steps)))
	}
	return j, err
}

// survives says that no job that comes to the mutant's line notices it.
func survives(m Mutant, jobs []job, kernels interp.Kernels) bool {
	name := m.Kernel.Name
	k, err := m.Kernel.With(m.Line, m.Text)
	if err != nil {
		panic(err) // TestRules makes sure of it
	}
	by := maps.Clone(kernels)
	by[name] = k
	var all int64
	alike := map[string]int64{}
	for _, j := range jobs {
		path := j.path[name]
		if !j.reached[name][m.Line] || alike[path] > mostAlike {
			continue
		}
		alike[path] += j.steps
		if all += j.steps; all > max(j.steps, mostSteps) {
			break
		}
		if _, err := j.Check(by, 4*j.steps+10_000); err != nil {
			return false
		}
	}
	return true
}
