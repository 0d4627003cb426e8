package preprocess

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRandomCrop draws crops of a large square, where nearly every first try
// fits, and compares with the moments of torchvision's distributions.
func TestRandomCrop(t *testing.T) {
	const side, draws = 1000, 20000
	scale, ratio := [2]float64{0.1, 0.5}, [2]float64{0.5, 2}
	rng := rand.New(rand.NewPCG(1, 2))
	var area, logRatio, square, left float64
	for range draws {
		x, y, w, h := randomCrop(side, side, scale, ratio, rng)
		if x < 0 || y < 0 || x+w > side || y+h > side {
			t.Fatalf("crop %d x %d at (%d, %d) leaves the image", w, h, x, y)
		}
		a, r := float64(w*h)/(side*side), math.Log(float64(w)/float64(h))
		if a < 0.099 || a > 0.501 || math.Abs(r) > math.Log(2.02) {
			t.Fatalf("crop %d x %d: area %.3f or ratio %.3f out of range", w, h, a, math.Exp(r))
		}
		area += a / draws
		logRatio += r / draws
		square += r * r / draws
		left += float64(x) / float64(side-w+1) / draws
	}
	ln2 := math.Ln2
	for name, c := range map[string][3]float64{
		"mean area":               {area, 0.3, 0.003},
		"mean log ratio":          {logRatio, 0, 0.01},
		"variance of log ratio":   {square, ln2 * ln2 / 3, 0.005}, // uniform in +-ln 2
		"mean place in the range": {left, 0.5, 0.01},
	} {
		if math.Abs(c[0]-c[1]) > c[2] {
			t.Errorf("%s: %.4f, want %.4f", name, c[0], c[1])
		}
	}
}

// TestRandomCropFallback has images that no try fits.
func TestRandomCropFallback(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	full := [2]float64{1, 1}
	for size, want := range map[[2]int][4]int{
		{400, 30}: {180, 0, 40, 30}, // ratio 4/3
		{30, 400}: {0, 180, 30, 40}, // ratio 3/4
	} {
		x, y, w, h := randomCrop(size[0], size[1], full, DefaultRatio, rng)
		if got := [4]int{x, y, w, h}; got != want {
			t.Errorf("%v: got %v, want %v", size, got, want)
		}
	}
}

func TestAugment(t *testing.T) {
	m := mustDecode(t, "testdata/420.jpg")
	draw := func(seed uint64) []float32 { return CLIP(16).Augment(m, rand.New(rand.NewPCG(seed, 0))) }
	if !slices.Equal(draw(1), draw(1)) {
		t.Error("the same generator gave two tensors")
	}
	if slices.Equal(draw(1), draw(2)) {
		t.Error("two generators gave one tensor")
	}
	if n := len(draw(1)); n != 3*16*16 {
		t.Errorf("%d values, want %d", n, 3*16*16)
	}
	flipped := FlipHorizontal(m)
	if flipped.At(0, 5) != m.At(m.W-1, 5) || !slices.Equal(FlipHorizontal(flipped).Pix, m.Pix) {
		t.Error("not a mirror image")
	}
}
