package spotlight

import (
	"math"

	"spotlighter/graph"
	"spotlighter/layers"
	"spotlighter/vit"
)

// Model is the method's trainable part over a frozen encoder: at K = 5 kept
// tokens and H = 8 heads 21 scalars, in general K + H + 8 (with one level K + H +
// 7).
type Model struct {
	Config
	scope *graph.Scope
	enc   *vit.Encoder
	grid  int
	tau   float64

	theta, rho, kappa, omega   *Node
	headTemp, gamma, a, b, phi *Node
	textMap                    *Node // of trm: linear
	bank, reading, seen, mean  *Node
}

// New declares the method's variables in the graph of s, under "spotlight": the
// scalars, trainable, and the bank of the classes, a state that starts at the
// given prototypes [C, P, D]. Scalars that the config leaves without effect are
// not declared. tau is the encoders' temperature.
func New(s *graph.Scope, c Config, e *vit.Encoder, tau float64, prototypes graph.Tensor) *Model {
	m := &Model{Config: c, scope: s.Sub("spotlight"), enc: e, grid: e.Grid(), tau: tau}
	if c.Bank == "off" {
		m.SemanticWise, m.IRM, m.TRM = false, false, "off"
	}
	if c.Select == "all" {
		m.Keep, m.Level1, m.Levels, m.Window = e.Patches(), e.Patches(), nil, 0
	}
	m.Window = m.Config.window(m.grid)
	if m.Keep > e.Patches() {
		graph.Failf("spotlight.keep: %d, the image encoder has %d patches", m.Keep, e.Patches())
	}
	if m.Keep > e.Kept() {
		graph.Failf("spotlight.keep: %d, pruning leaves %d patches", m.Keep, e.Kept())
	}
	d := prototypes.Shape[2]
	v := func(name string, start float64, shape ...int) *Node {
		return m.scope.Var(name, graph.Trainable, graph.Fill(float32(start)), shape...)
	}
	if m.SampleWise && m.SemanticWise {
		m.theta = v("theta", 0)
	}
	if c.Weighting == Softmax {
		m.rho = v("rho", 0, m.Keep)
	}
	m.omega, m.phi = v("omega", 0, len(m.levels())), v("phi", math.Log(c.Beta/(1-c.Beta)))
	if m.IRM {
		if d%c.Heads != 0 {
			graph.Failf("spotlight.heads: %d do not divide the joint width %d", c.Heads, d)
		}
		m.kappa, m.gamma = v("kappa", math.Log(10)), v("gamma", 0)
		m.headTemp = v("head_log_temp", -math.Log(float64(d/c.Heads))/2, c.Heads)
	}
	if m.TRM == "scalars" && c.Bank == "frozen" {
		m.TRM = "off" // it maps what was read in training: nothing
	}
	switch m.TRM {
	case "scalars":
		m.a, m.b = v("a", c.TextStep), v("b", 0)
	case "linear":
		m.textMap = v("text_map", 0, d, 2*d)
	}
	if c.Bank == "off" {
		return m
	}
	classes := prototypes.Shape[0]
	if c.Bank == "global" {
		prototypes = shared(prototypes)
	}
	m.bank = m.scope.Var("bank", graph.State, graph.Values(prototypes.F32), prototypes.Shape...)
	m.reading = m.scope.Var("reading", graph.State, graph.Zeros, classes, d)
	if c.Centre > 0 && c.Bank != "frozen" {
		m.mean = m.scope.Var("mean", graph.State, graph.Zeros, d)
	}
	m.seen = m.scope.Var("seen", graph.State, graph.Zeros, classes)
	return m
}

// Output holds the named intermediates of one pass, in the order of the stages.
// In the class-wise mode, with Q candidates an image, those from Belief to
// Representation have a row for each candidate: B*Q for B.
type Output struct {
	Candidates                 *Node // the likeliest classes [B, Q], Int; nil unless class-wise
	Belief                     *Node // p [B, C]
	SampleScore, SemanticScore *Node // s1, s2 [B, N]; nil when switched off
	Score                      *Node // s [B, N]
	Index                      *Node // kept tokens, by falling score [B, K], Int
	KeptScore, Kept            *Node // [B, K]; unit tokens z [B, K, D]
	Weight                     *Node // within the levels [B, K]
	Reading                    *Node // f [B, D]
	Matched, Mapped            *Node // q [B, K, D], A [B, D]; nil without IRM
	Representation             *Node // rep [B, D]
	ClassReading, Text         *Node // hhat, r [C, D]; hhat is nil without bank
	Plain, Global, Local       *Node // tau g.t, tau g.r, tau rep.r [B, C]
	Levels                     []*Node
	Logits                     *Node // the prediction [B, C]
}

// Forward classifies images among the classes of unit texts [C, D].
func (m *Model) Forward(f Features, text *Node) Output {
	defer m.scope.Enter()()
	if m.Candidates > 1 {
		return m.forwardCandidates(f, text)
	}
	o := Output{Plain: m.compare(f.Image, text)}
	o.Belief = belief(o.Plain)
	if m.SampleWise {
		o.SampleScore = m.sampleWise(o.Belief, text, f.Tokens)
	}
	if m.SemanticWise {
		o.SemanticScore = m.semanticWise(o.Belief, m.bank, f.Tokens)
	}
	o.Score = m.score(o, f, text)
	o.Index = m.retain(layers.StopGradient(o.Score), f)
	o.Kept, o.KeptScore = kept(f.Tokens, o.Score, o.Index)
	o.Weight = m.rank(o.KeptScore)
	o.Reading = m.read(f, o.Weight, o.Index, o.Kept)
	o.Representation = m.represent(&o, o.Reading)
	o.ClassReading = m.classReading()
	o.Text = m.trm(text, o.ClassReading)
	o.Global, o.Local = m.compare(f.Image, o.Text), m.compare(m.gather(o, given{f.Evidence}), o.Text)
	if m.LocalLoss {
		for _, l := range m.levels() {
			mask := graph.NewTensor(graph.Float64, m.Keep)
			for i := l.Lo; i < l.Hi; i++ {
				mask.F64[i] = 1
			}
			alone := m.read(f, layers.Mul(o.Weight, m.scope.Const(mask)), o.Index, o.Kept)
			o.Levels = append(o.Levels, m.compare(alone, o.Text))
		}
	}
	o.Logits = m.predict(o.Global, o.Local)
	return o
}

// stage makes a part of the method the layer that nodes are said to be of.
func (m *Model) stage(name string) (leave func()) { return m.scope.Sub(name).Enter() }

// blend is the score lambda s1 + (1 - lambda) s2, lambda = sigmoid(theta); where
// one activation is switched off (nil), the other.
func (m *Model) blend(s1, s2 *Node) *Node {
	switch {
	case s2 == nil:
		return s1
	case s1 == nil:
		return s2
	}
	return layers.Add(s2, layers.Mul(layers.Sigmoid(m.theta), layers.Sub(s1, s2)))
}

// predict mixes the logits (1 - beta) global + beta local, beta = sigmoid(phi).
func (m *Model) predict(global, local *Node) *Node {
	return layers.Add(global, layers.Mul(layers.Sigmoid(m.phi), layers.Sub(local, global)))
}

// represent adds what the image mapping module makes of the kept tokens.
func (m *Model) represent(o *Output, reading *Node) *Node {
	if !m.IRM {
		return reading
	}
	if o.Candidates != nil && m.Bank != "global" {
		o.Matched = m.matchOwn(o.Candidates, o.Kept)
	} else {
		o.Matched = m.match(o.Belief, o.Kept, m.bank)
	}
	o.Mapped = m.irm(o.Matched, o.Kept)
	return unit(layers.Add(reading, layers.Mul(o.Mapped, m.gamma)))
}

// gather is all that an image says in its reading [R, D], or its candidates in
// theirs: the representation, the evidence of the kept tokens, and less of what
// every image says. Not of unit length: how strong the evidence is counts.
func (m *Model) gather(o Output, evidence source) *Node {
	defer m.stage("evidence")()
	x := o.Representation
	if m.Evidence > 0 {
		r, q := shape(o.Index)[0], 1
		if o.Candidates != nil {
			q = shape(o.Candidates)[1]
		}
		sums := evidence.sums(layers.Reshape(o.Index, r/q, q*m.Keep), m.Keep)
		x = layers.Add(x, layers.Scale(layers.Reshape(sums, shape(x)...), m.Evidence))
	}
	if m.mean != nil {
		x = layers.Sub(x, layers.Scale(m.mean, m.Centre))
	}
	return x
}

// compare is tau times the cosines of unit features and unit texts.
func (m *Model) compare(feature, text *Node) *Node {
	return layers.Scale(layers.MatMul(feature, text, false, true), m.tau)
}

// TrainingFree is the config of the mode without anything learned: the sample's
// own activation, the re-read, and no bank.
func (c Config) TrainingFree() Config {
	c.SampleWise, c.SemanticWise, c.IRM, c.TRM, c.Bank = true, false, false, "off", "frozen" // so nothing is known to centre by
	return c
}
