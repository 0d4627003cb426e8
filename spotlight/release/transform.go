package release

import (
	"math"

	"spotlighter/graph"
	"spotlighter/layers"
)

// linear is a fully connected layer; over tokens, a 1x1 convolution.
type linear struct{ weight, bias *Node }

// newLinear declares weight [out, in] and bias [out], both uniform within
// 1/sqrt(in), as torch.nn.Linear starts.
func newLinear(s *graph.Scope, seed uint64, out, in int) linear {
	return linear{uniform(s, "weight", seed, in, out, in), uniform(s, "bias", seed, in, out)}
}

func (l linear) forward(x *Node) *Node { return layers.Linear(x, l.weight, l.bias) }

// uniform declares a trainable variable that starts within 1/sqrt(fanIn) of 0.
func uniform(s *graph.Scope, name string, seed uint64, fanIn int, shape ...int) *Node {
	bound := 1 / math.Sqrt(float64(fanIn))
	return s.Var(name, graph.Trainable, graph.Uniform(seed, -bound, bound), shape...)
}

// transform maps token rows [R, D]: 1x1 convolution, batch norm, ReLU, 1x1
// convolution.
type transform struct {
	first, second linear
	norm          layers.BatchNorm
}

func newTransform(s *graph.Scope, seed uint64, width int) transform {
	return transform{
		first:  newLinear(s.Sub("0"), seed, width, width),
		norm:   layers.NewBatchNorm(s.Sub("1"), layers.Weights{Kind: graph.Trainable, Init: true}, width),
		second: newLinear(s.Sub("3"), seed, width, width),
	}
}

// train maps the rows of one batch x [R, D] and keeps what lies between.
func (t transform) train(o *Output, x *Node) {
	o.Convolved = t.first.forward(x)
	normed, moments := t.norm.Train(o.Convolved)
	o.Rectified = layers.ReLU(normed)
	o.Rows = t.second.forward(o.Rectified)
	o.moments = moments
}
