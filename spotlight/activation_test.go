package spotlight

import (
	"math"
	"testing"

	"spotlighter/graph"
	"spotlighter/internal/fixture"
)

// The smoothing matrix against a convolution written out.
func TestGaussian(t *testing.T) {
	const sigma = 1.3
	for _, grid := range []int{1, 2, 4, 7} {
		var kernel [5][5]float64
		var sum float64
		for y := range kernel {
			for x := range kernel[y] {
				dy, dx := float64(y-2), float64(x-2)
				kernel[y][x] = math.Exp(-(dy*dy + dx*dx) / (2 * sigma * sigma))
				sum += kernel[y][x]
			}
		}
		n := grid * grid
		want := graph.NewTensor(graph.Float64, n, n)
		for from := range n {
			for to := range n {
				dy, dx := to/grid-from/grid+2, to%grid-from%grid+2
				if dy >= 0 && dy < 5 && dx >= 0 && dx < 5 {
					want.F64[from*n+to] = kernel[dy][dx] / sum
				}
			}
		}
		fixture.Near(t, "kernel", gaussian(grid, sigma), want, 1e-14)
	}
}
