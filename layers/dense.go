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

// At is a projector with the moments of columns that it normalises by.
type At struct {
	p              Projector
	mean, variance *Node // [out]
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
func (p Projector) Eval(x *Node) *Node { return p.AtTest().Rows(x) }

// AtTest normalises by the running moments.
func (p Projector) AtTest() At { return At{p, p.Norm.Mean, p.Norm.Variance} }

// AtBatch normalises by the moments of a training batch: other rows pass as that
// batch's did. No gradient passes to the moments.
func (p Projector) AtBatch(o Projected) At {
	x := StopGradient(o.First)
	mean := Mean(x, 0)
	return At{p, mean, Mean(Square(Sub(x, mean)), 0)}
}

// Rows maps rows [R, in] to [R, out].
func (a At) Rows(x *Node) *Node { return a.p.Second.Forward(ReLU(a.normed(a.p.First.Forward(x)))) }

func (a At) normed(x *Node) *Node { return a.p.Norm.By(a.mean, a.variance, x) }

// Tangent is the linear map that Rows is at the rows at [B, in], one an image,
// applied to x [B, N, in]: [B, N, out]. It is exact, up to where a unit switches:
// a ReLU network is linear between.
func (a At) Tangent(at, x *Node) *Node {
	b, out := ShapeOf(at)[0], ShapeOf(a.mean)[0]
	h := StopGradient(a.normed(a.p.First.Forward(at)))
	on := Div(ReLU(h), Shift(Abs(h), 1e-20)) // 1 where a unit is on, 0 where it is off [B, out]
	scale := Div(a.p.Norm.Gamma, Sqrt(Shift(a.variance, Eps)))
	y := Mul(Mul(Linear(x, a.p.First.Weight, nil), scale), Reshape(on, b, 1, out))
	return Linear(y, a.p.Second.Weight, nil)
}
