package spotlight

import (
	"math"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
)

// trm is the text mapping module: the class texts t [C, D], moved by what was
// read of each class in training, hhat [C, D]: normalise(t + a hhat + b t*hhat).
// As "linear" it is the figure's map of the concatenation [t; hhat], which
// starts at zero.
func (m *Model) trm(text, hhat *Node) *Node {
	defer m.stage("trm")()
	switch m.TRM {
	case "scalars":
		moved := layers.Add(layers.Mul(hhat, m.a), layers.Mul(layers.Mul(text, hhat), m.b))
		return unit(layers.Add(text, moved))
	case "linear":
		return unit(layers.Add(text, layers.Linear(layers.Concat(1, text, hhat), m.textMap, nil)))
	}
	return text
}

// classReading is hhat, what was read of each class [C, D]; nil without bank.
func (m *Model) classReading() *Node {
	if m.Bank == "off" {
		return nil
	}
	defer m.stage("bank")()
	return graph.Apply(classReading{}, m.reading, m.seen)
}

// classReading is normalise(h[c] - mean of h over the classes seen), zero for a
// class not seen, and for all while fewer than two are: h [C, D] and seen [C].
type classReading struct{ graph.NoGrad }

func (classReading) Name() string                              { return "class reading" }
func (classReading) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (classReading) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		classReadingKernel(graph.Scratch[float64](c, out.Shape[1]), out.F64, in[0].F64, in[1].F64)
	} else {
		classReadingKernel(graph.Scratch[float32](c, out.Shape[1]), out.F32, in[0].F32, in[1].F32)
	}
	return nil
}

func classReadingKernel[T cpu.Float](mean, out, h, seen []T) {
	d := len(mean)
	clear(out)
	n := cpu.Sum(seen)
	if n < 2 {
		return
	}
	clear(mean)
	for c, s := range seen {
		cpu.AddScaled(mean, s/n, h[c*d:c*d+d])
	}
	for c, s := range seen {
		if s == 0 {
			continue
		}
		row := out[c*d : c*d+d]
		cpu.Sub(row, h[c*d:c*d+d], mean)
		length := math.Sqrt(float64(cpu.Dot(row, row)))
		cpu.Scale(row, T(1/max(length, 1e-12)), row)
	}
}
