package methods

import (
	"math"
	"testing"

	"spotlighter/textenc"
)

var promptsrcNames = map[string]string{
	"prompt_learner.ctx": "prompt.context", "text_encoder.transformer.resblocks.1.VPT_shallow": "prompt.text.1",
	"image_encoder.VPT": "prompt.image.0", "image_encoder.transformer.resblocks.1.VPT_shallow": "prompt.image.1",
	"image_encoder.transformer.resblocks.2.VPT_shallow": "prompt.image.2",
}

func fixtureSRC() *PromptSRC {
	return &PromptSRC{
		TextTokens: 4, ImageTokens: 3, TextDepth: 2, ImageDepth: 3, TextWeight: 25, ImageWeight: 10, LogitWeight: 1,
		AverageMean: 2, AverageStd: 1, Templates: []string{"a photo of a {}.", "x photo of {}.", "z {}."},
	}
}

// Two epochs, of a step each, of the published program; the second leaves the
// Gaussian mean.
func TestPromptSRCReference(t *testing.T) {
	r := openReference(t, "promptsrc")
	for _, savings := range []textenc.Options{textenc.Fast(), {}} {
		o, cl := r.options("a photo of a", map[string]Settings{promptsrcKey: fixtureSRC()}), r.classes("a photo of a")
		o.TextEncoder = savings
		r.follow("promptsrc", o, cl, promptsrcNames)
	}
}

// What the published program trains over ViT-B/16.
func TestPromptSRCScalars(t *testing.T) {
	tensors, scalars := vitB16(t, "promptsrc", Options{ContextWords: "a photo of a", Epochs: 20}, 2)
	if want := 9*4*512 + 9*4*768; tensors != 18 || scalars != want || want != 46080 {
		t.Errorf("%d tensors, %d scalars, want 18 and 46080", tensors, scalars)
	}
}

// The shares sum to 1 wherever the mean is, and fall off as a Gaussian does.
func TestPromptSRCWeights(t *testing.T) {
	for _, mean := range []float64{15, 3, 1e4} {
		m := promptSRC{Options: Options{Epochs: 20}, set: PromptSRC{AverageMean: mean, AverageStd: 1}}
		w := m.weights()
		var sum float64
		for _, x := range w {
			sum += float64(x)
		}
		if math.Abs(sum-1) > 1e-6 {
			t.Errorf("mean %g: shares sum to %g", mean, sum)
		}
		if at := int(mean); at < 20 && math.Abs(float64(w[at]/w[at-1])-math.Exp(-.5)) > 1e-6 {
			t.Errorf("mean %g: a deviation away the share falls to %g, want %g", mean, w[at]/w[at-1], math.Exp(-.5))
		}
	}
}

func TestPromptSRCSettings(t *testing.T) {
	for want, change := range map[string]func(s *PromptSRC){
		"promptsrc.text_tokens: found 0, want at least 1":    func(s *PromptSRC) { s.TextTokens = 0 },
		"promptsrc.image_depth: found 0, want at least 1":    func(s *PromptSRC) { s.ImageDepth = 0 },
		"promptsrc.image_weight: found -1, want 0 or above":  func(s *PromptSRC) { s.ImageWeight = -1 },
		"promptsrc.average_std: found 0, want above 0":       func(s *PromptSRC) { s.AverageStd = 0 },
		"promptsrc.templates: found none, want at least one": func(s *PromptSRC) { s.Templates = nil },
		"": func(*PromptSRC) {},
	} {
		s := fixtureSRC()
		change(s)
		refuses(t, s, want)
	}
	refuses(t, DefaultSettings(promptsrcKey), "")
}
