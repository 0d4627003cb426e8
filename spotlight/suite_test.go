package spotlight

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
)

// The ops of the method in the suite of all ops: each type, path and number of
// threads.
func TestOps(t *testing.T) {
	apply := func(op graph.Op) func(*graph.Scope, []*Node) *Node {
		return func(_ *graph.Scope, in []*Node) *Node { return graph.Apply(op, in...) }
	}
	normal, labels := optest.Normal, optest.Ints([]int{2, 0, 2}, 3)
	remain := make([]float64, 3*16)
	for i := range remain {
		if i%7%3 == 0 {
			remain[i] = 1
		}
	}
	for _, c := range []optest.Case{
		{Name: "bank write", Inputs: []optest.Input{normal(4, 3, 5), normal(3, 2, 5), normal(3, 2), labels}, Build: apply(bankWrite{Momentum: .9})},
		{Name: "reading write", Inputs: []optest.Input{normal(4, 5), optest.Floats([]float64{0, 1, 1, 0}, 4), normal(3, 5), labels}, Build: apply(readingWrite{Momentum: .9})},
		{Name: "seen write", Inputs: []optest.Input{optest.Floats([]float64{0, 1, 0, 0}, 4), labels}, Build: apply(seenWrite{}), Want: []float64{1, 1, 1, 0}},
		{Name: "class reading", Inputs: []optest.Input{normal(4, 5), optest.Floats([]float64{1, 0, 1, 1}, 4)}, Build: apply(classReading{})},
		{Name: "candidate of label", Inputs: []optest.Input{optest.Ints([]int{5, 2, 7, 0, 1, 3, 4, 2, 9}, 3, 3), labels}, Build: apply(candidateOf{}), Want: []float64{1, 0, 1}},
		{Name: "scramble", Inputs: []optest.Input{normal(3, 9)}, Build: apply(scramble{})},
		{Name: "keep", Inputs: []optest.Input{normal(5, 25)}, Build: apply(keep{K: 4, Window: 3, Grid: 5})},
		{Name: "class reading of one seen", Inputs: []optest.Input{normal(3, 5), optest.Floats([]float64{0, 1, 0}, 3)}, Build: apply(classReading{})},
		{Name: "keep of all", Inputs: []optest.Input{normal(7, 9)}, Build: apply(keep{K: 9, Grid: 3})},
		{Name: "keep of equals", Inputs: []optest.Input{optest.Floats([]float64{1, 2, 2, 0, 2, 1, 1, 1, 2, 0, 0, 0, 0, 0, 0, 0}, 1, 16)}, Build: apply(keep{K: 4, Window: 3, Grid: 4}), Want: []float64{1, 2, 4, 8}},
		{Name: "keep of what remains near", Inputs: []optest.Input{normal(6, 16), optest.Floats(remain, 3, 16)}, Build: apply(keep{K: 5, Window: 3, Grid: 4})},
		{Name: "keep of what remains", Inputs: []optest.Input{normal(4, 4), optest.Floats([]float64{1, 0, 1, 0, 1, 1, 0, 1}, 2, 4)}, Build: apply(keep{K: 2, Grid: 2})},
	} {
		c.NoGrad = true
		optest.Check(t, c)
	}
	sizes(t, func(images, k, d, classes int, of, marks optest.Input) []optest.Case {
		tiny, equal := make([]float64, images*k*d), make([]float64, classes*3*d)
		for i := range tiny {
			tiny[i] = 1e-11
		}
		far := make([]float64, images*k)
		for i := range far {
			far[i] = 70 * math.Sin(float64(i))
		}
		for i := range equal {
			equal[i] = float64(i % d)
		}
		return []optest.Case{
			{Name: "bank write", Inputs: []optest.Input{normal(classes, 3, d), normal(images, k, d), normal(images, k), of}, Build: apply(bankWrite{Momentum: .9})},
			{Name: "bank write of one prototype", Inputs: []optest.Input{normal(classes, 1, d), normal(images, k, d), normal(images, k), of}, Build: apply(bankWrite{Momentum: .6})},
			{Name: "bank write, all alike", Inputs: []optest.Input{optest.Floats(equal, classes, 3, d), normal(images, k, d), normal(images, k), of}, Build: apply(bankWrite{Momentum: .9})},
			{Name: "bank write, hardly longer than nothing", Inputs: []optest.Input{optest.Floats(make([]float64, len(equal)), classes, 3, d), optest.Floats(tiny, images, k, d), normal(images, k), of}, Build: apply(bankWrite{Momentum: .9})},
			{Name: "bank write, scores far apart", Inputs: []optest.Input{normal(classes, 3, d), normal(images, k, d), optest.Floats(far, images, k), of}, Build: apply(bankWrite{Momentum: .9})},
			{Name: "reading write", Inputs: []optest.Input{normal(classes, d), marks, normal(images, d), of}, Build: apply(readingWrite{Momentum: .9})},
			{Name: "seen write", Inputs: []optest.Input{marks, of}, Build: apply(seenWrite{})},
			{Name: "class reading", Inputs: []optest.Input{normal(classes, d), marks}, Build: apply(classReading{})},
		}
	})
	for _, q := range []int{1, 8, 13, 19, 32} {
		all, labels := permutations(70, q), make([]int, 70)
		for i := range labels {
			labels[i] = (i*5 + i/q) % q
		}
		c := optest.Case{Name: fmt.Sprint("candidate of label, ", q), Inputs: []optest.Input{optest.Ints(all, 70, q), optest.Ints(labels, 70)}, Build: apply(candidateOf{}), NoGrad: true}
		optest.Check(t, c)
		c.Name += ", next to none"
		c.Inputs[1] = optest.Ints(append([]int{0}, make([]int, 69)...), 70)
		optest.Check(t, c)
	}
	// Peaks at edges, ties, windows with fewer tokens than are kept.
	for _, size := range []struct{ rows, grid, window, keep int }{{1, 1, 1, 1}, {9, 2, 1, 1}, {9, 6, 3, 9}, {6, 7, 4, 13}, {6, 13, 5, 25}, {3, 12, 0, 9}} {
		n := size.grid * size.grid
		ties, may := make([]float64, size.rows*n), make([]float64, size.rows*n)
		r := rand.New(rand.NewPCG(3, 4))
		for i := range ties {
			ties[i], may[i] = float64(r.IntN(4)), float64((i+1)%3%2)
		}
		for _, c := range []optest.Case{
			{Name: "keep", Inputs: []optest.Input{normal(size.rows, n)}},
			{Name: "keep, ties", Inputs: []optest.Input{optest.Floats(ties, size.rows, n)}},
			{Name: "keep, ties, some barred", Inputs: []optest.Input{optest.Floats(ties, size.rows, n), optest.Floats(may, size.rows, n)}},
			{Name: "keep, all barred", Inputs: []optest.Input{normal(size.rows, n), optest.Floats(make([]float64, n), 1, n)}, SkipONNX: "no token is left, and what stands for one is open"},
			{Name: "keep, some barred in all rows", Inputs: []optest.Input{normal(size.rows, n), optest.Floats(may[:n], 1, n)}},
		} {
			c.Name += fmt.Sprint(" ", size)
			c.NoGrad, c.Build = true, apply(keep{K: size.keep, Window: size.window, Grid: size.grid})
			optest.Check(t, c)
		}
	}
}

// Scores that are no numbers are errors, and so are labels that are no classes,
// wherever they are.
func TestOpsFail(t *testing.T) {
	for _, at := range []int{0, 5, 40, 70, 100, 140, 170, 200, 255, 256, 299} { // each warp of a block
		scores := make([]float64, 300)
		scores[at], scores[299] = math.NaN(), math.NaN()
		optest.Check(t, optest.Case{
			Name: fmt.Sprint("keep ", at), Inputs: []optest.Input{optest.Floats(scores, 12, 25)}, NoGrad: true,
			Build: func(_ *graph.Scope, in []*Node) *Node { return graph.Apply(keep{K: 4, Window: 3, Grid: 5}, in...) },
			Fails: fmt.Sprintf("score of token %d of image %d is not a number", at%25, at/25),
		})
	}
	for _, label := range []int{-1, 4, 5} {
		for _, at := range []int{0, 2} {
			labels := make([]int, 3)
			labels[at] = label
			of := optest.Ints(labels, 3)
			for name, c := range map[string]optest.Case{
				"bank":    {Inputs: []optest.Input{optest.Normal(4, 3, 5), optest.Normal(3, 2, 5), optest.Normal(3, 2), of}, Build: func(_ *graph.Scope, in []*Node) *Node { return graph.Apply(bankWrite{Momentum: .9}, in...) }},
				"reading": {Inputs: []optest.Input{optest.Normal(4, 5), optest.Normal(4), optest.Normal(3, 5), of}, Build: func(_ *graph.Scope, in []*Node) *Node { return graph.Apply(readingWrite{Momentum: .9}, in...) }},
				"seen":    {Inputs: []optest.Input{optest.Normal(4), of}, Build: func(_ *graph.Scope, in []*Node) *Node { return graph.Apply(seenWrite{}, in...) }},
			} {
				c.Name, c.NoGrad, c.Fails = fmt.Sprint(name, " ", label, at), true, fmt.Sprintf("label %d of image %d, the bank has 4 classes", label, at)
				optest.Check(t, c)
			}
		}
	}
}

// sizes checks the cases for a single image, for rows of just a warp, and for so
// many images, tokens and columns that loops go round in fours and eights, with
// and without a rest.
func sizes(t *testing.T, cases func(images, k, d, classes int, labels, marks optest.Input) []optest.Case) {
	for _, size := range []struct{ images, k, d, classes int }{{1, 1, 1, 1}, {1, 1, 1, 3}, {4, 2, 32, 5}, {8, 1, 64, 300}, {5, 1, 33, 6}, {19, 2, 135, 7}, {16, 1, 297, 3}} {
		labels, seen := make([]int, size.images), make([]float64, size.classes)
		for i := range labels {
			labels[i] = (3*i + i/7) % size.classes
		}
		for i := range seen {
			seen[i] = float64(i % 3 % 2)
		}
		for _, c := range cases(size.images, size.k, size.d, size.classes, optest.Ints(labels, size.images), optest.Floats(seen, size.classes)) {
			c.Name += fmt.Sprint(" ", size)
			c.NoGrad = true
			optest.Check(t, c)
		}
	}
}

// permutations of the numbers below n, one after another, each of its own.
func permutations(count, n int) []int {
	r := rand.New(rand.NewPCG(1, 2))
	var all []int
	for range count {
		all = append(all, r.Perm(n)...)
	}
	return all
}
