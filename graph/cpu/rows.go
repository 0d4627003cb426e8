package cpu

import "math"

// SoftmaxRow sets dst = softmax(scale*src) of one row; scale must be positive.
// An entry of -Inf gives 0; a row of nothing else, or with a NaN, gives NaN.
func SoftmaxRow[T Float](dst, src []T, scale T) {
	src = src[:len(dst)]
	m := scale * Max(src)
	var sum T
	for i, v := range src {
		e := T(math.Exp(float64(scale*v - m)))
		dst[i] = e
		sum += e
	}
	Scale(dst, 1/sum, dst)
}

// SoftmaxGradRow sets dst = y (dy - y.dy), the gradient of a softmax's operand
// (before its scale) from its result y and the result's gradient dy.
func SoftmaxGradRow[T Float](dst, y, dy []T) {
	y, dy = y[:len(dst)], dy[:len(dst)]
	d := Dot(y, dy)
	for i := range dst {
		dst[i] = y[i] * (dy[i] - d)
	}
}

// RowStats returns the mean of x and 1/sqrt(variance + eps), the variance over
// len(x).
func RowStats[T Float](x []T, eps T) (mean, rstd T) {
	n := T(len(x))
	mean = Sum(x) / n
	var q T
	for _, v := range x {
		q += (v - mean) * (v - mean)
	}
	return mean, T(1 / math.Sqrt(float64(q/n+eps)))
}

// LayerNormRow sets dst = (src - mean) rstd gamma + beta, with the row's own
// statistics, which it returns for the gradient.
func LayerNormRow[T Float](dst, src, gamma, beta []T, eps T) (mean, rstd T) {
	src, gamma, beta = src[:len(dst)], gamma[:len(dst)], beta[:len(dst)]
	mean, rstd = RowStats(src, eps)
	for i, v := range src {
		dst[i] = (v-mean)*rstd*gamma[i] + beta[i]
	}
	return mean, rstd
}

// LayerNormGradRow sets dx to the gradient of LayerNormRow's src, given the
// gradient dy of its result. With g = gamma dy and h = (x - mean) rstd,
//
//	dx = rstd (g - mean(g) - h mean(g h)).
func LayerNormGradRow[T Float](dx, x, gamma, dy []T, mean, rstd T) {
	x, gamma, dy = x[:len(dx)], gamma[:len(dx)], dy[:len(dx)]
	var sg, sgh T
	for i, v := range x {
		g := gamma[i] * dy[i]
		sg += g
		sgh += g * (v - mean) * rstd
	}
	n := T(len(x))
	sg, sgh = sg/n, sgh/n
	for i, v := range x {
		dx[i] = rstd * (gamma[i]*dy[i] - sg - (v-mean)*rstd*sgh)
	}
}
