package bench

// fmaAVX512 does n times 16 fused products and sums of 16 lanes in registers.
//
//go:noescape
func fmaAVX512(n int)

// fmaAVX2 does n times 12 of 8 lanes.
//
//go:noescape
func fmaAVX2(n int)

// fmaLoop returns the loop of a path and its floating-point operations a round;
// nil where the path has none.
func fmaLoop(path string) (loop func(n int), flops int) {
	switch path {
	case "avx512":
		return fmaAVX512, 2 * 16 * 16
	case "avx2":
		return fmaAVX2, 2 * 12 * 8
	}
	return nil, 0
}
