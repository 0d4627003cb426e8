package layers_test

import (
	"testing"

	"spotlighter/graph/optest"
	"spotlighter/layers"
)

func TestPatchEmbed(t *testing.T) {
	for _, c := range []Case{
		{Name: "3 by 3", Inputs: []Input{normal(2, 3, 6, 6), normal(5, 3, 2, 2)}},
		{Name: "one patch", Inputs: []Input{normal(1, 3, 4, 4), normal(2, 3, 4, 4)}},
		{Name: "pixels", Inputs: []Input{normal(1, 2, 3, 3), normal(2, 2, 1, 1)}},
		{Name: "wide image", Inputs: []Input{normal(3, 1, 3, 6), normal(2, 1, 3, 3)}},
		// Each kernel takes one pixel of a patch: the upper right of channel 0 and
		// the lower left of channel 1.
		{Name: "fixture", Want: []float64{2, 19, 4, 21, 10, 27, 12, 29},
			Inputs: []Input{
				optest.Floats([]float64{
					1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
					15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30}, 1, 2, 4, 4),
				optest.Floats([]float64{0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 2, 2, 2, 2),
			}},
	} {
		c.Build = two(layers.PatchEmbed)
		optest.Check(t, c)
	}
}
