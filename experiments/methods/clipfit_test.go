package methods

import "testing"

// Two steps of the published program, which chooses what it trains by itself.
func TestCLIPFitReference(t *testing.T) {
	r := openReference(t, "clipfit")
	o, cl := r.options("a photo of a", nil), r.classes("a photo of a")
	x := r.train("clipfit", o, cl, nil, 0, 6)
	if tensors, _ := x.count(); tensors != 22 {
		t.Errorf("%d tensors are trained, the published program has 22", tensors)
	}
	for _, step := range []string{"step1", "step2"} {
		x.step(.02)
		r.Near(step+".loss", x.program.Output("loss"), parity)
		for _, v := range x.vars {
			r.Near(step+".gradient."+v.Name, x.program.Output(v.Name), parity)
			r.Near(step+".after."+v.Name, v.Value, parity)
		}
	}
	r.Near("logits", r.test("clipfit", o, cl, x.store), parity)
}

// The paper says 44 k, the published program trains 12 biases of 512 in the text
// encoder and weight and bias of 26 LayerNorms of 768 in the image encoder.
func TestCLIPFitScalars(t *testing.T) {
	tensors, scalars := vitB16(t, "clipfit", Options{}, 2)
	if want := 12*512 + 26*2*768; tensors != 12+52 || scalars != want || want != 46080 {
		t.Errorf("%d tensors, %d scalars, want 64 and 46080", tensors, scalars)
	}
}

func TestCLIPFitSettings(t *testing.T) {
	c := CLIPFit{Lambda: -1}
	if err := c.Validate(); err == nil || err.Error() != "clipfit.lambda: found -1, want 0 or above" {
		t.Errorf("error is %v", err)
	}
	if err := DefaultSettings(clipfitKey).Validate(); err != nil {
		t.Error(err)
	}
}
