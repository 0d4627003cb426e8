package preprocess

import "image"

// CLIPMean and CLIPStd are the statistics of CLIP's training images, red,
// green, blue, on a scale of 0 to 1.
var (
	CLIPMean = [3]float32{0.48145466, 0.4578275, 0.40821073}
	CLIPStd  = [3]float32{0.26862954, 0.26130258, 0.27577711}
)

// Transform makes an image the input of an encoder.
type Transform struct {
	Size      int // side of the square input, in pixels
	Mean, Std [3]float32
}

// CLIP is the transform of a CLIP whose input has size x size pixels.
func CLIP(size int) Transform {
	return Transform{Size: size, Mean: CLIPMean, Std: CLIPStd}
}

// Apply is the transform for evaluation: shorter side to Size, middle square,
// normalised. The result is [3, Size, Size].
func (t Transform) Apply(img image.Image) []float32 {
	return Normalize(t.Square(img), t.Mean, t.Std)
}

// Square is the part of an image that Apply reads: shorter side to Size, middle
// square.
func (t Transform) Square(img image.Image) *RGB {
	return CenterCrop(ResizeShorter(FromImage(img), t.Size), t.Size)
}

// Normalize returns ((value/255) - mean) / std, planar: [3, H, W].
func Normalize(m *RGB, mean, std [3]float32) []float32 {
	plane := m.W * m.H
	out := make([]float32, 3*plane)
	for c := range 3 {
		var level [256]float32
		for v := range level {
			level[v] = (float32(v)/255 - mean[c]) / std[c]
		}
		for i := range plane {
			out[c*plane+i] = level[m.Pix[3*i+c]]
		}
	}
	return out
}
