package methods

import "testing"

func TestTextRefinerReference(t *testing.T) {
	r := openReference(t, "textrefiner")
	r.reproduce("coop+textrefiner", r.options("a photo of a", nil), r.classes("a photo of a"), refinerNames, "loss", .02)
}

func TestTextRefinerOverPromptKDReference(t *testing.T) {
	r := openReference(t, "promptkd-textrefiner")
	o := r.options("a photo of a", map[string]Settings{promptKDName: tinyPromptKD()})
	r.reproduce("promptkd+textrefiner", o, r.taughtClasses(), promptKDNames, "loss", 1e-4)
}

// The published program counts 8 tensors: the context, the transform, the extractor.
func TestTextRefinerScalars(t *testing.T) {
	tensors, scalars := vitB16(t, "coop+textrefiner", Options{ContextWords: "a photo of a"}, 2)
	if want := 4*512 + 2*(512*512+512) + 2*512 + 512*1024; tensors != 8 || scalars != want {
		t.Errorf("%d tensors, %d scalars, want 8 and %d", tensors, scalars, want)
	}
}

func TestTextRefinerSettings(t *testing.T) {
	for want, change := range map[string]func(*TextRefiner){
		"textrefiner.prototypes: found 0, want at least 1":  func(s *TextRefiner) { s.Prototypes = 0 },
		"textrefiner.keep: found 0, want at least 1":        func(s *TextRefiner) { s.Keep = 0 },
		"textrefiner.balance: found 0, want above 0":        func(s *TextRefiner) { s.Balance = 0 },
		"textrefiner.regularize: found -1, want 0 or above": func(s *TextRefiner) { s.Regularize = -1 },
	} {
		s := defaultTextRefiner()
		change(&s)
		if err := s.Validate(); err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
	if err := DefaultSettings(textRefinerName).Validate(); err != nil {
		t.Error(err)
	}
}
