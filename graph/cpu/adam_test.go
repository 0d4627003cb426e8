package cpu

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestAdamW(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		testAdamW[float32](t, 5e-7)
		testAdamW[float64](t, 1e-15)
	})
}

func testAdamW[T Float](t *testing.T, tolerance float64) {
	r := rand.New(rand.NewPCG(1, 2))
	const keep, rate, inv, eps = .9, .01, 2, 1e-3
	lengths(func(n int) {
		p, m, v, dst := gaussian[T](r, n, 1), gaussian[T](r, n, 1), gaussian[T](r, n, 1), guarded[T](n)
		Mul(v, v, v)
		AdamW(dst, p, m, v, keep, rate, inv, eps)
		checkGuard(t, dst)
		for i := range dst {
			want := float64(T(keep))*float64(p[i]) - float64(T(rate))*float64(m[i])/(math.Sqrt(float64(v[i])*inv)+float64(T(eps)))
			if !near(dst[i], want, tolerance) {
				t.Fatalf("element %d of %d is %g, want %g", i, n, dst[i], want)
			}
		}
	})
}
