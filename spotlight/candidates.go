package spotlight

import (
	"fmt"

	"spotlighter/graph"
	"spotlighter/layers"
)

// forwardCandidates is Forward in the class-wise mode: each of the Q likeliest
// classes has its own activation (the belief is that class), window and
// reading, as if to ask whether the image, seen as that class, is one. A
// candidate's logit comes from its own reading, the other classes' from the
// likeliest's.
func (m *Model) forwardCandidates(f Features, text *Node) Output {
	q := min(m.Candidates, shape(text)[0])
	s := shape(f.Tokens) // [B, N, D]
	b, n, d, c := s[0], s[1], s[2], shape(text)[0]
	read := q * (1 + m.Prototypes + m.Keep) // products with tokens, and rows of them
	if m.readsAll() {
		read = n
	}
	tokens, evidence := f.sources(read)
	o := Output{Plain: m.compare(f.Image, text)}
	o.Candidates = layers.TopK(layers.StopGradient(o.Plain), q) // [B, Q]
	ones := m.scope.Const(filled(1, b*q, 1))
	o.Belief = layers.Scatter(ones, layers.Reshape(o.Candidates, b*q, 1), c) // one-hot [B*Q, C]

	spread := func(a *Node) *Node { return m.spread(layers.Reshape(a, b*q, n)) } // [B, Q, N] to [B*Q, N]
	if m.SampleWise {
		leave := m.stage("sample_wise")
		t := text
		if m.Contrast { // the activation is linear in the texts
			t = layers.Sub(t, layers.Mean(t, 0))
		}
		o.SampleScore = spread(tokens.dot(layers.Embedding(t, o.Candidates)))
		leave()
	}
	if m.SemanticWise {
		leave := m.stage("semantic_wise")
		o.SemanticScore = spread(m.bestOfCandidates(o.Candidates, tokens, f))
		leave()
	}
	o.Score = m.score(o, f, text)
	o.Index = m.retain(layers.StopGradient(o.Score), f) // [B*Q, K]
	o.KeptScore = layers.Gather(o.Score, o.Index)
	o.Kept = unit(layers.Reshape(tokens.of(layers.Reshape(o.Index, b, q*m.Keep)), b*q, m.Keep, d))
	o.Weight = m.rank(o.KeptScore)
	o.Reading = m.reread(f, o.Weight, o.Index, q)
	o.Representation = m.represent(&o, o.Reading)
	o.ClassReading = m.classReading()
	o.Text = m.trm(text, o.ClassReading)
	o.Global = m.compare(f.Image, o.Text)

	raw := m.compare(m.gather(o, evidence), o.Text) // [B*Q, C]
	// Against the mean over the classes: readings that say much of every class must
	// not outweigh those of other candidates.
	said := layers.Sub(raw, layers.Reshape(layers.Mean(raw, 1), b*q, 1))
	said = layers.Reshape(said, b, q, c)
	mine := layers.Reshape(o.Belief, b, q, c)
	own := layers.Sum(layers.Mul(said, mine), 1) // [B, C], zero but at candidates
	others := layers.Shift(layers.Scale(layers.Sum(mine, 1), -1), 1)
	first := layers.Reshape(layers.Slice(said, 1, 0, 1), b, c)
	o.Local = layers.Add(own, layers.Mul(others, first))
	o.Logits = m.predict(o.Global, o.Local)
	return o
}

// readsAll says whether the tokens of all patches are needed themselves, by more
// vectors than those of the candidates.
func (m *Model) readsAll() bool {
	return m.Activation != Blend || m.SemanticWise && (m.Contrast || m.Bank == "global")
}

// bestOfCandidates is bestPrototype of each image's candidates [B, Q], under
// contrast less its mean over the classes: [B, Q, N].
func (m *Model) bestOfCandidates(candidates *Node, tokens source, f Features) *Node {
	s, b, n := shape(candidates), shape(m.bank), m.grid*m.grid
	if !m.readsAll() {
		own := layers.Reshape(m.ofCandidates(candidates), s[0], s[1]*b[1], b[2])
		return layers.Max(layers.Reshape(tokens.dot(own), s[0], s[1], b[1], n), 2)
	}
	best := m.bestPrototype(m.bank, f.Tokens) // [B, N, C]
	if b[0] == 1 {                            // prototypes that all classes share
		return layers.Broadcast(layers.Transpose(best, 0, 2, 1), s[0], s[1], n)
	}
	if m.Contrast {
		best = layers.Sub(best, layers.Reshape(layers.Mean(best, 2), s[0], n, 1))
	}
	return layers.Gather(layers.Transpose(best, 0, 2, 1), candidates)
}

// ofCandidates are the prototypes of candidates [B, Q]: [B, Q, P*D].
func (m *Model) ofCandidates(candidates *Node) *Node {
	b := shape(m.bank) // [C, P, D]
	return layers.Embedding(layers.Reshape(m.bank, b[0], b[1]*b[2]), candidates)
}

func filled(v float64, dims ...int) graph.Tensor {
	t := graph.NewTensor(graph.Float64, dims...)
	for i := range t.F64 {
		t.F64[i] = v
	}
	return t
}

// ofClass picks, of each image's Q readings, that of its class: the kept tokens
// [B, K, D], their scores [B, K] and what was read [B, D]. An image whose class
// is no candidate gives the likeliest's.
func (m *Model) ofClass(o Output, labels *Node) (z, score, reading *Node) {
	if o.Candidates == nil {
		return o.Kept, o.KeptScore, o.Reading
	}
	s, k := shape(o.Candidates), shape(o.Kept) // [B, Q], [B*Q, K, D]
	at := graph.Apply(candidateOf{}, o.Candidates, labels)
	pick := func(x *Node, width int) *Node {
		return layers.Gather(layers.Reshape(x, s[0], s[1], width), at)
	}
	return layers.Reshape(pick(o.Kept, k[1]*k[2]), s[0], k[1], k[2]),
		layers.Reshape(pick(o.KeptScore, k[1]), s[0], k[1]),
		layers.Reshape(pick(o.Reading, k[2]), s[0], k[2])
}

// candidateOf is where an image's label stands among its candidates, 0 where it
// does not: Int [B, Q] and [B] to [B, 1].
type candidateOf struct{ graph.NoGrad }

func (candidateOf) Name() string { return "candidate of label" }
func (candidateOf) Infer(in []graph.Type) (graph.Type, error) {
	if len(in[0].Shape) != 2 || len(in[1].Shape) != 1 || in[0].Shape[0] != in[1].Shape[0] {
		return graph.Type{}, fmt.Errorf("want candidates [B, Q] and labels [B]")
	}
	return graph.Type{Shape: graph.Shape{in[0].Shape[0], 1}, Dtype: graph.Int}, nil
}
func (candidateOf) Run(_ *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	q := in[0].Shape[1]
	for b, y := range in[1].Int {
		out.Int[b] = 0
		for i, c := range in[0].Int[b*q : (b+1)*q] {
			if c == y {
				out.Int[b] = i
			}
		}
	}
	return nil
}
