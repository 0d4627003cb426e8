package tiny

import "sync"

// canvas holds a picture while it is painted: three planes of Size*Size values,
// 0 to 1 but free to leave that range until the end.
type canvas struct {
	plane   [3][Size * Size]float64
	scratch [Size * Size]float64 // of the blur
}

var canvases = sync.Pool{New: func() any { return new(canvas) }}

// finish scales each channel, adds an offset and noise of deviation sigma, and
// rounds to bytes [Size, Size, 3].
func (c *canvas) finish(scale [3]float64, offset, sigma float64, r *random) []uint8 {
	rgb := make([]uint8, Size*Size*3)
	for i := range 3 {
		scale[i] = float64(scale[i] * 255)
	}
	offset = float64(offset*255) + .5 // .5: the conversion to an integer cuts off
	sigma = float64(sigma * 255)
	for ch := range 3 {
		plane, s := &c.plane[ch], scale[ch]
		for i, v := range plane {
			v = float64(v*s) + offset + float64(sigma*r.normal())
			rgb[3*i+ch] = uint8(min(max(v, 0), 255))
		}
	}
	return rgb
}
