// Package preprocess turns image files into the tensors that CLIP reads, with
// the arithmetic of its reference pipeline: libjpeg's decoding, Pillow's
// conversion to RGB and bicubic resizing, torchvision's crops.
//
// Shapes: an image of W x H pixels is [H, W, 3] bytes; a tensor is [3, S, S].
package preprocess

import (
	"image"
	"image/color"
)

// RGB is an 8-bit image, tightly packed: the pixel at (x, y) starts at
// Pix[3*(y*W+x)]. It implements image.Image.
type RGB struct {
	W, H int
	Pix  []uint8
}

// NewRGB returns a black image.
func NewRGB(w, h int) *RGB {
	return &RGB{W: w, H: h, Pix: make([]uint8, 3*w*h)}
}

// ColorModel implements image.Image.
func (m *RGB) ColorModel() color.Model { return color.RGBAModel }

// Bounds implements image.Image.
func (m *RGB) Bounds() image.Rectangle { return image.Rect(0, 0, m.W, m.H) }

// At implements image.Image.
func (m *RGB) At(x, y int) color.Color {
	if !(image.Pt(x, y).In(m.Bounds())) {
		return color.RGBA{}
	}
	p := m.Pix[3*(y*m.W+x):]
	return color.RGBA{R: p[0], G: p[1], B: p[2], A: 255}
}

// FromImage converts as Pillow's convert("RGB") does: alpha is dropped, not
// blended; gray is repeated; 16-bit colours keep their high byte, but 16-bit
// gray is cut off at 255; the chroma of a YCbCr image is taken as a JPEG's. An
// *RGB is returned as it is.
func FromImage(img image.Image) *RGB {
	b := img.Bounds()
	switch img := img.(type) {
	case *RGB:
		return img
	case *image.YCbCr:
		if b.Min == (image.Point{}) {
			return fromYCbCr(img, jpegRGB)
		}
	case *image.Gray:
		return fill(b, func(p []uint8, x, y int) {
			v := img.Pix[img.PixOffset(x, y)]
			p[0], p[1], p[2] = v, v, v
		})
	case *image.Gray16:
		return fill(b, func(p []uint8, x, y int) {
			v := uint8(min(img.Gray16At(x, y).Y, 255))
			p[0], p[1], p[2] = v, v, v
		})
	case *image.NRGBA:
		return fill(b, func(p []uint8, x, y int) { copy(p, img.Pix[img.PixOffset(x, y):][:3]) })
	case *image.RGBA:
		if img.Opaque() {
			return fill(b, func(p []uint8, x, y int) { copy(p, img.Pix[img.PixOffset(x, y):][:3]) })
		}
	case *image.Paletted:
		colors := make([][3]uint8, len(img.Palette))
		for i, c := range img.Palette {
			colors[i] = straight(c)
		}
		return fill(b, func(p []uint8, x, y int) {
			c := colors[img.Pix[img.PixOffset(x, y)]]
			copy(p, c[:])
		})
	case *image.CMYK:
		return fill(b, func(p []uint8, x, y int) {
			q := img.Pix[img.PixOffset(x, y):]
			white := 255 - int(q[3])
			for i := range p {
				p[i] = uint8(white - mulDiv255(int(q[i]), white))
			}
		})
	}
	return fill(b, func(p []uint8, x, y int) {
		c := straight(img.At(x, y))
		copy(p, c[:])
	})
}

// fill makes an image of the size of b, calling set for each pixel: p is its
// three bytes, (x, y) its place in b.
func fill(b image.Rectangle, set func(p []uint8, x, y int)) *RGB {
	out := NewRGB(b.Dx(), b.Dy())
	i := 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			set(out.Pix[i:i+3], x, y)
			i += 3
		}
	}
	return out
}

// straight returns a colour's high bytes without its alpha.
func straight(c color.Color) [3]uint8 {
	if c, ok := c.(color.NRGBA); ok { // by way of alpha it would lose digits
		return [3]uint8{c.R, c.G, c.B}
	}
	n := color.NRGBA64Model.Convert(c).(color.NRGBA64)
	return [3]uint8{uint8(n.R >> 8), uint8(n.G >> 8), uint8(n.B >> 8)}
}

// mulDiv255 is a*b/255, rounded.
func mulDiv255(a, b int) int {
	t := a*b + 128
	return (t>>8 + t) >> 8
}
