package spotlight

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
)

// peaked is a row of zeros over a grid, but for a peak.
func peaked(grid, peak int) graph.Tensor {
	x := graph.NewTensor(graph.Float32, 1, grid*grid)
	x.F32[peak] = 1
	return x
}

// The window is around the peak, and moved inside where it would leave the
// grid; among equals the lower index comes first.
func TestKeepWindow(t *testing.T) {
	//  0  1  2  3  4
	//  5  6  7  8  9
	// 10 11 12 13 14
	// 15 16 17 18 19
	// 20 21 22 23 24
	for _, c := range []struct {
		peak int
		want []int
	}{
		{12, []int{12, 6, 7, 8, 11, 13, 16, 17, 18}},
		{0, []int{0, 1, 2, 5, 6, 7, 10, 11, 12}},
		{4, []int{4, 2, 3, 7, 8, 9, 12, 13, 14}},
		{20, []int{20, 10, 11, 12, 15, 16, 17, 21, 22}},
		{24, []int{24, 12, 13, 14, 17, 18, 19, 22, 23}},
		{2, []int{2, 1, 3, 6, 7, 8, 11, 12, 13}},
		{10, []int{10, 5, 6, 7, 11, 12, 15, 16, 17}},
		{14, []int{14, 7, 8, 9, 12, 13, 17, 18, 19}},
		{22, []int{22, 11, 12, 13, 16, 17, 18, 21, 23}},
	} {
		for k := 1; k <= 9; k += 4 {
			got, err := apply(t, keep{K: k, Window: 3, Grid: 5}, peaked(5, c.peak))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Int, c.want[:k]) {
				t.Errorf("peak %d: kept %v, want %v", c.peak, got.Int, c.want[:k])
			}
		}
	}
	got, err := apply(t, keep{K: 3, Window: 1, Grid: 1}, peaked(1, 0))
	if err == nil {
		t.Errorf("three tokens of one: %v", got.Int)
	}
}

// bruteForce keeps the k best of all tokens in the window, of those inside the
// grid, whose centre is nearest to the first best token.
func bruteForce(score []float64, grid, window, k int) []int {
	peak := slices.Index(score, slices.Max(score))
	if window == 0 {
		window = grid
	}
	nearest := func(at int) (start int) { // of the windows along one axis
		best := math.Inf(1)
		for s := 0; s+window <= grid; s++ {
			if d := math.Abs(float64(s) + float64(window/2) - float64(at)); d < best {
				best, start = d, s
			}
		}
		return start
	}
	r, c := nearest(peak/grid), nearest(peak%grid)
	var in []int
	for i := range score {
		if i/grid >= r && i/grid < r+window && i%grid >= c && i%grid < c+window {
			in = append(in, i)
		}
	}
	slices.SortFunc(in, func(i, j int) int { return cmp.Or(-cmp.Compare(score[i], score[j]), cmp.Compare(i, j)) })
	return in[:k]
}

func TestKeepBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for grid := 1; grid <= 8; grid++ {
		for _, window := range []int{0, 1, 3, 5, 7} {
			side := window
			if window >= grid {
				continue
			}
			if window == 0 {
				side = grid
			}
			const batch = 40
			k := 1 + r.IntN(side*side)
			x := graph.NewTensor(graph.Float64, batch, grid*grid)
			for i := range x.F64 {
				x.F64[i] = r.NormFloat64()
				if i/(grid*grid)%2 == 0 { // many ties
					x.F64[i] = float64(r.IntN(4)) - 2
				}
			}
			for _, scores := range []graph.Tensor{x, x.Convert(graph.Float32)} {
				got, err := apply(t, keep{K: k, Window: window, Grid: grid}, scores)
				if err != nil {
					t.Fatal(err)
				}
				for b := range batch {
					want := bruteForce(x.F64[b*grid*grid:(b+1)*grid*grid], grid, window, k)
					if !slices.Equal(got.Int[b*k:(b+1)*k], want) {
						t.Fatalf("grid %d, window %d: image %d keeps %v, want %v", grid, window, b, got.Int[b*k:(b+1)*k], want)
					}
				}
			}
		}
	}
}

func TestKeepRefuses(t *testing.T) {
	nan := peaked(2, 1)
	nan = graph.Floats(append(nan.F32, 0, 0, float32(math.NaN()), 0), 2, 4)
	for want, c := range map[string]struct {
		op keep
		in graph.Tensor
	}{
		"score of token 2 of image 1 is not a number": {keep{K: 1, Grid: 2}, nan},
		"want scores [B, 9]":                          {keep{K: 1, Grid: 3}, peaked(2, 0)},
		"5 tokens cannot be kept of 4, window 0":      {keep{K: 5, Grid: 2}, peaked(2, 0)},
		"2 tokens cannot be kept of 9, window 1":      {keep{K: 2, Window: 1, Grid: 3}, peaked(3, 0)},
		"keep of [1,9] at spotlight/toy_test.go:":     {keep{K: 10, Window: 5, Grid: 3}, peaked(3, 0)},
	} {
		if _, err := apply(t, c.op, c.in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
	minus := peaked(2, 1)
	minus.F32[0] = float32(math.Inf(-1))
	if got, err := apply(t, keep{K: 4, Grid: 2}, minus); err != nil || !slices.Equal(got.Int, []int{1, 2, 3, 0}) {
		t.Errorf("an infinity: %v, %v", got.Int, err)
	}
}

func TestWindowOfGrid(t *testing.T) {
	for _, c := range []struct{ window, grid, keep, want int }{
		{-1, 8, 5, 3}, {-1, 14, 5, 5}, {-1, 7, 5, 3}, {-1, 4, 5, 3}, {-1, 16, 5, 5}, {-1, 24, 5, 9},
		{-1, 8, 10, 5}, {-1, 3, 5, 0}, {-1, 4, 10, 0}, {-1, 1, 1, 0},
		{0, 8, 5, 0}, {3, 8, 5, 3}, {9, 8, 5, 0}, {7, 8, 5, 7}, {3, 3, 5, 0},
	} {
		if got := (Config{Window: c.window, Keep: c.keep}).window(c.grid); got != c.want {
			t.Errorf("window %d, grid %d, keep %d: %d, want %d", c.window, c.grid, c.keep, got, c.want)
		}
	}
}

// The random choice is of the scores alone: the same in every run and in every
// place of a batch, and even over the tokens.
func TestScramble(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const batch, n = 2000, 16
	x := graph.NewTensor(graph.Float32, batch, n)
	for i := range x.F32 {
		x.F32[i] = float32(r.NormFloat64())
	}
	copy(x.F32[5*n:6*n], x.F32[:n])
	got, err := apply(t, scramble{}, x)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.F32[5*n:6*n], got.F32[:n]) {
		t.Error("the same scores give other noise elsewhere in the batch")
	}
	peaks := make([]int, n)
	agree := 0
	for b := range batch {
		row := got.F32[b*n : (b+1)*n]
		peaks[first(row)]++
		if first(row) == first(x.F32[b*n:(b+1)*n]) {
			agree++
		}
	}
	for i, p := range peaks { // 125 expected, deviation 11
		if p < 75 || p > 175 {
			t.Errorf("token %d is the first of %d of %d images", i, p, batch)
		}
	}
	if agree < 75 || agree > 175 {
		t.Errorf("noise peaks where the score does in %d of %d images", agree, batch)
	}
	ones := graph.NewTensor(graph.Float64, 1, n)
	if got, err = apply(t, scramble{}, ones); err != nil {
		t.Fatal(err)
	}
	if distinct := slices.Compact(slices.Sorted(slices.Values(got.F64))); len(distinct) != n {
		t.Errorf("equal scores give %s", fmt.Sprint(got.F64))
	}
}
