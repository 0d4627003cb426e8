package release

import (
	"math"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
)

// textShare is the weight of what a cache adds to a class text.
const textShare = .2

// Cache is a bank of prototypes of image tokens that class texts read: the local
// cache and the aggregation of TextRefiner (arXiv 2412.08176, section 3.2), which
// the published Spotlighter took over.
type Cache struct {
	scope     *graph.Scope
	Bank      *Node // unit rows [P, D], a state
	Extractor *Node // [D, 2D], no bias
}

// BankName is the bank's variable below the scope that a cache is declared in,
// by its published name.
const BankName = "memory.text_fine_cache"

// NewCache declares the bank and the extractor for joint width D.
func NewCache(s *graph.Scope, seed uint64, prototypes, width int) Cache {
	return Cache{
		scope:     s,
		Bank:      s.Var(BankName, graph.State, positiveUnit(seed, width), prototypes, width),
		Extractor: layers.FanIn(s.Sub("memory").Sub("extractor"), "weight", seed, 2*width, width, 2*width),
	}
}

// positiveUnit starts rows uniform in [0, 1) and normalised: all positive, so
// that every two have a cosine of about .75.
func positiveUnit(seed uint64, width int) graph.Init {
	draw := graph.Uniform(seed, 0, 1)
	return func(name string, dst []float32) {
		draw(name, dst)
		for at := 0; at < len(dst); at += width {
			normalise(dst[at : at+width])
		}
	}
}

// Read mixes the prototypes by their cosines with the rows of x [R, D], without
// a temperature: the weights [R, P] are nearly equal.
func (c Cache) Read(x *Node) (weights, read *Node) {
	weights = layers.Softmax(layers.MatMul(unit(x), c.Bank, false, true))
	return weights, layers.MatMul(weights, c.Bank, false, false)
}

// Refined holds the intermediates of a class text's way to r.
type Refined struct {
	TextWeights, TextRead *Node // [C, P], [C, D]
	Extracted, Text       *Node // r before and after the addition of t [C, D]
}

// Refine maps unit class texts t [C, D] to r, of no particular length.
func (c Cache) Refine(t *Node) (o Refined) {
	o.TextWeights, o.TextRead = c.Read(t)
	o.Extracted = layers.Linear(layers.Concat(1, t, o.TextRead), c.Extractor, nil)
	o.Text = layers.Add(layers.Scale(o.Extracted, textShare), t)
	return o
}

// Written holds the intermediates of a write.
type Written struct {
	Unit                     *Node // rows that are written to the bank [R, D]
	OverPrototypes, OverRows *Node // softmaxes of their similarities [R, P]
	Assignment               *Node // the prototype of each row [R], Int
	Bank                     *Node // after the step [P, D]
}

// Write computes the bank after a step, from token rows x [R, D]; sum adds up what
// is written to a prototype in place of its mean. closed is added to the
// similarities; nil where every token may write to every prototype. No gradient
// passes.
func (c Cache) Write(x, closed *Node, sum bool) (o Written) {
	o.Unit = unit(layers.StopGradient(x))
	s := layers.MatMul(o.Unit, c.Bank, false, true) // [R, P]
	if closed != nil {
		s = layers.Add(s, closed)
	}
	o.OverPrototypes = layers.Softmax(s)
	o.OverRows = layers.Transpose(layers.Softmax(layers.Transpose(s, 1, 0)), 1, 0)
	o.Assignment = layers.ArgMax(o.OverPrototypes)
	o.Bank = graph.Apply(bankWrite{Momentum: bankMomentum, Sum: sum}, c.Bank, o.Unit, o.OverRows, o.Assignment)
	return o
}

// Update makes the bank what a write made of it.
func (c Cache) Update(o Written) graph.Update {
	return graph.Update{Var: c.scope.Find(BankName), Value: o.Bank}
}

// bankMomentum is the weight of a prototype beside what is written to it.
const bankMomentum = .8

// bankWrite moves prototypes M [P, D] by the rows F [R, D] assigned to them, each
// weighted by its place in the softmax over all rows A [R, P]:
//
//	M_i <- .8 M_i + .2 sum over r in I_i of A[r,i]/max(A[:,i]) F_r
//
// or, without Sum, divided by the sum of those weights; then every prototype is
// normalised.
type bankWrite struct {
	graph.NoGrad
	Momentum float64
	Sum      bool
}

func (bankWrite) Name() string                              { return "bank write" }
func (bankWrite) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (o bankWrite) Run(_ *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		bankWriteKernel(o, out.Shape, out.F64, in[0].F64, in[1].F64, in[2].F64, in[3].Int)
	} else {
		bankWriteKernel(o, out.Shape, out.F32, in[0].F32, in[1].F32, in[2].F32, in[3].Int)
	}
	return nil
}

func bankWriteKernel[T cpu.Float](o bankWrite, s graph.Shape, out, bank, rows, overRows []T, assigned []int) {
	p, d := s[0], s[1]
	copy(out, bank)
	greatest, total := make([]T, p), make([]T, p)
	for r, i := range assigned {
		for j, a := range overRows[r*p : r*p+p] {
			greatest[j] = max(greatest[j], a)
		}
		total[i] += overRows[r*p+i]
	}
	for i := range p {
		if total[i] > 0 {
			cpu.Scale(out[i*d:i*d+d], T(o.Momentum), out[i*d:i*d+d])
		}
		if o.Sum {
			total[i] = greatest[i]
		}
	}
	for r, i := range assigned { // in the order of the rows: one order of sums
		step := T(1-o.Momentum) * overRows[r*p+i] / total[i]
		cpu.AddScaled(out[i*d:i*d+d], step, rows[r*d:r*d+d])
	}
	for i := range p {
		normalise(out[i*d : i*d+d])
	}
}

func normalise[T cpu.Float](row []T) {
	cpu.Scale(row, T(1/max(math.Sqrt(float64(cpu.Dot(row, row))), 1e-12)), row)
}
