package release

import (
	"math"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
)

// bankMomentum is the weight of a prototype beside what is written to it.
const bankMomentum = .8

// closed is the similarity of a token and a prototype that it may not write to.
const closed = -1e4

// write computes the bank after a step, from all tokens of the batch: rows x
// [R, D] of images with labels [B] among the given number of classes. No
// gradient passes.
func (m *Model) write(o *Output, x, labels *Node, classes int) {
	o.Written = unit(layers.StopGradient(x))
	s := layers.MatMul(o.Written, m.memory.bank, false, true) // [R, P]
	if !m.UnlabelledBank {
		b, r, p := shape(labels)[0], shape(s)[0], shape(s)[1]
		closed := layers.Embedding(m.scope.Const(shares(classes, p)), labels) // [B, P]
		s = layers.Reshape(layers.Add(layers.Reshape(s, b, r/b, p), layers.Reshape(closed, b, 1, p)), r, p)
	}
	o.OverPrototypes = layers.Softmax(s)
	o.OverRows = layers.Transpose(layers.Softmax(layers.Transpose(s, 1, 0)), 1, 0)
	o.Assignment = layers.ArgMax(o.OverPrototypes)
	o.Bank = graph.Apply(bankWrite{Momentum: bankMomentum, Sum: m.SumWrite}, m.memory.bank, o.Written, o.OverRows, o.Assignment)
}

// shares deals prototypes out to classes in turn: [C, P], 0 where a class may
// write.
func shares(classes, prototypes int) graph.Tensor {
	t := graph.NewTensor(graph.Float32, classes, prototypes)
	n := min(classes, prototypes)
	for c := range classes {
		for p := range prototypes {
			if p%n != c%n {
				t.F32[c*prototypes+p] = closed
			}
		}
	}
	return t
}

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
