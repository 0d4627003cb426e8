package results

import (
	"image"
	"image/color"
	"math"
)

// inferno is every 32nd colour of matplotlib's map of that name: it rises in
// lightness all the way, so that it reads in grey and with every colour vision.
var inferno = [][3]float64{
	{0, 0, 4}, {31, 12, 72}, {85, 15, 109}, {136, 34, 106}, {186, 54, 85}, {227, 89, 51}, {249, 140, 10}, {249, 201, 50}, {252, 255, 164},
}

// heatColour is the colour of v in [0, 1].
func heatColour(v float64) [3]float64 {
	at := max(0, min(v, 1)) * float64(len(inferno)-1)
	i := min(int(at), len(inferno)-2)
	var c [3]float64
	for k := range c {
		c[k] = inferno[i][k] + (at-float64(i))*(inferno[i+1][k]-inferno[i][k])
	}
	return c
}

// drawHeat draws the values of a map's patches over a tile's picture in grey,
// from dark at the least to bright at the greatest, smooth between the patches'
// centres.
func drawHeat(dst *image.RGBA, t Tile, values []float32, at image.Point) (least, greatest float64) {
	least, greatest = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		least, greatest = min(least, float64(v)), max(greatest, float64(v))
	}
	spread := max(greatest-least, 1e-12)
	k := t.scale()
	w, h := t.W*k, t.H*k
	for y := range h {
		for x := range w {
			v := between(values, t.Grid, (float64(x)+.5)/float64(w), (float64(y)+.5)/float64(h))
			p := 3 * (y/k*t.W + x/k)
			grey := .299*float64(t.RGB[p]) + .587*float64(t.RGB[p+1]) + .114*float64(t.RGB[p+2])
			c := heatColour((v - least) / spread)
			mix := func(i int) uint8 { return uint8(.62*c[i] + .38*grey + .5) }
			dst.SetRGBA(at.X+x, at.Y+y, color.RGBA{mix(0), mix(1), mix(2), 0xff})
		}
	}
	return least, greatest
}

// between interpolates a square map at (u, v) in [0, 1], linearly between the
// centres of its cells.
func between(values []float32, grid int, u, v float64) float64 {
	cell := func(u float64) (i, j int, f float64) {
		x := max(0, min(u*float64(grid)-.5, float64(grid-1)))
		i = int(x)
		return i, min(i+1, grid-1), x - float64(i)
	}
	x0, x1, fx := cell(u)
	y0, y1, fy := cell(v)
	at := func(x, y int) float64 { return float64(values[y*grid+x]) }
	return (1-fy)*((1-fx)*at(x0, y0)+fx*at(x1, y0)) + fy*((1-fx)*at(x0, y1)+fx*at(x1, y1))
}
