package methods

import (
	"testing"

	"spotlighter/textenc"
)

var cocoopNames = map[string]string{
	"ctx": "prompt.context", "meta_net.linear1.weight": "prompt.meta_net.linear1.weight", "meta_net.linear1.bias": "prompt.meta_net.linear1.bias",
	"meta_net.linear2.weight": "prompt.meta_net.linear2.weight", "meta_net.linear2.bias": "prompt.meta_net.linear2.bias",
}

// A step of the published program on a batch and one on a single image, as its
// recipe has it, with all savings of the text encoder and with none.
func TestCoCoOpReference(t *testing.T) {
	r := openReference(t, "cocoop")
	for _, savings := range []textenc.Options{textenc.Fast(), {}} {
		o, cl := r.options("a photo of a", nil), r.classes("a photo of a")
		o.TextEncoder = savings
		x := r.train("cocoop", o, cl, nil, 0, 6)
		r.Near("start.ctx", x.store.Find("prompt.context").Value, 0)
		for theirs, ours := range cocoopNames {
			x.start(ours, "start."+theirs)
		}
		check := func(step string) {
			r.Near(step+".loss", x.program.Output("loss"), parity)
			for theirs, ours := range cocoopNames {
				r.Near(step+".gradient."+theirs, x.program.Output(ours), parity)
				r.Near(step+".after."+theirs, x.store.Find(ours).Value, parity)
			}
		}
		x.step(.02)
		check("step1")
		x = r.train("cocoop", o, cl, x.store, 1, 2)
		x.step(.02)
		check("step2")
		r.Near("logits", r.test("cocoop", o, cl, x.store), parity)
	}
}

func TestCoCoOpScalars(t *testing.T) {
	tensors, scalars := vitB16(t, "cocoop", Options{ContextWords: "a photo of a"}, 2)
	if tensors != 5 || scalars != 35360 { // published: table 1
		t.Errorf("%d tensors, %d scalars, want 5 and 35360", tensors, scalars)
	}
}

func TestCoCoOpSettings(t *testing.T) {
	for want, c := range map[string]CoCoOp{
		`cocoop.start: "word" is none of words, random`:                                          {Start: "word", Reduction: 16},
		"cocoop.length: found -1, want at least 0 (as many as train.context has)":                {Start: "random", Length: -1, Reduction: 16},
		"cocoop.length: found 4, want 0 (as many as train.context has) under cocoop.start words": {Start: "words", Length: 4, Reduction: 16},
		"cocoop.reduction: found 0, want at least 1":                                             {Start: "words"},
	} {
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
	if err := DefaultSettings(cocoopKey).Validate(); err != nil {
		t.Error(err)
	}
}
