package preprocess

import (
	"image"
	"math"
	"math/rand/v2"
)

// DefaultScale and DefaultRatio are torchvision's: the crop's share of the
// image's area, and its width over its height.
var (
	DefaultScale = [2]float64{0.08, 1}
	DefaultRatio = [2]float64{3.0 / 4, 4.0 / 3}
)

// Augment is the transform for training: a random crop by the default ranges,
// a flip half the time, normalised. The result is [3, Size, Size].
func (t Transform) Augment(img image.Image, rng *rand.Rand) []float32 {
	m := RandomResizedCrop(FromImage(img), t.Size, DefaultScale, DefaultRatio, rng)
	if rng.Float64() < 0.5 {
		m = FlipHorizontal(m)
	}
	return Normalize(m, t.Mean, t.Std)
}

// RandomResizedCrop cuts a rectangle of random area and ratio and scales it to
// size x size, by torchvision's distributions: the area uniform in scale, the
// ratio log-uniform, ten tries to fit, then the largest middle crop whose ratio
// is in range.
func RandomResizedCrop(m *RGB, size int, scale, ratio [2]float64, rng *rand.Rand) *RGB {
	x, y, w, h := randomCrop(m.W, m.H, scale, ratio, rng)
	return Resize(Crop(m, x, y, w, h), size, size)
}

func randomCrop(width, height int, scale, ratio [2]float64, rng *rand.Rand) (x, y, w, h int) {
	uniform := func(a, b float64) float64 { return a + (b-a)*rng.Float64() }
	for range 10 {
		area := float64(width*height) * uniform(scale[0], scale[1])
		r := math.Exp(uniform(math.Log(ratio[0]), math.Log(ratio[1])))
		w = int(math.RoundToEven(math.Sqrt(area * r)))
		h = int(math.RoundToEven(math.Sqrt(area / r)))
		if 0 < w && w <= width && 0 < h && h <= height {
			y = rng.IntN(height - h + 1)
			x = rng.IntN(width - w + 1)
			return x, y, w, h
		}
	}
	w, h = width, height
	switch r := float64(width) / float64(height); {
	case r < ratio[0]:
		h = max(1, min(height, int(math.RoundToEven(float64(width)/ratio[0]))))
	case r > ratio[1]:
		w = max(1, min(width, int(math.RoundToEven(float64(height)*ratio[1]))))
	}
	return (width - w) / 2, (height - h) / 2, w, h
}

// FlipHorizontal mirrors left and right.
func FlipHorizontal(m *RGB) *RGB {
	out := NewRGB(m.W, m.H)
	for y := range m.H {
		for x := range m.W {
			copy(out.Pix[3*(y*m.W+x):][:3], m.Pix[3*(y*m.W+m.W-1-x):])
		}
	}
	return out
}
