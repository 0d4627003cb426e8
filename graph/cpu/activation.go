package cpu

import "math"

// Exp sets dst = e^src.
func Exp[T Float](dst, src []T) {
	src = src[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.exp(ptr(dst), ptr(src), len(dst))
		return
	}
	for i, v := range src {
		dst[i] = T(math.Exp(float64(v)))
	}
}

// Sigmoid sets dst = 1/(1 + e^-x).
func Sigmoid[T Float](dst, src []T) {
	src = src[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.sigmoid(ptr(dst), ptr(src), len(dst))
		return
	}
	for i, v := range src {
		dst[i] = T(1 / (1 + math.Exp(-float64(v))))
	}
}

// GELU sets dst to x times the normal distribution function of x.
func GELU[T Float](dst, src []T) {
	src = src[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.gelu(ptr(dst), ptr(src), len(dst))
		return
	}
	for i, v := range src {
		x := float64(v)
		dst[i] = T(.5 * x * (1 + math.Erf(x/math.Sqrt2)))
	}
}

// GELUGrad sets dst = dy times the derivative of GELU at x.
func GELUGrad[T Float](dst, x, dy []T) {
	x, dy = x[:len(dst)], dy[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.geluGrad(ptr(dst), ptr(x), ptr(dy), len(dst))
		return
	}
	for i, v := range x {
		x := float64(v)
		dst[i] = dy[i] * T(.5*(1+math.Erf(x/math.Sqrt2))+x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi))
	}
}

// QuickGELU sets dst = x sigmoid(1.702 x), the activation of CLIP.
func QuickGELU[T Float](dst, src []T) {
	src = src[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.quickGELU(ptr(dst), ptr(src), len(dst))
		return
	}
	for i, v := range src {
		dst[i] = v / (1 + T(math.Exp(-1.702*float64(v))))
	}
}

// QuickGELUGrad sets dst = dy times the derivative of QuickGELU at x.
func QuickGELUGrad[T Float](dst, x, dy []T) {
	x, dy = x[:len(dst)], dy[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.quickGELUGrad(ptr(dst), ptr(x), ptr(dy), len(dst))
		return
	}
	for i, v := range x {
		s := 1 / (1 + T(math.Exp(-1.702*float64(v))))
		dst[i] = dy[i] * s * (1 + 1.702*v*(1-s))
	}
}
