package cpu

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSoftmaxRow(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		testSoftmax[float32](t, 1e-6)
		testSoftmax[float64](t, 1e-14)
	})
}

func testSoftmax[T Float](t *testing.T, tolerance float64) {
	r := rand.New(rand.NewPCG(1, 2))
	lengths(func(n int) {
		x, dst, dy := gaussian[T](r, n, 20), guarded[T](n), gaussian[T](r, n, 1)
		for i := range x {
			if i > 0 && r.IntN(4) == 0 {
				x[i] = T(math.Inf(-1))
			}
		}
		const scale = .125
		most, sum := math.Inf(-1), 0.
		for _, v := range x {
			most = max(most, scale*float64(v))
		}
		for _, v := range x {
			sum += math.Exp(scale*float64(v) - most)
		}
		SoftmaxRow(dst, x, scale)
		checkGuard(t, dst)
		var dot float64
		for i, v := range x {
			want := math.Exp(scale*float64(v)-most) / sum
			if !near(dst[i], want, tolerance) || math.IsInf(float64(v), -1) && dst[i] != 0 {
				t.Fatalf("softmax %d of %d is %g, want %g", i, n, dst[i], want)
			}
			dot += float64(dst[i]) * float64(dy[i])
		}
		SoftmaxRow(x, x, scale)
		if !slices.Equal(x, dst) {
			t.Fatalf("softmax in place differs (n=%d)", n)
		}
		dx := guarded[T](n)
		SoftmaxGradRow(dx, dst, dy)
		checkGuard(t, dx)
		for i := range dx {
			if want := float64(dst[i]) * (float64(dy[i]) - dot); !near(dx[i], want, tolerance) {
				t.Fatalf("softmax gradient %d of %d is %g, want %g", i, n, dx[i], want)
			}
		}
		SoftmaxGradRow(dy, dst, dy)
		if !slices.Equal(dy, dx) {
			t.Fatalf("softmax gradient in place differs (n=%d)", n)
		}
	})
}

func TestSoftmaxOfNothingIsNaN(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		inf := float32(math.Inf(-1))
		for n := 1; n < 70; n++ {
			x := slices.Repeat([]float32{inf}, n)
			SoftmaxRow(x, x, 1)
			y := make([]float32, n)
			y[n/2] = float32(math.NaN())
			SoftmaxRow(y, y, 1)
			for i := range x {
				if x[i] == x[i] || y[i] == y[i] {
					t.Fatalf("n=%d: softmax of -Inf gives %g, of a NaN %g", n, x[i], y[i])
				}
			}
		}
	})
}

func TestLayerNormRow(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		testLayerNorm[float32](t, 4e-6)
		testLayerNorm[float64](t, 1e-12)
	})
}

func testLayerNorm[T Float](t *testing.T, tolerance float64) {
	r := rand.New(rand.NewPCG(3, 4))
	const eps = 1e-5
	lengths(func(n int) {
		if n == 0 {
			LayerNormRow[T](nil, nil, nil, nil, eps)
			LayerNormGradRow[T](nil, nil, nil, nil, 0, 1)
			return
		}
		x, gamma, beta, dy, dst := gaussian[T](r, n, 2), gaussian[T](r, n, 1), gaussian[T](r, n, 1), gaussian[T](r, n, 1), guarded[T](n)
		for i := range x {
			x[i] += 1 // so that lanes beyond the end would show in the variance
		}
		var mean, variance float64
		for _, v := range x {
			mean += float64(v) / float64(n)
		}
		for _, v := range x {
			variance += (float64(v) - mean) * (float64(v) - mean) / float64(n)
		}
		rstd := 1 / math.Sqrt(variance+eps)
		if n == 1 {
			rstd = 1 / math.Sqrt(eps)
		}
		gotMean, gotRstd := LayerNormRow(dst, x, gamma, beta, eps)
		checkGuard(t, dst)
		if !near(gotMean, mean, tolerance) || !near(gotRstd, rstd, tolerance) {
			t.Fatalf("n=%d: mean %g and rstd %g, want %g and %g", n, gotMean, gotRstd, mean, rstd)
		}
		var sg, sgh float64
		for i, v := range x {
			h := (float64(v) - mean) * rstd
			if want := h*float64(gamma[i]) + float64(beta[i]); !near(dst[i], want, tolerance) {
				t.Fatalf("layer norm %d of %d is %g, want %g", i, n, dst[i], want)
			}
			g := float64(gamma[i]) * float64(dy[i])
			sg += g / float64(n)
			sgh += g * h / float64(n)
		}
		dx := guarded[T](n)
		LayerNormGradRow(dx, x, gamma, dy, gotMean, gotRstd)
		checkGuard(t, dx)
		for i, v := range x {
			g, h := float64(gamma[i])*float64(dy[i]), (float64(v)-mean)*rstd
			if want := rstd * (g - sg - h*sgh); !near(dx[i], want, tolerance*max(1, rstd)) {
				t.Fatalf("layer norm gradient %d of %d is %g, want %g", i, n, dx[i], want)
			}
		}
		LayerNormGradRow(dy, x, gamma, dy, gotMean, gotRstd)
		if !slices.Equal(dy, dx) {
			t.Fatalf("layer norm gradient in place differs (n=%d)", n)
		}
		LayerNormRow(x, x, gamma, beta, eps)
		if !slices.Equal(x, dst) {
			t.Fatalf("layer norm in place differs (n=%d)", n)
		}
	})
}

func TestLogSumExp(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		testLogSumExp[float32](t, 5e-7)
		testLogSumExp[float64](t, 1e-14)
		for _, c := range []struct{ x, want float32 }{{float32(math.Inf(-1)), 3}, {float32(math.NaN()), float32(math.NaN())}} {
			if got := LogSumExp([]float32{c.x, 3, c.x}); !near(got, float64(c.want), 0) {
				t.Errorf("of %g, 3, %g: %g, want %g", c.x, c.x, got, c.want)
			}
		}
	})
}

func testLogSumExp[T Float](t *testing.T, tolerance float64) {
	r := rand.New(rand.NewPCG(5, 6))
	lengths(func(n int) {
		if n == 0 {
			return
		}
		x := gaussian[T](r, n, 3)
		Affine(x, 1, x, 200) // e^200 is no float32
		var sum float64
		for _, v := range x {
			sum += math.Exp(float64(v) - 200)
		}
		if got, want := LogSumExp(x), 200+math.Log(sum); !near(got, want, tolerance) {
			t.Fatalf("of %d is %g, want %g", n, got, want)
		}
	})
}

func TestLayerNormScaleGrad(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		testLayerNormScaleGrad[float32](t, 1e-6)
		testLayerNormScaleGrad[float64](t, 1e-15)
	})
}

func testLayerNormScaleGrad[T Float](t *testing.T, tolerance float64) {
	r := rand.New(rand.NewPCG(7, 8))
	lengths(func(n int) {
		x, dy, was, dst := gaussian[T](r, n, 1), gaussian[T](r, n, 1), gaussian[T](r, n, 1), guarded[T](n)
		copy(dst, was)
		LayerNormScaleGrad(dst, x, dy, .25, 1.5)
		checkGuard(t, dst)
		for i := range dst {
			if want := float64(was[i]) + float64(dy[i])*(float64(x[i])-.25)*1.5; !near(dst[i], want, tolerance) {
				t.Fatalf("element %d of %d is %g, want %g", i, n, dst[i], want)
			}
		}
	})
}

// Rows that are taken together are what each is by itself, whatever is among them.
func TestSoftmaxRows(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		testSoftmaxRows[float32](t, 3e-7)
		testSoftmaxRows[float64](t, 1e-15)
	})
}

func testSoftmaxRows[T Float](t *testing.T, tolerance float64) {
	r := rand.New(rand.NewPCG(5, 6))
	for n := 1; n <= 12; n++ {
		for _, rows := range []int{0, 1, 3, 50} {
			x, dst := gaussian[T](r, rows*n, 5), guarded[T](rows*n)
			if rows == 50 {
				inf := T(math.Inf(1))
				x[3*n], x[7*n], x[9*n], x[11*n] = -inf, inf, T(math.NaN()), 1e30
			}
			SoftmaxRows(dst, x, n)
			checkGuard(t, dst)
			want := make([]T, n)
			for lo := 0; lo < len(x); lo += n {
				SoftmaxRow(want, x[lo:lo+n], 1)
				for i, w := range want {
					if !near(dst[lo+i], float64(w), 4*tolerance) {
						t.Fatalf("%d rows of %d: %g of %v is %g, want %g", rows, n, x[lo+i], x[lo:lo+n], dst[lo+i], w)
					}
				}
			}
			if SoftmaxRows(x, x, n); !slices.EqualFunc(x, dst, func(a, b T) bool { return a == b || a != a && b != b }) {
				t.Fatalf("rows of %d over themselves differ", n)
			}
		}
	}
}
