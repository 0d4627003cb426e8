package cpu

import "math"

// SoftmaxRow sets dst = softmax(scale*src) of one row; scale must be positive.
// An entry of -Inf gives 0; a row of nothing else, or with a NaN, gives NaN.
func SoftmaxRow[T Float](dst, src []T, scale T) {
	src = src[:len(dst)]
	shift := scale * Max(src)
	var sum T
	if k := kernelsFor[T](len(dst)); k != nil {
		sum = T(k.expSum(ptr(dst), ptr(src), float32(scale), float32(shift), len(dst)))
	} else {
		for i, v := range src {
			dst[i] = T(math.Exp(float64(scale*v - shift)))
			sum += dst[i]
		}
	}
	Scale(dst, 1/sum, dst)
}

// short is the length of rows up to which many of them are exponentiated at once.
const short = 8

// SoftmaxRows is SoftmaxRow, without a scale, of rows of n elements each.
func SoftmaxRows[T Float](dst, src []T, n int) {
	src = src[:len(dst)]
	if n > short || kernelsFor[T](len(dst)) == nil {
		for lo := 0; lo < len(dst); lo += n {
			SoftmaxRow(dst[lo:lo+n], src[lo:lo+n], 1)
		}
		return
	}
	for lo := 0; lo < len(dst); lo += n {
		shift := src[lo]
		for _, v := range src[lo+1 : lo+n] {
			shift = max(shift, v)
		}
		for i, v := range src[lo : lo+n] {
			dst[lo+i] = v - shift
		}
	}
	Exp(dst, dst)
	for lo := 0; lo < len(dst); lo += n {
		row := dst[lo : lo+n]
		var sum T
		for _, v := range row {
			sum += v
		}
		inv := 1 / sum
		for i := range row {
			row[i] *= inv
		}
	}
}

// LogSumExp returns the logarithm of the sum of e^x, without overflow.
func LogSumExp[T Float](x []T) T {
	shift := Max(x)
	var sum T
	if k := kernelsFor[T](len(x)); k != nil {
		sum = T(k.sumExp(ptr(x), float32(shift), len(x)))
	} else {
		for _, v := range x {
			sum += T(math.Exp(float64(v - shift)))
		}
	}
	return shift + T(math.Log(float64(sum)))
}

// SoftmaxGradRow sets dst = y (dy - y.dy), the gradient of a softmax's operand
// (before its scale) from its result y and the result's gradient dy.
func SoftmaxGradRow[T Float](dst, y, dy []T) {
	y, dy = y[:len(dst)], dy[:len(dst)]
	d := Dot(y, dy)
	if k := kernelsFor[T](len(dst)); k != nil {
		k.mulDiff(ptr(dst), ptr(y), ptr(dy), float32(d), len(dst))
		return
	}
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
	if k := kernelsFor[T](len(x)); k != nil {
		q = T(k.deviation(ptr(x), float32(mean), len(x)))
	} else {
		for _, v := range x {
			q += (v - mean) * (v - mean)
		}
	}
	return mean, T(1 / math.Sqrt(float64(q/n+eps)))
}

// StandardiseRow sets dst = (src - mean) rstd.
func StandardiseRow[T Float](dst, src []T, mean, rstd T) {
	src = src[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.standardise(ptr(dst), ptr(src), float32(mean), float32(rstd), len(dst))
		return
	}
	for i, v := range src {
		dst[i] = (v - mean) * rstd
	}
}

// LayerNormScaleGrad adds dy (x - mean) rstd to dst, a row's part in the gradient
// of LayerNorm's gamma.
func LayerNormScaleGrad[T Float](dst, x, dy []T, mean, rstd T) {
	x, dy = x[:len(dst)], dy[:len(dst)]
	if k := kernelsFor[T](len(dst)); k != nil {
		k.addStandardised(ptr(dst), ptr(x), ptr(dy), float32(mean), float32(rstd), len(dst))
		return
	}
	for i, v := range x {
		dst[i] += dy[i] * ((v - mean) * rstd)
	}
}

// LayerNormRow sets dst = (src - mean) rstd gamma + beta, with the row's own
// statistics, which it returns for the gradient.
func LayerNormRow[T Float](dst, src, gamma, beta []T, eps T) (mean, rstd T) {
	src, gamma, beta = src[:len(dst)], gamma[:len(dst)], beta[:len(dst)]
	mean, rstd = RowStats(src, eps)
	if k := kernelsFor[T](len(dst)); k != nil {
		k.normalize(ptr(dst), ptr(src), ptr(gamma), ptr(beta), float32(mean), float32(rstd), len(dst))
		return mean, rstd
	}
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
	k := kernelsFor[T](len(dx))
	var g, gx T // the sums of g and of g (x - mean)
	if k != nil {
		sg, sgx := k.normSums(ptr(x), ptr(gamma), ptr(dy), float32(mean), len(dx))
		g, gx = T(sg), T(sgx)
	} else {
		for i, v := range x {
			g += gamma[i] * dy[i]
			gx += gamma[i] * dy[i] * (v - mean)
		}
	}
	n := T(len(x))
	c, d := rstd*rstd*rstd*gx/n, rstd*g/n
	if k != nil {
		k.normGrad(ptr(dx), ptr(x), ptr(gamma), ptr(dy), float32(mean), float32(rstd), float32(c), float32(d), len(dx))
		return
	}
	for i, v := range x {
		dx[i] = rstd*gamma[i]*dy[i] - c*(v-mean) - d
	}
}
