package methods

import (
	"testing"

	"spotlighter/textenc"
)

var mapleNames = map[string]string{
	"ctx": "prompt.context", "compound_prompts_text.0": "prompt.text.1",
	"proj.weight": "prompt.couple.0.weight", "proj.bias": "prompt.couple.0.bias",
	"compound_prompt_projections.0.weight": "prompt.couple.1.weight", "compound_prompt_projections.0.bias": "prompt.couple.1.bias",
}

// Two steps of the published program, with all savings of the text encoder and with
// none.
func TestMaPLeReference(t *testing.T) {
	r := openReference(t, "maple")
	for _, savings := range []textenc.Options{textenc.Fast(), {}} {
		o, cl := r.options("a photo of a", map[string]Settings{mapleKey: &MaPLe{Tokens: 2, Depth: 2}}), r.classes("a photo of a")
		o.TextEncoder = savings
		r.follow("maple", o, cl, mapleNames)
	}
}

// 3.55 M, as section 4.1 of PromptSRC's paper and the published program count.
func TestMaPLeScalars(t *testing.T) {
	o := Options{ContextWords: "a photo of a"}
	tensors, scalars := vitB16(t, "maple", o, 2)
	if want := 9*2*512 + 9*(512*768+768); tensors != 9+18 || scalars != want || want != 3555072 {
		t.Errorf("%d tensors, %d scalars, want 27 and 3555072", tensors, scalars)
	}
}

func TestMaPLeSettings(t *testing.T) {
	refuses(t, &MaPLe{Depth: 1}, "maple.tokens: found 0, want at least 1")
	refuses(t, &MaPLe{Tokens: 1}, "maple.depth: found 0, want at least 1 (the first block)")
	refuses(t, &MaPLe{Tokens: 1, Depth: 1, Std: -1}, "maple.std: found -1, want 0 or above")
	refuses(t, DefaultSettings(mapleKey), "")
}
