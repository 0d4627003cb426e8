//go:build !amd64

package cpu

// simd is empty: this processor takes the portable path.
var simd []*kernels
