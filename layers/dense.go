package layers

import (
	"math"

	"spotlighter/graph"
)

// Dense is a fully connected layer over the last axis; over tokens, a 1x1
// convolution.
type Dense struct{ Weight, Bias *Node } // [out, in], [out]

// NewDense declares weight and bias, trainable, both uniform within 1/sqrt(in),
// as torch.nn.Linear starts.
func NewDense(s *graph.Scope, seed uint64, in, out int) Dense {
	return Dense{FanIn(s, "weight", seed, in, out, in), FanIn(s, "bias", seed, in, out)}
}

// Forward maps x [..., in] to [..., out].
func (d Dense) Forward(x *Node) *Node { return Linear(x, d.Weight, d.Bias) }

// FanIn declares a trainable variable of that shape that starts uniform within
// 1/sqrt(fanIn).
func FanIn(s *graph.Scope, name string, seed uint64, fanIn int, shape ...int) *Node {
	bound := 1 / math.Sqrt(float64(fanIn))
	return s.Var(name, graph.Trainable, graph.Uniform(seed, -bound, bound), shape...)
}

// Projector maps rows to another width: a fully connected layer, batch norm,
// ReLU, and another one. PromptKD (arXiv 2403.02781) projects students into their
// teacher's space by it, TextRefiner (arXiv 2412.08176) image tokens to the texts.
type Projector struct {
	First  Dense
	Norm   BatchNorm
	Second Dense
}

// NewProjector declares the variables under the published programs' names: 6
// tensors, 8 with the running moments.
func NewProjector(s *graph.Scope, seed uint64, in, out int) Projector {
	s = s.Sub("conv1")
	return Projector{
		First:  NewDense(s.Sub("0"), seed, in, out),
		Norm:   NewBatchNorm(s.Sub("1"), Weights{Kind: graph.Trainable, Init: true}, out),
		Second: NewDense(s.Sub("3"), seed, out, out),
	}
}

// Projected holds the intermediates of a training pass, all [R, out], and the
// updates of the running moments.
type Projected struct {
	First, Rectified, Rows *Node
	Moments                []graph.Update
}

// Train maps the rows of a batch x [R, in], at least two, which are normalised by
// their own moments.
func (p Projector) Train(x *Node) (o Projected) {
	o.First = p.First.Forward(x)
	normed, moments := p.Norm.Train(o.First)
	o.Moments = moments
	o.Rectified = ReLU(normed)
	o.Rows = p.Second.Forward(o.Rectified)
	return o
}

// Eval maps rows [R, in] to [R, out] by the running moments.
func (p Projector) Eval(x *Node) *Node {
	return p.Second.Forward(ReLU(p.Norm.Eval(p.First.Forward(x))))
}
