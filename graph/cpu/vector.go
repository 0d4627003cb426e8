package cpu

import "math"

// Add sets dst = a + b. Here and below dst may be an operand, and operands are
// at least as long as dst.
func Add[T Float](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

// Sub sets dst = a - b.
func Sub[T Float](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] - b[i]
	}
}

// Mul sets dst = a * b, element by element.
func Mul[T Float](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

// AddScaled adds s*x to dst.
func AddScaled[T Float](dst []T, s T, x []T) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] += s * x[i]
	}
}

// Scale sets dst = s*x.
func Scale[T Float](dst []T, s T, x []T) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] = s * x[i]
	}
}

// Dot returns the sum of a*b.
func Dot[T Float](a, b []T) T {
	b = b[:len(a)]
	var s T
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

// Sum returns the sum of x.
func Sum[T Float](x []T) T {
	var s T
	for _, v := range x {
		s += v
	}
	return s
}

// Max returns the greatest of x, NaN if one is NaN, -Inf if there is none.
func Max[T Float](x []T) T {
	m := T(math.Inf(-1))
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// Exp sets dst = e^src.
func Exp[T Float](dst, src []T) {
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] = T(math.Exp(float64(v)))
	}
}

// QuickGELU sets dst = x sigmoid(1.702 x), the activation of CLIP.
func QuickGELU[T Float](dst, src []T) {
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] = v / (1 + T(math.Exp(-1.702*float64(v))))
	}
}

// QuickGELUGrad sets dst = dy times the derivative of QuickGELU at x.
func QuickGELUGrad[T Float](dst, x, dy []T) {
	x, dy = x[:len(dst)], dy[:len(dst)]
	for i, v := range x {
		s := 1 / (1 + T(math.Exp(-1.702*float64(v))))
		dst[i] = dy[i] * s * (1 + 1.702*v*(1-s))
	}
}
