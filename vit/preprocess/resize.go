package preprocess

import (
	"image"
	"math"

	"github.com/disintegration/imaging"
)

// Resize returns the image at w x h pixels. As in Pillow, the filter is the
// cubic with a = -1/2 (Catmull-Rom), widened when it shrinks, first along rows,
// then along columns, with rounding to 8 bits in between.
func Resize(m *RGB, w, h int) *RGB {
	if w == m.W && h == m.H {
		return m
	}
	in := image.NewNRGBA(m.Bounds())
	for i, j := 0, 0; i < len(m.Pix); i, j = i+3, j+4 {
		copy(in.Pix[j:j+3], m.Pix[i:i+3])
		in.Pix[j+3] = 255
	}
	return FromImage(imaging.Resize(in, w, h, imaging.CatmullRom))
}

// ResizeShorter scales the shorter side to size pixels. The longer side is
// rounded down, as torchvision does.
func ResizeShorter(m *RGB, size int) *RGB {
	if m.W <= m.H {
		return Resize(m, size, size*m.H/m.W)
	}
	return Resize(m, size*m.W/m.H, size)
}

// Crop returns a copy of the w x h pixels whose top left corner is (x, y).
func Crop(m *RGB, x, y, w, h int) *RGB {
	if x == 0 && y == 0 && w == m.W && h == m.H {
		return m
	}
	out := NewRGB(w, h)
	for r := range h {
		copy(out.Pix[3*r*w:][:3*w], m.Pix[3*((y+r)*m.W+x):])
	}
	return out
}

// CenterCrop cuts the middle size x size pixels. An odd margin is split as
// torchvision splits it: half of it, rounded to even, comes first.
func CenterCrop(m *RGB, size int) *RGB {
	half := func(margin int) int { return int(math.RoundToEven(float64(margin) / 2)) }
	return Crop(m, half(m.W-size), half(m.H-size), size, size)
}
