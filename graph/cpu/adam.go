package cpu

import "math"

// Moment sets dst = a m + b grad, a running mean of gradients.
func Moment[T Float](dst, m, grad []T, a, b T) {
	m, grad = m[:len(dst)], grad[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.moment(ptr(dst), ptr(m), ptr(grad), float32(a), float32(b), len(dst))
		return
	}
	for i, g := range grad {
		dst[i] = a*m[i] + b*g
	}
}

// SquareMoment sets dst = a m + b grad².
func SquareMoment[T Float](dst, m, grad []T, a, b T) {
	m, grad = m[:len(dst)], grad[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.squareMoment(ptr(dst), ptr(m), ptr(grad), float32(a), float32(b), len(dst))
		return
	}
	for i, g := range grad {
		dst[i] = a*m[i] + b*(g*g)
	}
}

// AdamW sets dst = keep p - rate m/(sqrt(v inv) + eps), a parameter moved by its
// moments.
func AdamW[T Float](dst, p, m, v []T, keep, rate, inv, eps T) {
	p, m, v = p[:len(dst)], m[:len(dst)], v[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.adamW(ptr(dst), ptr(p), ptr(m), ptr(v), float32(keep), float32(rate), float32(inv), float32(eps), len(dst))
		return
	}
	for i := range dst {
		dst[i] = keep*p[i] - rate*m[i]/(T(math.Sqrt(float64(v[i]*inv)))+eps)
	}
}
