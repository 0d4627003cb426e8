package methods

import (
	"strings"
	"testing"

	"spotlighter/graph"
)

// taughtClasses are the fixture's classes, with the texts of its teacher.
func (r reference) taughtClasses() Classes {
	cl := r.classes("a photo of a")
	cl.Teacher = r.Tensor("teacher.texts")
	return cl
}

// promptKDNames are our names of what the published PromptKD learns.
func promptKDNames(theirs string) string {
	switch theirs {
	case "image_encoder.VPT":
		return "prompt.visual.0"
	case "image_encoder.transformer.resblocks.1.VPT_shallow":
		return "prompt.visual.1"
	}
	if rest, ok := strings.CutPrefix(theirs, "VPT_image_trans."); ok {
		return "projection." + rest
	}
	return refinerNames(theirs)
}

// refinerNames are our names of what the published TextRefiner learns.
func refinerNames(theirs string) string {
	switch theirs {
	case "prompt_learner.ctx":
		return "prompt.context"
	case "bank":
		return "refiner.memory.text_fine_cache"
	case "extractor.weight":
		return "refiner.memory.extractor.weight"
	}
	return "refiner." + theirs
}

// reproduce runs two steps of a published program from its start, and compares its
// losses, gradients, parameters, moments and bank after the first, the loss of the
// second, and the logits at test time.
func (r reference) reproduce(name string, o Options, cl Classes, ours func(theirs string) string, loss string, lr float32) {
	r.t.Helper()
	x := r.train(name, o, cl, nil, 0, 6)
	each := func(kind string, do func(theirs, name string)) {
		for _, theirs := range r.Names() {
			if rest, ok := strings.CutPrefix(theirs, kind+"."); ok {
				do(theirs, ours(rest))
			}
		}
	}
	learned := map[string]bool{}
	each("start", func(theirs, name string) { x.start(name, theirs); learned[name] = true })
	for _, v := range x.store.Variables() {
		if v.Kind != graph.Frozen && !learned[v.Name] && !strings.HasPrefix(v.Name, "optim.") {
			r.t.Errorf("%s is no part of the reference", v.Name)
		}
	}
	x.step(lr)
	r.Near("step1."+loss, x.program.Output("loss"), parity)
	each("gradient", func(theirs, name string) {
		if strings.HasSuffix(name, ".0.bias") { // before a batch norm: 0 but for rounding, in the reference too
			limit := 1e-5 * largest(x.program.Output(strings.TrimSuffix(name, "bias")+"weight"))
			if g := largest(x.program.Output(name)); g > limit {
				r.t.Errorf("%s: %.2g, want 0 to %.2g", name, g, limit)
			}
			return
		}
		r.Near(theirs, x.program.Output(name), parity)
	})
	each("after", func(theirs, name string) { r.Near(theirs, x.store.Find(name).Value, parity) })
	x.step(lr)
	r.Near("step2."+loss, x.program.Output("loss"), parity)
	r.Near("eval.logits", r.test(name, o, cl, x.store), parity)
}

func largest(t graph.Tensor) (m float64) {
	for _, v := range t.F32 {
		m = max(m, float64(v), float64(-v))
	}
	return m
}

// tinyPromptKD are the settings of the fixtures.
func tinyPromptKD() *PromptKD {
	s := defaultPromptKD()
	s.Prompts, s.Depth, s.Temperature = 3, 2, 2
	return &s
}

func TestPromptKDReference(t *testing.T) {
	r := openReference(t, "promptkd")
	o := r.options("a photo of a", map[string]Settings{promptKDName: tinyPromptKD()})
	r.reproduce("promptkd", o, r.taughtClasses(), promptKDNames, "loss", 1e-4)
}

// The student of the published configuration: 9 prompts of 4 tokens, and the
// projection of 512 into the 768 of a ViT-L/14.
func TestPromptKDScalars(t *testing.T) {
	tensors, scalars := vitB16(t, "promptkd", Options{ContextWords: "a photo of a"}, 2)
	if want := 9*4*768 + (512*768 + 768) + 2*768 + (768*768 + 768); tensors != 9+6 || scalars != want {
		t.Errorf("%d tensors, %d scalars, want 15 and %d", tensors, scalars, want)
	}
}

func TestPromptKDSettings(t *testing.T) {
	for want, change := range map[string]func(*PromptKD){
		"promptkd.teacher: found nothing, want a method, an experiment's YAML, the folder of a run, or a checkpoint of a CLIP": func(s *PromptKD) { s.Teacher = "" },
		`promptkd.leak: "all" is none of published, none`:                                                                      func(s *PromptKD) { s.Leak = "all" },
		"promptkd.shots: found -1, want at least 1, or 0 for all":                                                              func(s *PromptKD) { s.Shots = -1 },
		"promptkd.prompts: found 0, want at least 1":                                                                           func(s *PromptKD) { s.Prompts = 0 },
		"promptkd.depth: found 0, want at least 1":                                                                             func(s *PromptKD) { s.Depth = 0 },
		"promptkd.temperature: found 0, want above 0":                                                                          func(s *PromptKD) { s.Temperature = 0 },
		"promptkd.weight: found -1, want above 0":                                                                              func(s *PromptKD) { s.Weight = -1 },
	} {
		s := defaultPromptKD()
		change(&s)
		if err := s.Validate(); err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
	if err := DefaultSettings(promptKDName).Validate(); err != nil {
		t.Error(err)
	}
}
