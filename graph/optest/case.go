// Package optest is the one harness that the test of every operation calls.
//
//	optest.Check(t, optest.Case{
//		Name:   "rows",
//		Inputs: []optest.Input{optest.Normal(5, 7)},
//		Build:  func(_ *graph.Scope, in []*graph.Node) *graph.Node { return layers.Softmax(in[0]) },
//	})
package optest

import (
	"hash/fnv"
	"math"
	"math/rand/v2"

	"spotlighter/graph"
)

// Case is one use of an operation.
type Case struct {
	Name   string
	Inputs []Input
	// Build applies the operation. Float inputs arrive as trainable variables.
	Build func(s *graph.Scope, in []*graph.Node) *graph.Node

	// Want is the result by a source other than this code, in row-major order;
	// nil where there is none.
	Want []float64
	// NoGrad skips the gradients, for results that have none.
	NoGrad bool
	// GradTol bounds the gradient's distance from finite differences, and
	// WantTol the result's from Want, both in Float64 and relative to the
	// largest element or 1; 0 means 1e-7 for both.
	GradTol, WantTol float64
	// F32Tol bounds the distance of Float32 from Float64 in the same way;
	// 0 means 1e-5.
	F32Tol float64
	// SkipStock is why the case cannot run under Gorgonia's own machines, ""
	// where it can.
	SkipStock string
	// Fails is in the error that a run must end with, "" where it has a result: then
	// nothing but the error is checked.
	Fails string
	// SkipCUDA is why an op of the case has no CUDA kernel, "" where all have one.
	SkipCUDA string
	// SkipONNX is why the case is no test of ONNX's runtime, "" where it is one.
	SkipONNX string
}

// Input is an operand: floats, or Ints where the operation wants indices. Its
// values are random, from a seed of the case's name, unless they are given.
type Input struct {
	shape  []int
	draw   func(r *rand.Rand) float64
	below  int // Ints in [0, below)
	floats []float64
	ints   []int
}

// Normal draws floats from the standard normal distribution.
func Normal(shape ...int) Input {
	return Input{shape: shape, draw: func(r *rand.Rand) float64 { return r.NormFloat64() }}
}

// Positive draws floats from [0.5, 2).
func Positive(shape ...int) Input {
	return Input{shape: shape, draw: func(r *rand.Rand) float64 { return .5 + 1.5*r.Float64() }}
}

// Indices draws Ints from [0, n).
func Indices(n int, shape ...int) Input { return Input{shape: shape, below: n} }

// Floats are given floats.
func Floats(values []float64, shape ...int) Input { return Input{shape: shape, floats: values} }

// Ints are given Ints.
func Ints(values []int, shape ...int) Input { return Input{shape: shape, ints: values} }

func (in Input) isInt() bool { return in.below > 0 || in.ints != nil }

// tensor returns the input's values. Floats are rounded to Float32, so that
// graphs of both types see the same ones.
func (in Input) tensor(r *rand.Rand) graph.Tensor {
	if in.isInt() {
		t := graph.NewTensor(graph.Int, in.shape...)
		for i := range t.Int {
			if in.ints != nil {
				t.Int[i] = in.ints[i]
			} else {
				t.Int[i] = r.IntN(in.below)
			}
		}
		return t
	}
	t := graph.NewTensor(graph.Float32, in.shape...)
	for i := range t.F32 {
		if in.floats != nil {
			t.F32[i] = float32(in.floats[i])
		} else {
			t.F32[i] = float32(in.draw(r))
		}
	}
	return t
}

func (c Case) rand() *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(c.Name))
	return rand.New(rand.NewPCG(h.Sum64(), 1))
}

func (c Case) values() []graph.Tensor {
	r, ts := c.rand(), make([]graph.Tensor, len(c.Inputs))
	for i, in := range c.Inputs {
		ts[i] = in.tensor(r)
	}
	return ts
}

func or(x, otherwise float64) float64 {
	if x == 0 {
		return otherwise
	}
	return x
}

// floats returns a tensor's elements as float64s.
func floats(t graph.Tensor) []float64 {
	x := make([]float64, t.Len())
	for i := range x {
		switch t.Dtype {
		case graph.Float32:
			x[i] = float64(t.F32[i])
		case graph.Float64:
			x[i] = t.F64[i]
		default:
			x[i] = float64(t.Int[i])
		}
	}
	return x
}

// far returns the first place where got and want differ by more than tol times
// the largest finite element of want, or 1; -1 where there is none. Equal
// infinities are near, and so are two NaNs.
func far(got, want []float64, tol float64) int {
	if len(got) != len(want) {
		return min(len(got), len(want))
	}
	scale := 1.
	for _, v := range want {
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			scale = max(scale, math.Abs(v))
		}
	}
	for i, v := range want {
		if got[i] == v || math.IsNaN(got[i]) && math.IsNaN(v) {
			continue
		}
		if !(math.Abs(got[i]-v) <= tol*scale) {
			return i
		}
	}
	return -1
}
