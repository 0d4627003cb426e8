package tiny

import "math"

// The order of backgrounds.
const (
	grass = iota
	sand
	water
	brick
	snow
	night
)

// backgroundRGB is the mean colour of each background, grainOf the deviation of its pixels.
var (
	backgroundRGB = [][3]float64{{.32, .50, .22}, {.78, .68, .48}, {.30, .48, .62}, {.55, .33, .27}, {.86, .88, .92}, {.10, .10, .16}}
	grainOf       = []float64{.09, .05, .02, .03, .02, .02}
)

// paintBackground fills the canvas: a base colour, coarse smooth noise in
// colour, finer smooth noise and grain in grey, and the background's texture.
func (c *canvas) paintBackground(background int, r *random) {
	var base [3]float64
	var coarse [3]smooth
	for ch := range 3 {
		base[ch] = backgroundRGB[background][ch] + float64(.07*r.normal())
	}
	for ch := range 3 {
		coarse[ch].fill(&coarseTaps, .07, r)
	}
	var fine smooth
	fine.fill(&fineTaps, .06, r)
	texture := newTexture(background, r)
	grain := grainOf[background]

	var grey, row [Size]float64
	for y := range Size {
		fine.row(&fineTaps, y, &grey)
		for x := range grey {
			grey[x] += float64(grain * r.normal())
		}
		texture(y, &grey)
		for ch := range 3 {
			coarse[ch].row(&coarseTaps, y, &row)
			out := c.plane[ch][y*Size:][:Size]
			for x := range out {
				out[x] = base[ch] + row[x] + grey[x]
			}
		}
	}
}

// newTexture is what sets a background apart beside its colour, added to row y.
func newTexture(background int, r *random) func(y int, row *[Size]float64) {
	switch background {
	case water:
		return waves(r.unit())
	case brick:
		return mortar
	case night:
		return func(_ int, row *[Size]float64) {
			for x := range row {
				if r.chance(.01) {
					row[x] += .6 // a star in the sky
				}
			}
		}
	}
	return func(int, *[Size]float64) {}
}

// waves is .07 sin(1.1 y + 2 sin(.15 x + phase)), a sum of two products so that
// the sines are of rows and of columns alone.
func waves(phase float64) func(y int, row *[Size]float64) {
	const turn = 1 / (2 * math.Pi)
	var sin, cos [Size]float64
	for x := range Size {
		bend := float64(2 * turn * sine(float64((float64(x)+.5)*(.15*turn))+phase))
		sin[x], cos[x] = sine(bend), cosine(bend)
	}
	return func(y int, row *[Size]float64) {
		angle := float64((float64(y) + .5) * (1.1 * turn))
		s, c := float64(.07*sine(angle)), float64(.07*cosine(angle))
		for x := range row {
			row[x] += float64(s*cos[x]) + float64(c*sin[x])
		}
	}
}

// mortar is the lines between bricks of 12 x 6 pixels, every other row of bricks shifted by half.
func mortar(y int, row *[Size]float64) {
	shift := y / 6 % 2 * 6
	for x := range row {
		if y%6 == 0 || (x+shift)%12 == 0 {
			row[x] += .2
		}
	}
}
