package tiny

// object is one thing on the canvas; lengths in pixels, the rotation in turns.
type object struct {
	Triple
	x, y, radius, rotation float64
}

// coverage sums, for each patch, how much of its pixels an object covers.
type coverage [Grid * Grid]float64

// mask is the coverage as a share of each patch.
func (c *coverage) mask() []float32 {
	mask := make([]float32, len(c))
	for i, sum := range c {
		mask[i] = float32(sum / (Patch * Patch))
	}
	return mask
}

// paint draws an object over the canvas, and adds to cover where it is not nil.
func (c *canvas) paint(o object, r *random, cover *coverage) {
	var base [3]float64
	for ch := range base {
		base[ch] = clamp01(colourRGB[o.Colour][ch] + float64(.06*r.normal()))
	}
	pattern := newPattern(o.Pattern, o.radius, r)
	// One pixel to the right is one step of (u, v), the object's own axes in radii.
	du, dv := cosine(o.rotation)/o.radius, -sine(o.rotation)/o.radius

	extent := float64(reach*o.radius) + 1
	x0, x1 := pixelRange(o.x, extent)
	y0, y1 := pixelRange(o.y, extent)
	for y := y0; y < y1; y++ {
		dy := float64(y) + .5 - o.y
		for x := x0; x < x1; x++ {
			dx := float64(x) + .5 - o.x
			u := float64(du*dx) - float64(dv*dy)
			v := float64(dv*dx) + float64(du*dy)
			alpha := clamp01(.5 - float64(distance(o.Shape, u, v)*o.radius))
			if alpha == 0 {
				continue
			}
			ink := float64(alpha * (.25 + float64(.75*pattern.at(u, v))))
			i := y*Size + x
			for ch := range 3 {
				p := &c.plane[ch][i]
				*p = float64(*p*(1-alpha)) + float64(base[ch]*ink)
			}
			if cover != nil {
				cover[y/Patch*Grid+x/Patch] += alpha
			}
		}
	}
}

// pixelRange is the pixels within extent of at, cut to the canvas.
func pixelRange(at, extent float64) (first, end int) {
	return max(int(at-extent), 0), min(int(at+extent)+1, Size)
}

// The order of patterns.
const (
	plain = iota
	striped
	dotted
	checkered
)

// pattern says how bright an object is at a point: 1 its colour, 0 a quarter of it.
type pattern struct {
	kind  int
	scale float64 // periods a radius
	phase float64 // turns
}

func newPattern(kind int, radius float64, r *random) pattern {
	return pattern{kind, radius / r.between(4.6, 6), r.unit()}
}

func (p pattern) at(u, v float64) float64 {
	switch p.kind {
	case striped:
		return soften(sine(float64(v*p.scale) + p.phase))
	case dotted:
		return 1 - soften(cosine(float64(u*p.scale)+p.phase)+cosine(float64(v*p.scale)+p.phase)-.9)
	case checkered:
		scale := float64(p.scale * .8)
		return soften(float64(sine(float64(u*scale)+p.phase) * sine(float64(v*scale)+p.phase) * 1.5))
	}
	return 1
}

// soften makes a wave nearly square.
func soften(x float64) float64 { return clamp01(float64(x*2.5) + .5) }
