package methods

import (
	"context"
	"fmt"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/clip"
	"spotlighter/layers"
	"spotlighter/optim"
)

const tipKey = "tip"

func init() {
	section := Section{Key: tipKey, Default: func() Settings { return &Tip{Alpha: 1.17, Beta: 1} }}
	Register(Row{
		Name: "tip-adapter", Learns: true, Support: true, Section: section,
		New: func(o Options) Method { return tipFree{tip{Options: o, set: settings[Tip](o, tipKey)}} },
	})
	Register(Row{
		Name: "tip-adapter-f", Learns: true, Support: true, Section: section,
		New: func(o Options) Method { return tip{Options: o, set: settings[Tip](o, tipKey)} },
	})
}

// Tip is how the cache of training images is read.
type Tip struct {
	Alpha float64 `yaml:"alpha"` // weight of the cache beside CLIP's logits
	Beta  float64 `yaml:"beta"`  // how sharply images are told apart
}

// Validate reports the first setting that cannot work.
func (t *Tip) Validate() error {
	switch {
	case t.Alpha < 0:
		return fmt.Errorf("tip.alpha: found %g, want 0 or above", t.Alpha)
	case t.Beta <= 0:
		return fmt.Errorf("tip.beta: found %g, want above 0", t.Beta)
	}
	return nil
}

// The cache: unit features of the training images, and which class each is of.
const (
	cacheScope = "cache"
	keysName   = "keys"   // [n, D]
	valuesName = "values" // [C, n], one-hot columns

	// CacheValues is the full name of the cache's labels, which have a row for each
	// class: zero for one that training did not see.
	CacheValues = cacheScope + "." + valuesName
)

// tip adds to CLIP's logits those of a cache of the training images, by likeness;
// the cache's keys are trained (Tip-Adapter-F: Zhang et al., arXiv 2207.09519,
// section 3.2). A class without images in the cache, such as a novel one, has CLIP's
// logits alone.
type tip struct {
	frozenVision
	Options
	set Tip
}

func (tip) Text(c CLIP, cl Classes) *Node { return c.Scope.Const(cl.Text) }

func (m tip) Build(c CLIP, cl Classes, b Batch) Outputs {
	s := c.Scope.Sub(cacheScope)
	if cl.Support != nil {
		declareCache(s, len(cl.Names), *cl.Support)
	}
	o := Outputs{Logits: m.logits(c, cl, b)}
	if b.Labels != nil {
		o.Loss = layers.CrossEntropy(o.Logits, b.Labels)
		o.Groups = []optim.Group{{
			Optimizer: optim.AdamW{Beta1: .9, Beta2: .999, Eps: 1e-4, WeightDecay: .01}, LRScale: 1,
			Vars: []*graph.Variable{s.Find(keysName)},
		}}
	}
	return o
}

// logits are CLIP's, with those of the cache where there is one.
func (m tip) logits(c CLIP, cl Classes, b Batch) *Node {
	logits := compare(c, b.Features.Image, b.Text)
	s := c.Scope.Sub(cacheScope)
	k, v := s.Find(keysName), s.Find(valuesName)
	if k == nil || v == nil { // training saw none of the classes
		return logits
	}
	keys, values := s.Var(keysName, graph.Trainable, nil, k.Type.Shape...), s.Var(valuesName, graph.State, nil, len(cl.Names), k.Type.Shape[0])
	affinity := layers.MatMul(b.Features.Image, keys, false, true) // [B, n]
	likeness := layers.Exp(layers.Scale(layers.Shift(affinity, -1), m.set.Beta))
	return layers.Add(logits, layers.Scale(layers.MatMul(likeness, values, false, true), m.set.Alpha))
}

// declareCache declares the cache of training images: the key of each is the unit
// mean of its views.
func declareCache(s *graph.Scope, classes int, of Support) {
	n, d := len(of.Labels), of.Views[0].Shape[1]
	s.Var(keysName, graph.Trainable, func(_ string, dst []float32) {
		for _, v := range of.Views {
			cpu.Add(dst, dst, v.F32)
		}
		for i := range n {
			clip.Unit(dst[i*d : (i+1)*d])
		}
	}, n, d)
	s.Var(valuesName, graph.State, func(_ string, dst []float32) {
		for i, label := range of.Labels {
			dst[label*n+i] = 1
		}
	}, classes, n)
}

// tipFree is tip with the keys left as they are: nothing is learned (Tip-Adapter:
// section 3.1).
type tipFree struct{ tip }

func (m tipFree) Build(c CLIP, cl Classes, b Batch) Outputs {
	return Outputs{Logits: m.logits(c, cl, b)}
}

// Fit implements Fitter.
func (m tipFree) Fit(_ context.Context, _ *cpu.Pool, c CLIP, cl Classes) ([]*graph.Variable, error) {
	return nil, graph.Try(func() { declareCache(c.Scope.Sub(cacheScope), len(cl.Names), *cl.Support) })
}
