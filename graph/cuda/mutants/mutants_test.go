package mutants

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"

	"spotlighter/graph/cuda/interp"
)

// least is the share of the mutants that must be caught.
const least = .95

// TestMutants runs mutants of the kernels on what the tests of the ops compute: one
// is caught by another result, by a fault or because it does not end. The
// environment asks for it: SPOTLIGHTER_MUTANTS is a number of mutants, evenly from
// all kernels, or "all", or a kernel's name. The last two list what survives.
func TestMutants(t *testing.T) {
	ask := os.Getenv("SPOTLIGHTER_MUTANTS")
	if ask == "" {
		t.Skip("takes minutes; SPOTLIGHTER_MUTANTS asks for it")
	}
	kernels := shipped(t)
	var all []Mutant
	for _, name := range slices.Sorted(maps.Keys(kernels)) {
		if ask == name || kernels[ask] == nil {
			all = append(all, Of(kernels[name])...)
		}
	}
	n, err := strconv.Atoi(ask)
	switch {
	case kernels[ask] != nil, ask == "all":
		n = len(all)
	case err != nil || n < 1:
		t.Fatalf("SPOTLIGHTER_MUTANTS is %q, want a number of mutants, all, or a kernel", ask)
	default:
		n = min(n, len(all))
	}
	tried := make([]Mutant, n)
	for i := range tried {
		tried[i] = all[i*len(all)/n]
	}
	jobs := jobsOf(t, kernels)
	alive := make([]bool, n)
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				alive[i] = survives(tried[i], jobs[tried[i].Kernel.Name], kernels)
			}
		})
	}
	for i := range tried {
		next <- i
	}
	close(next)
	wg.Wait()

	var total score
	by := map[string]score{}
	for i, m := range tried {
		if alive[i] && len(tried) == len(all) {
			t.Log("survivor: ", m)
		}
		by[m.Kernel.Name] = by[m.Kernel.Name].plus(alive[i])
		total = total.plus(alive[i])
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		t.Logf("%-26s %v", name, by[name])
	}
	t.Logf("all kernels: %v", total)
	if total.rate() < least {
		t.Errorf("want %.0f%%", 100*least)
	}
}

type score struct{ tried, caught int }

func (s score) plus(alive bool) score {
	s.tried++
	if !alive {
		s.caught++
	}
	return s
}

func (s score) rate() float64 { return float64(s.caught) / float64(s.tried) }

func (s score) String() string {
	return fmt.Sprintf("%5d of %5d mutants caught, %5.1f%%", s.caught, s.tried, 100*s.rate())
}

func shipped(t *testing.T) interp.Kernels {
	t.Helper()
	kernels, err := interp.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	return kernels
}

// Every mutant is one that the interpreter understands, and every rule excludes
// some of them, none of them many.
func TestRules(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles each mutant")
	}
	excluded, all := map[string]int{}, 0
	for _, k := range shipped(t) {
		l := list(k)
		for _, m := range changes(k) {
			all++
			if why := l.equivalent(m); why != "" {
				excluded[why]++
			} else if _, err := k.With(m.Line, m.Text); err != nil {
				t.Errorf("%v: %v", m, err)
			}
		}
	}
	for _, r := range rules {
		n := excluded[r.why]
		t.Logf("%5d of %d: %s", n, all, r.why)
		if n == 0 || n > all/20 {
			t.Errorf("%d of %d changes are none for the reason that %s", n, all, r.why)
		}
	}
}
