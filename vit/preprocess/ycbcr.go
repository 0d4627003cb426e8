package preprocess

import "image"

// fromYCbCr converts an image that starts at (0, 0). Chroma planes of half the
// size are enlarged by libjpeg's triangle filter ("fancy upsampling"), which
// Go's own conversion leaves out: without it colours are two levels off on
// average.
func fromYCbCr(img *image.YCbCr, toRGB func(y, cb, cr int) (r, g, b int)) *RGB {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	out := NewRGB(w, h)
	cb, cr := make([]uint8, w+1), make([]uint8, w+1) // whole pairs of columns
	i := 0
	for y := range h {
		chromaRow(cb, img, img.Cb, y)
		chromaRow(cr, img, img.Cr, y)
		for x, luma := range img.Y[y*img.YStride:][:w] {
			r, g, b := toRGB(int(luma), int(cb[x]), int(cr[x]))
			out.Pix[i], out.Pix[i+1], out.Pix[i+2] = clamp(r), clamp(g), clamp(b)
			i += 3
		}
	}
	return out
}

// chromaRow writes row y of a chroma plane, enlarged to the image's width. The
// formulae and their rounding are those of libjpeg's jdsample.c; like it,
// planes of up to two columns and unusual ratios are repeated, not smoothed.
func chromaRow(dst []uint8, img *image.YCbCr, plane []uint8, y int) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	row := func(r, n int) []uint8 { return plane[r*img.CStride:][:n] }
	half := (w + 1) / 2
	switch ratio := img.SubsampleRatio; {
	case ratio == image.YCbCrSubsampleRatio422 && half > 2:
		in := row(y, half)
		for i, v := range in {
			near := 3 * int(v)
			left, right := int(in[max(i-1, 0)]), int(in[min(i+1, half-1)])
			dst[2*i] = uint8((near + left + 1) >> 2)
			if 2*i+1 < len(dst) {
				dst[2*i+1] = uint8((near + right + 2) >> 2)
			}
		}
	case ratio == image.YCbCrSubsampleRatio420 && half > 2:
		r, far := verticalPair(y, h)
		a, b := row(r, half), row(far, half)
		sum := func(i int) int { return 3*int(a[i]) + int(b[i]) }
		last, this := sum(0), sum(0)
		for i := range a {
			next := sum(min(i+1, half-1))
			dst[2*i] = uint8((3*this + last + 8) >> 4)
			if 2*i+1 < len(dst) {
				dst[2*i+1] = uint8((3*this + next + 7) >> 4)
			}
			last, this = this, next
		}
	case ratio == image.YCbCrSubsampleRatio440:
		r, far := verticalPair(y, h)
		a, b := row(r, w), row(far, w)
		round := 1 + y%2
		for i := range a {
			dst[i] = uint8((3*int(a[i]) + int(b[i]) + round) >> 2)
		}
	default:
		for x := range w {
			dst[x] = plane[img.COffset(x, y)]
		}
	}
}

// verticalPair returns, for image row y of h, the chroma row that covers it
// and the next nearest one.
func verticalPair(y, h int) (near, far int) {
	near = y / 2
	if y%2 == 0 {
		return near, max(near-1, 0)
	}
	return near, min(near+1, (h+1)/2-1)
}

// jpegRGB is JFIF's conversion (full-range BT.601) in libjpeg's fixed point.
func jpegRGB(y, cb, cr int) (r, g, b int) {
	const half = 1 << 15
	cb, cr = cb-128, cr-128
	r = y + (91881*cr+half)>>16
	g = y + (-22554*cb-46802*cr+half)>>16
	b = y + (116130*cb+half)>>16
	return r, g, b
}

// videoRGB is the conversion of lossy WebP (BT.601, luma 16 to 235) in
// libwebp's fixed point.
func videoRGB(y, u, v int) (r, g, b int) {
	luma := y * 19077 >> 8
	r = (luma + v*26149>>8 - 14234) >> 6
	g = (luma - u*6419>>8 - v*13320>>8 + 8708) >> 6
	b = (luma + u*33050>>8 - 17685) >> 6
	return r, g, b
}

func clamp(v int) uint8 {
	return uint8(min(max(v, 0), 255))
}
