package tiny

import "slices"

// styles name what may happen to a whole picture.
var styles = []string{"none", "blurry", "dark", "noisy", "faded"}

// look is what happens to a picture once it is painted. Blurring comes first;
// the rest is one scale and one offset, with which a blur commutes.
type look struct {
	blur   float64    // deviation of the Gaussian in pixels, 0: none
	scale  [3]float64 // of each channel
	offset float64
	noise  float64 // deviation
}

// filmNoise is on every picture.
const filmNoise = .015

// newLook has all the named styles at a strength from 0 to 1, over a colour cast.
func newLook(names []string, strength float64, cast [3]float64) look {
	l := look{scale: cast, noise: filmNoise}
	amount := func(style string, full float64) float64 {
		if slices.Contains(names, style) {
			return float64(full * strength)
		}
		return 0
	}
	l.blur = amount("blurry", 1.3)
	l.noise += amount("noisy", .13)
	fade, dark := amount("faded", .6), amount("dark", .6)
	for ch := range l.scale {
		l.scale[ch] = float64(l.scale[ch] * (1 - fade) * (1 - dark))
	}
	l.offset = float64(.62 * fade * (1 - dark))
	return l
}

// develop is the picture's bytes.
func (c *canvas) develop(l look, r *random) []uint8 {
	if l.blur > 0 {
		c.blur(l.blur)
	}
	return c.finish(l.scale, l.offset, l.noise, r)
}

// blur is a Gaussian of deviation sigma, in pixels.
func (c *canvas) blur(sigma float64) {
	kernel := gaussian(sigma)
	for ch := range c.plane {
		blurRows(&c.scratch, &c.plane[ch], kernel)
		blurColumns(&c.plane[ch], &c.scratch, kernel)
	}
}

// gaussian is half of a normalised kernel, the centre first, three deviations wide.
func gaussian(sigma float64) []float64 {
	kernel := make([]float64, int(float64(3*sigma)+.5)+1)
	var sum float64
	for i := range kernel {
		kernel[i] = exponential(-float64(i*i) / float64(2*sigma*sigma))
		sum += kernel[i]
	}
	sum += sum - kernel[0]
	for i := range kernel {
		kernel[i] /= sum
	}
	return kernel
}

// mirror reflects an index that left 0 … Size-1, without repeating the edge.
func mirror(i int) int {
	if i < 0 {
		return -i
	}
	if i >= Size {
		return 2*(Size-1) - i
	}
	return i
}

func blurRows(out, in *[Size * Size]float64, kernel []float64) {
	r := len(kernel) - 1
	padded := make([]float64, Size+2*r)
	for y := range Size {
		row := in[y*Size:][:Size]
		for i := range padded {
			padded[i] = row[mirror(i-r)]
		}
		for x := range Size {
			at := x + r
			sum := float64(kernel[0] * padded[at])
			for k := 1; k <= r; k++ {
				sum += float64(kernel[k] * (padded[at-k] + padded[at+k]))
			}
			out[y*Size+x] = sum
		}
	}
}

func blurColumns(out, in *[Size * Size]float64, kernel []float64) {
	for y := range Size {
		row := out[y*Size:][:Size]
		for x := range row {
			row[x] = float64(kernel[0] * in[y*Size+x])
		}
		for k := 1; k < len(kernel); k++ {
			above, below := in[mirror(y-k)*Size:][:Size], in[mirror(y+k)*Size:][:Size]
			for x := range row {
				row[x] += float64(kernel[k] * (above[x] + below[x]))
			}
		}
	}
}
