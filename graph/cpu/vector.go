package cpu

import (
	"math"
	"unsafe"
)

// kernelsFor returns the SIMD kernels for n elements of type T, nil if Go's
// loops are to do it.
func kernelsFor[T Float](n int) *kernels {
	if single[T]() && n > 0 {
		return active
	}
	return nil
}

// ptr is where a float32 slice begins.
func ptr[T Float](x []T) *float32 { return (*float32)(unsafe.Pointer(unsafe.SliceData(x))) }

// Add sets dst = a + b. Here and below dst may be an operand, and operands are
// at least as long as dst.
func Add[T Float](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.add(ptr(dst), ptr(a), ptr(b), len(dst))
		return
	}
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

// Sub sets dst = a - b.
func Sub[T Float](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.sub(ptr(dst), ptr(a), ptr(b), len(dst))
		return
	}
	for i := range dst {
		dst[i] = a[i] - b[i]
	}
}

// Mul sets dst = a * b, element by element.
func Mul[T Float](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.mul(ptr(dst), ptr(a), ptr(b), len(dst))
		return
	}
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

// Div sets dst = a / b, element by element.
func Div[T Float](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.div(ptr(dst), ptr(a), ptr(b), len(dst))
		return
	}
	for i := range dst {
		dst[i] = a[i] / b[i]
	}
}

// AddScaled adds s*x to dst.
func AddScaled[T Float](dst []T, s T, x []T) {
	x = x[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.addScaled(ptr(dst), float32(s), ptr(x), len(dst))
		return
	}
	for i := range dst {
		dst[i] += s * x[i]
	}
}

// Scale sets dst = s*x.
func Scale[T Float](dst []T, s T, x []T) {
	x = x[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.scale(ptr(dst), float32(s), ptr(x), len(dst))
		return
	}
	for i := range dst {
		dst[i] = s * x[i]
	}
}

// Divide sets dst = x / s.
func Divide[T Float](dst []T, s T, x []T) {
	x = x[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.divide(ptr(dst), float32(s), ptr(x), len(dst))
		return
	}
	for i := range dst {
		dst[i] = x[i] / s
	}
}

// Affine sets dst = a*x + b.
func Affine[T Float](dst []T, a T, x []T, b T) {
	x = x[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.affine(ptr(dst), float32(a), ptr(x), float32(b), len(dst))
		return
	}
	for i := range dst {
		dst[i] = a*x[i] + b
	}
}

// Sqrt sets dst to the square roots of x.
func Sqrt[T Float](dst, x []T) {
	x = x[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.sqrt(ptr(dst), ptr(x), len(dst))
		return
	}
	for i, v := range x {
		dst[i] = T(math.Sqrt(float64(v)))
	}
}

// Dot returns the sum of a*b, over the length of a.
func Dot[T Float](a, b []T) T {
	b = b[:len(a)]
	if k := kernelsFor[T](len(a)); k != nil {
		return T(k.dot(ptr(a), ptr(b), len(a)))
	}
	var s T
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

// Sum returns the sum of x.
func Sum[T Float](x []T) T {
	if k := kernelsFor[T](len(x)); k != nil {
		return T(k.sum(ptr(x), len(x)))
	}
	var s T
	for _, v := range x {
		s += v
	}
	return s
}

// Max returns the greatest of x, NaN if one is NaN, -Inf if there is none.
func Max[T Float](x []T) T {
	if k := kernelsFor[T](len(x)); k != nil {
		m, unordered := k.max(ptr(x), len(x))
		if unordered != 0 { // bits of a NaN, or the NaN itself
			return T(math.NaN())
		}
		return T(m)
	}
	m := T(math.Inf(-1))
	for _, v := range x {
		m = max(m, v)
	}
	return m
}
