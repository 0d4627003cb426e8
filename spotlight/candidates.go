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
	mapped := min(b*q, c) * (1 + m.Prototypes)
	read := (mapped+b-1)/b + q*m.Keep // vectors that are mapped for an image, rows of its tokens
	if m.readsAll() {
		read = n
	}
	tokens, evidence := f.sources(read)
	o := Output{Plain: m.compare(f.Image, text)}
	o.Candidates = layers.TopK(layers.StopGradient(o.Plain), q) // [B, Q]
	ones := m.scope.Const(filled(1, b*q, 1))
	o.Belief = layers.Scatter(ones, layers.Reshape(o.Candidates, b*q, 1), c) // one-hot [B*Q, C]

	o.SampleScore, o.SemanticScore = m.activations(o.Candidates, tokens, f, text)
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

// activations are s1 and s2 of each image's candidates [B, Q], each believed in
// alone: [B*Q, N], nil where one is switched off.
func (m *Model) activations(candidates *Node, tokens source, f Features, text *Node) (sample, semantic *Node) {
	v := vectors{of: candidates} // that the tokens are compared with, by one product
	if m.SampleWise {
		leave := m.stage("sample_wise")
		if m.Contrast { // s1 is linear in the texts
			text = layers.Sub(text, layers.Mean(text, 0))
		}
		t := shape(text)
		v.tables = append(v.tables, layers.Reshape(text, t[0], 1, t[1]))
		leave()
	}
	own := m.SemanticWise && !m.readsAll()
	if own {
		v.tables = append(v.tables, m.bank)
	}
	var like *Node // [B, Q, K, N], K of a class: its text, its prototypes
	if len(v.tables) > 0 {
		q := shape(candidates)
		like = tokens.dot(v)
		like = layers.Reshape(like, q[0], q[1], shape(like)[1]/q[1], shape(like)[2])
	}
	if m.SampleWise {
		sample = m.spreadRows("sample_wise", layers.Slice(like, 2, 0, 1))
	}
	switch {
	case own:
		k := shape(like)[2]
		semantic = m.spreadRows("semantic_wise", layers.Max(layers.Slice(like, 2, k-m.Prototypes, k), 2))
	case m.SemanticWise:
		semantic = m.spreadRows("semantic_wise", m.bestOfAll(candidates, f))
	}
	return sample, semantic
}

// spreadRows is spread of activations of R rows [..., N]: [R, N].
func (m *Model) spreadRows(stage string, a *Node) *Node {
	defer m.stage(stage)()
	return m.spread(layers.Reshape(a, -1, last(shape(a))))
}

// bestOfAll is bestPrototype of candidates [B, Q] where more than their own
// prototypes counts: [B, Q, N].
func (m *Model) bestOfAll(candidates *Node, f Features) *Node {
	best := m.bestPrototype(m.bank, f.Tokens) // [B, N, C]
	s := shape(best)
	if s[2] == 1 { // prototypes that all classes share
		return layers.Broadcast(layers.Transpose(best, 0, 2, 1), s[0], shape(candidates)[1], s[1])
	}
	if m.Contrast {
		best = layers.Sub(best, layers.Reshape(layers.Mean(best, 2), s[0], s[1], 1))
	}
	return layers.Gather(layers.Transpose(best, 0, 2, 1), candidates)
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
