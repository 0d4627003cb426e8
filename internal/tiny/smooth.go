package tiny

import "math"

// smooth is a small square grid of normal numbers, spread over the picture by
// bicubic interpolation. The grid is padded by two of its own edge on each side,
// so that every pixel has four taps.
type smooth struct {
	grid [maxGrid + 4][maxGrid + 4]float64
}

// Cells a side of the coarse and of the fine grid.
const (
	coarseGrid = 5
	fineGrid   = 12
	maxGrid    = fineGrid
)

var coarseTaps, fineTaps = newTaps(coarseGrid), newTaps(fineGrid)

// taps say, for each pixel of a row or column, the first of four padded cells and their weights.
type taps struct {
	cells  int
	first  [Size]int
	weight [Size][4]float64
}

// newTaps are those of cubic convolution (Keys 1981) with a = -3/4.
func newTaps(cells int) taps {
	t := taps{cells: cells}
	near := func(x float64) float64 { // |x| <= 1
		return float64(float64((float64(1.25*x)-2.25)*x)*x) + 1
	}
	far := func(x float64) float64 { // 1 < |x| < 2
		return float64((float64((float64(-.75*x)+3.75)*x)-6)*x) + 3
	}
	for i := range Size {
		at := float64((float64(i)+.5)*float64(cells))/Size - .5
		whole := math.Floor(at)
		x := at - whole
		t.first[i] = int(whole) + 1 // the tap before, plus the padding
		t.weight[i] = [4]float64{far(x + 1), near(x), near(1 - x), far(2 - x)}
	}
	return t
}

// fill draws the grid's numbers with deviation sigma.
func (s *smooth) fill(t *taps, sigma float64, r *random) {
	n := t.cells
	for i := range n {
		row := s.grid[i+2][:n+4]
		for j := range n {
			row[j+2] = float64(sigma * r.normal())
		}
		row[0], row[1], row[n+2], row[n+3] = row[2], row[2], row[n+1], row[n+1]
	}
	s.grid[0], s.grid[1] = s.grid[2], s.grid[2]
	s.grid[n+2], s.grid[n+3] = s.grid[n+1], s.grid[n+1]
}

// row is row y of the picture.
func (s *smooth) row(t *taps, y int, out *[Size]float64) {
	var column [maxGrid + 4]float64
	w, rows := &t.weight[y], (*[4][maxGrid + 4]float64)(s.grid[t.first[y]:])
	for j := range t.cells + 4 {
		column[j] = float64(w[0]*rows[0][j]) + float64(w[1]*rows[1][j]) + float64(w[2]*rows[2][j]) + float64(w[3]*rows[3][j])
	}
	for x := range out {
		w, c := &t.weight[x], (*[4]float64)(column[t.first[x]:])
		out[x] = float64(w[0]*c[0]) + float64(w[1]*c[1]) + float64(w[2]*c[2]) + float64(w[3]*c[3])
	}
}
