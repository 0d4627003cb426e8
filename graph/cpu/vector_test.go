package cpu

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// lengths cross the vectors of both instruction sets and their unrolled loops.
func lengths(f func(n int)) {
	for n := range 140 {
		f(n)
	}
	for _, n := range []int{191, 192, 255, 256, 257, 768, 3072, 3077} {
		f(n)
	}
}

// near says whether x is want, to a relative (for the small, absolute) error.
func near[T Float](x T, want, tolerance float64) bool {
	if math.IsNaN(want) || math.IsInf(want, 0) {
		return math.IsNaN(float64(x)) == math.IsNaN(want) && (math.IsNaN(want) || float64(x) == want)
	}
	return math.Abs(float64(x)-want) <= tolerance*max(1, math.Abs(want))
}

func gaussian[T Float](r *rand.Rand, n int, scale float64) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(scale * r.NormFloat64())
	}
	return x
}

// guarded is a slice of n with a sentinel after it, which checkGuard looks at.
const sentinel = 12345

func guarded[T Float](n int) []T {
	x := make([]T, n+1)
	x[n] = sentinel
	return x[:n]
}

func checkGuard[T Float](t *testing.T, x []T) {
	t.Helper()
	if x[:len(x)+1][len(x)] != sentinel {
		t.Fatalf("wrote beyond the end of %d elements", len(x))
	}
}

func TestElementwise(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		testElementwise[float32](t, 3e-7)
		testElementwise[float64](t, 1e-15)
	})
}

func testElementwise[T Float](t *testing.T, tolerance float64) {
	quick := func(x float64) float64 { return x / (1 + math.Exp(-1.702*x)) }
	normal := func(x float64) float64 { return .5 * math.Erfc(-x/math.Sqrt2) }
	slope := func(x float64) float64 {
		s := 1 / (1 + math.Exp(-1.702*x))
		return s + 1.702*x*s*(1-s)
	}
	for _, f := range []struct {
		name  string
		run   func(dst, a, b []T)
		want  func(a, b float64) float64
		slack float64
	}{
		{"Add", Add[T], func(a, b float64) float64 { return a + b }, 1},
		{"Sub", Sub[T], func(a, b float64) float64 { return a - b }, 1},
		{"Mul", Mul[T], func(a, b float64) float64 { return a * b }, 1},
		{"Div", Div[T], func(a, b float64) float64 { return a / b }, 1},
		{"Divide", func(dst, a, _ []T) { Divide(dst, 1.25, a) }, func(a, _ float64) float64 { return a / 1.25 }, 1},
		{"Scale", func(dst, a, _ []T) { Scale(dst, 1.25, a) }, func(a, _ float64) float64 { return 1.25 * a }, 1},
		{"Exp", func(dst, a, _ []T) { Exp(dst, a) }, func(a, _ float64) float64 { return math.Exp(a) }, 3},
		{"Affine", func(dst, a, _ []T) { Affine(dst, 1.25, a, -3) }, func(a, _ float64) float64 { return 1.25*a - 3 }, 2},
		{"Sqrt", func(dst, a, _ []T) { Mul(dst, a, a); Sqrt(dst, dst) }, func(a, _ float64) float64 { return math.Abs(a) }, 2},
		{"Sigmoid", func(dst, a, _ []T) { Sigmoid(dst, a) }, func(a, _ float64) float64 { return 1 / (1 + math.Exp(-a)) }, 1},
		{"GELU", func(dst, a, _ []T) { GELU(dst, a) }, func(a, _ float64) float64 { return a * normal(a) }, 2},
		{"GELUGrad", GELUGrad[T], func(a, b float64) float64 { return b * (normal(a) + a*math.Exp(-a*a/2)/math.Sqrt(2*math.Pi)) }, 3},
		{"Moment", func(dst, a, b []T) { Moment(dst, a, b, .9, .1) }, func(a, b float64) float64 { return float64(T(.9))*a + float64(T(.1))*b }, 1},
		{"SquareMoment", func(dst, a, b []T) { SquareMoment(dst, a, b, .9, .1) }, func(a, b float64) float64 { return float64(T(.9))*a + float64(T(.1))*b*b }, 2},
		{"StandardiseRow", func(dst, a, _ []T) { StandardiseRow(dst, a, .5, 2) }, func(a, _ float64) float64 { return (a - .5) * 2 }, 2},
		{"QuickGELU", func(dst, a, _ []T) { QuickGELU(dst, a) }, func(a, _ float64) float64 { return quick(a) }, 3},
		{"QuickGELUGrad", QuickGELUGrad[T], func(a, b float64) float64 { return b * slope(a) }, 10},
	} {
		r := rand.New(rand.NewPCG(1, 2))
		lengths(func(n int) {
			a, b, dst := gaussian[T](r, n, 4), gaussian[T](r, n, 1), guarded[T](n)
			f.run(dst, a, b)
			checkGuard(t, dst)
			for i := range dst {
				if want := f.want(float64(a[i]), float64(b[i])); !near(dst[i], want, f.slack*tolerance) {
					t.Fatalf("%s of %g, %g (%d of %d) is %g, want %g", f.name, a[i], b[i], i, n, dst[i], want)
				}
			}
			for _, alias := range [][]T{a, b} {
				x, y := a, b
				if f.run(alias, x, y); !slices.Equal(alias, dst) {
					t.Fatalf("%s over its own operand differs (n=%d)", f.name, n)
				}
				copy(a, gaussian[T](r, n, 4)) // for the second operand: afresh
				f.run(dst, a, b)
			}
		})
	}
	r := rand.New(rand.NewPCG(3, 4))
	lengths(func(n int) {
		dst, x := guarded[T](n), gaussian[T](r, n, 1)
		was := gaussian[T](r, n, 1)
		copy(dst, was)
		AddScaled(dst, -.75, x)
		checkGuard(t, dst)
		for i := range dst {
			if want := float64(was[i]) - .75*float64(x[i]); !near(dst[i], want, tolerance) {
				t.Fatalf("AddScaled: %g, want %g", dst[i], want)
			}
		}
	})
}

func TestExtremes(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		inf := float32(math.Inf(1))
		nan := float32(math.NaN())
		x := []float32{-inf, -1000, -104.5, -103, -90, -87.4, -87.3, -1e-30, 0, 88.7, 88.8, 1000, inf, nan}
		for pad := range 20 { // the extremes in every lane
			src := append(make([]float32, pad), x...)
			dst := make([]float32, len(src))
			Exp(dst, src)
			for i, v := range src {
				want := float32(math.Exp(float64(v)))
				// A subnormal result has few digits.
				if !near(dst[i], float64(want), 0) && !(math.Abs(float64(dst[i]-want)) <= 4e-7*float64(want)+1.5e-45) {
					t.Fatalf("exp(%g) is %g, want %g", v, dst[i], want)
				}
			}
			QuickGELU(dst[:pad+8], src[:pad+8])
			for i, v := range src[1+pad : pad+8] {
				if got := dst[1+pad+i]; got > 0 || got < -1e-30 {
					t.Fatalf("quickgelu(%g) is %g, want -0", v, got)
				}
			}
			QuickGELU(dst, src)
			if got := dst[pad+11]; got != 1000 {
				t.Fatalf("quickgelu(1000) is %g", got)
			}
			if !math.IsNaN(float64(dst[pad+13])) {
				t.Fatal("quickgelu lost a NaN")
			}
			for i := range dst {
				dst[i] = 1
			}
			QuickGELUGrad(dst, src, slices.Repeat([]float32{1}, len(src)))
			if dst[pad+1] != 0 || dst[pad+11] != 1 {
				t.Fatalf("the slopes of quickgelu at -1000 and 1000 are %g and %g", dst[pad+1], dst[pad+11])
			}
			if !math.IsNaN(float64(Max(src))) {
				t.Fatal("Max lost a NaN")
			}
			if m := Max(src[:len(src)-1]); m != inf {
				t.Fatalf("Max is %g, want +Inf", m)
			}
			if m := Max(slices.Repeat([]float32{-inf}, pad)); m != -inf {
				t.Fatalf("Max is %g, want -Inf", m)
			}
		}
	})
}

func TestReductions(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		testReductions[float32](t, 1e-6)
		testReductions[float64](t, 1e-14)
	})
}

func testReductions[T Float](t *testing.T, tolerance float64) {
	r := rand.New(rand.NewPCG(5, 6))
	lengths(func(n int) {
		a, b := gaussian[T](r, n, 1), gaussian[T](r, n, 1)
		var dot, sum float64
		least := math.Inf(-1)
		for i := range a {
			a[i] -= 3 // the greatest is below 0, as masked lanes are not
			dot += float64(a[i]) * float64(b[i])
			sum += float64(a[i])
			least = max(least, float64(a[i]))
		}
		scale := max(1, math.Sqrt(float64(n))) // sums err with their terms, not with their value
		if got := Dot(a, b); !near(got, dot, 4*tolerance*scale) {
			t.Fatalf("Dot of %d is %g, want %g", n, got, dot)
		}
		if got := Sum(a); !near(got, sum, tolerance*scale) {
			t.Fatalf("Sum of %d is %g, want %g", n, got, sum)
		}
		if got := Max(a); float64(got) != least {
			t.Fatalf("Max of %d is %g, want %g", n, got, least)
		}
	})
}
