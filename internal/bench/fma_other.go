//go:build !amd64

package bench

// fmaLoop returns the loop of a path and its floating-point operations a round;
// nil where the path has none.
func fmaLoop(string) (loop func(n int), flops int) { return nil, 0 }
