package methods

import (
	"encoding/json"
	"strings"
	"testing"

	"spotlighter/textenc"
)

// Two steps of the published program, for every place of the class name and kind of
// context, with all savings of the text encoder and with none.
func TestCoOpReference(t *testing.T) {
	r := openReference(t, "coop")
	for _, c := range []struct {
		name, words string
		set         CoOp
	}{
		{"words", "a photo of a", CoOp{Start: startWords, Position: "end"}},
		{"random", "a photo of a", CoOp{Start: startRandom, Length: 3, Position: "end"}},
		{"middle", "a photo of a", CoOp{Start: startRandom, Length: 5, Position: "middle"}},
		{"front", "a photo of", CoOp{Start: startWords, Position: "front"}},
		{"each", "a photo of a", CoOp{Start: startRandom, Length: 2, ClassSpecific: true, Position: "end"}},
		{"each-middle", "a photo of a", CoOp{Start: startRandom, Length: 3, ClassSpecific: true, Position: "middle"}},
		{"each-front", "a photo of a", CoOp{Start: startRandom, Length: 2, ClassSpecific: true, Position: "front"}},
	} {
		for _, savings := range []textenc.Options{textenc.Fast(), {}} {
			o := r.options(c.words, map[string]Settings{coopKey: &c.set})
			o.TextEncoder = savings
			cl := r.classes(c.words)
			x := r.train("coop", o, cl, nil, 0, 6)
			if c.set.Start == startWords {
				r.Near(c.name+".start", x.store.Find("prompt.context").Value, 0)
			}
			x.start("prompt.context", c.name+".start")
			x.step(.02)
			r.Near(c.name+".step1.loss", x.program.Output("loss"), parity)
			r.Near(c.name+".gradient", x.program.Output("prompt.context"), parity)
			r.Near(c.name+".step1.context", x.store.Find("prompt.context").Value, parity)
			x.step(.02)
			r.Near(c.name+".step2.loss", x.program.Output("loss"), parity)
			r.Near(c.name+".step2.context", x.store.Find("prompt.context").Value, parity)
			r.Near(c.name+".logits", r.test("coop", o, cl, x.store), parity)
		}
	}
}

func TestCoOpScalars(t *testing.T) {
	words := Options{ContextWords: "a photo of a"}
	for _, c := range []struct {
		set     CoOp
		scalars int
	}{
		{defaultCoOp(), 2048}, // published
		{CoOp{Start: startRandom, Length: 16, Position: "middle"}, 16 * 512},
		{CoOp{Start: startRandom, Length: 16, Position: "end", ClassSpecific: true}, 3 * 16 * 512},
	} {
		words.Settings = map[string]Settings{coopKey: &c.set}
		if tensors, scalars := vitB16(t, "coop", words, 3); tensors != 1 || scalars != c.scalars {
			t.Errorf("%+v: %d tensors, %d scalars, want 1 and %d", c.set, tensors, scalars, c.scalars)
		}
	}
}

func TestCoOpSettings(t *testing.T) {
	for want, change := range map[string]func(*CoOp){
		`coop.start: "word" is none of words, random`:                                        func(c *CoOp) { c.Start = "word" },
		"coop.length: found -1, want at least 0 (as many as train.context has)":              func(c *CoOp) { c.Length = -1 },
		"coop.length: found 4, want 0 (as many as train.context has) under coop.start words": func(c *CoOp) { c.Length = 4 },
		`coop.position: "back" is none of end, middle, front`:                                func(c *CoOp) { c.Position = "back" },
	} {
		c := defaultCoOp()
		change(&c)
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
	c := defaultCoOp()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if text, err := json.Marshal(&c); err != nil || string(text) != "{}" {
		t.Errorf("the defaults are %s in the hash, %v", text, err)
	}
	c.Position = "front"
	if text, err := json.Marshal(&c); err != nil || !strings.Contains(string(text), "front") {
		t.Errorf("the hash knows %s, %v", text, err)
	}
	if why := Closed("coop", Options{}); why != "" {
		t.Errorf("one context for all classes is closed: %s", why)
	}
	c.ClassSpecific = true
	if why := Closed("coop", Options{Settings: map[string]Settings{coopKey: &c}}); !strings.HasPrefix(why, "coop.class_specific: ") {
		t.Errorf("a context for each class is closed because %q", why)
	}
}
