package release

import (
	"spotlighter/graph"
	"spotlighter/layers"
	"spotlighter/vit"
)

// Model is the published trainer's learned part: 15 tensors beside the prompt,
// 8D² + 8D scalars.
type Model struct {
	Config
	scope     *graph.Scope
	tau       float64
	seed      uint64
	step      *Node // batches so far, which the dropout masks are drawn by
	transform layers.Projector
	memory    memory
	student   bool // of a teacher, see NewStudent
}

// New declares the model's variables in s, for joint width D, under their
// published names, drawn from generators of the seed. tau is the encoders'
// temperature.
func New(s *graph.Scope, c Config, width int, tau float64, seed uint64) *Model {
	return newModel(s, c, width, width, tau, seed)
}

// newModel is New for tokens of width in.
func newModel(s *graph.Scope, c Config, in, width int, tau float64, seed uint64) *Model {
	if width%c.Heads != 0 {
		graph.Failf("spotlight.release.heads: %d do not divide the joint width %d", c.Heads, width)
	}
	m := &Model{Config: c, scope: s, tau: tau, seed: seed}
	m.transform = layers.NewProjector(s.Sub("mid_image_trans"), seed, in, width)
	m.memory = newMemory(s, c, seed, width)
	if c.Dropout > 0 {
		m.step = s.Sub("dropout").Var("step", graph.State, graph.Zeros)
	}
	return m
}

// Features are what the trainer needs of an image, computed once by the frozen
// encoder.
type Features struct {
	Image     *Node // unit CLS feature g [B, D]
	Tokens    *Node // all tokens of the last block after ln_post and projection [B, N+1, D]
	Attention *Node // of CLS to the patches in the last block, mean of the heads [B, N]
}

// Encode adds the nodes of the features to an encoder's pass.
func Encode(e *vit.Encoder, o vit.Output) Features {
	a := layers.Mean(e.ClassAttention(o, e.Layers-1), 1) // [B, N+1]
	return Features{
		Image:     layers.L2Normalize(o.Feature, 0),
		Tokens:    e.Head(o.Tokens[e.Layers]),
		Attention: layers.Slice(a, 1, 1, e.Patches()+1),
	}
}

// Output holds the named intermediates of one pass, in the order of the stages.
// Those of the first and the last group are nil at test time.
type Output struct {
	layers.Projected                      // the transform's: its rows are x [R, D]
	Index                           *Node // kept patches, most attended first [B, K], Int
	All, Top, Low                   *Node // selected rows [B, K+2, D], [B, K1+2, D], [B, K-K1+2, D]
	AllLogits, TopLogits, LowLogits *Node // [B, ., C]

	Refined
	ImageWeights, ImageRead *Node // [B, P], [B, D]
	Attention, Image        *Node // weights after dropout [B, H, 1, keys]; out [B, D]
	Logits                  *Node // [B, C]

	Written
	Losses Losses
}

// Mask draws the dropout mask of the attention for a batch, another one in each
// step: [B, H, 1, keys]; nil where nothing is dropped.
func (m *Model) Mask(batch int) *Node {
	if m.step == nil {
		return nil
	}
	return layers.DropoutMask(m.step, m.Dropout, m.seed, batch, m.Heads, 1, m.keys())
}

func (m *Model) keys() int {
	if m.SingleKeyAttention {
		return 1
	}
	return m.Prototypes
}

// Train classifies images of labels [B] among the classes of unit texts t [C, D],
// as training does. mask is Mask's, or a recorded one.
func (m *Model) Train(f Features, t, labels, mask *Node) Output {
	defer m.scope.Enter()()
	o := m.local(f, t)
	m.remember(&o, f.Image, t, m.TrainMix, mask)
	m.write(&o, o.Rows, labels, shape(t)[0])
	o.Losses = losses(o, t, f.Image, labels)
	return o
}

// local transforms the tokens and classifies those that are selected.
func (m *Model) local(f Features, t *Node) (o Output) {
	s := shape(f.Tokens)
	o.Projected = m.transform.Train(layers.Reshape(f.Tokens, s[0]*s[1], s[2]))
	m.selectRows(&o, f.Attention, layers.Reshape(o.Rows, s[0], s[1], shape(o.Rows)[1]))
	o.AllLogits, o.TopLogits, o.LowLogits = m.compare(o.All, t), m.compare(o.Top, t), m.compare(o.Low, t)
	return o
}

// Eval classifies images of unit features g [B, D] among the classes of unit
// texts t [C, D], as evaluation does.
func (m *Model) Eval(g, t *Node) Output {
	defer m.scope.Enter()()
	var o Output
	m.remember(&o, g, t, m.TestMix, nil)
	return o
}

// remember reads the bank for texts and images, and mixes the logits.
func (m *Model) remember(o *Output, g, t *Node, mix float64, mask *Node) {
	o.Refined = m.memory.Refine(t)
	m.memory.image(o, g, m.SingleKeyAttention, m.student, mask)
	o.Logits = m.compare(layers.Add(layers.Scale(g, 1-mix), layers.Scale(o.Image, mix)), o.Text)
}

// compare is tau times the products of rows [..., D] and texts [C, D]: [..., C].
func (m *Model) compare(x, t *Node) *Node {
	return layers.Scale(layers.Linear(x, t, nil), m.tau)
}

// Updates is a training step beside the optimiser's: the bank, the moments of
// the batch norm, and the count that dropout draws by.
func (m *Model) Updates(o Output) []graph.Update {
	us := append(o.Moments, m.memory.Update(o.Written))
	if m.step != nil {
		us = append(us, graph.Update{Var: m.scope.Sub("dropout").Find("step"), Value: layers.Shift(m.step, 1)})
	}
	return us
}
