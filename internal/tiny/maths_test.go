package tiny

import (
	"math"
	"testing"
)

func TestMathsAgreeWithTheStandardLibrary(t *testing.T) {
	r := newRandom(1)
	for range 20000 {
		turns := r.between(-20, 20)
		if got, want := sine(turns), math.Sin(2*math.Pi*turns); math.Abs(got-want) > 1e-7 {
			t.Fatalf("sine(%v) = %v, want %v", turns, got, want)
		}
		if got, want := cosine(turns), math.Cos(2*math.Pi*turns); math.Abs(got-want) > 1e-7 {
			t.Fatalf("cosine(%v) = %v, want %v", turns, got, want)
		}
		x := r.between(-32, 32)
		if got, want := exponential(x), math.Exp(x); math.Abs(got/want-1) > 1e-9 {
			t.Fatalf("exponential(%v) = %v, want %v", x, got, want)
		}
		x = math.Ldexp(r.between(-1, 1), r.below(80)-60)
		if got, want := cubeRoot(x), math.Cbrt(x); math.Abs(got/want-1) > 1e-9 {
			t.Fatalf("cubeRoot(%v) = %v, want %v", x, got, want)
		}
	}
	if got := cubeRoot(0); got != 0 {
		t.Errorf("cubeRoot(0) = %v", got)
	}
}

func TestRandomNumbersHaveTheirMoments(t *testing.T) {
	r := newRandom(2)
	const n = 200000
	var sum, square, units float64
	var counts [7]int
	for range n {
		x := r.normal()
		sum, square = sum+x, square+x*x
		units += r.unit()
		counts[r.below(len(counts))]++
	}
	if mean, deviation := sum/n, math.Sqrt(square/n); math.Abs(mean) > .01 || math.Abs(deviation-1) > .01 {
		t.Errorf("normal: mean %v, deviation %v", mean, deviation)
	}
	if mean := units / n; math.Abs(mean-.5) > .005 {
		t.Errorf("unit: mean %v", mean)
	}
	for i, c := range counts {
		if share := float64(c) * float64(len(counts)) / n; math.Abs(share-1) > .03 {
			t.Errorf("below: %d comes %.3f times as often as it should", i, share)
		}
	}
}

// The taps of a constant grid give the constant, those of a ramp the ramp.
func TestSmoothInterpolates(t *testing.T) {
	for _, taps := range []*taps{&coarseTaps, &fineTaps} {
		var s smooth
		for i := range taps.cells + 4 {
			for j := range taps.cells + 4 {
				s.grid[i][j] = 3 + .5*float64(j)
			}
		}
		var row [Size]float64
		s.row(taps, 20, &row)
		for x := range row {
			at := (float64(x)+.5)*float64(taps.cells)/Size - .5 + 2
			// Keys' kernel with a = -3/4 bends a ramp by less than a tenth of a cell.
			if want := 3 + .5*at; math.Abs(row[x]-want) > .05 {
				t.Errorf("%d cells, pixel %d: %v, want about %v", taps.cells, x, row[x], want)
			}
		}
	}
}
