package inspect

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// Check says how gradients are compared with finite differences.
type Check struct {
	Elements int     // of each variable, drawn at random; 0: all
	Step     float64 // h of the central difference (f(x+h) - f(x-h)) / 2h
	Tol      float64 // the largest error, relative to the variable's largest gradient
}

// GradientRow is what was found of one variable.
type GradientRow struct {
	Variable string
	Shape    graph.Shape
	Elements int     // checked alone; beside them one direction through all is
	Largest  float64 // gradient of the variable, absolute
	Error    float64 // the largest difference from finite differences, relative to Largest
	At       string  // where that is
	Got      float64 // the gradient there
	Want     float64 // and what finite differences give
	OK       bool
	Zero     bool // both are zero everywhere that was looked
	Tiny     bool // OK, but so small that rounding hides it from differences
}

// Gradients compares the gradients of a scalar loss with central differences of
// it, in a Float64 graph: those of drawn elements of each variable, and of one
// random direction through all of its elements. What has no gradient by its
// nature (a selection, StopGradient) is held at its value, as Grad takes it to
// be; held names those ops. The variables have their values back at the end.
func Gradients(ctx context.Context, s *graph.Scope, pool *cpu.Pool, loss *graph.Node, vars []*graph.Variable, feeds map[string]graph.Tensor, c Check) (rows []GradientRow, held []string, err error) {
	if s.Dtype() != graph.Float64 {
		return nil, nil, fmt.Errorf("gradients are checked in %v, the graph computes in %v", graph.Float64, s.Dtype())
	}
	value, err := s.Compile(pool, map[string]*graph.Node{"loss": loss})
	if err != nil {
		return nil, nil, err
	}
	grads, err := s.Grad(loss, vars)
	if err != nil {
		return nil, nil, err
	}
	outputs := map[string]*graph.Node{}
	for i, g := range grads {
		outputs[fmt.Sprint(i)] = g
	}
	p, err := s.Compile(pool, outputs)
	if err != nil {
		return nil, nil, err
	}
	if err := p.Run(ctx, feeds); err != nil {
		return nil, nil, err
	}
	if held, err = value.Hold(ctx, feeds); err != nil {
		return nil, nil, err
	}
	slices.Sort(held)
	held = slices.Compact(held)
	d := differences{ctx: ctx, loss: value, feeds: feeds, h: c.Step}
	for i, v := range vars {
		row, err := d.row(v, p.Output(fmt.Sprint(i)).F64, c)
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, row)
	}
	return rows, held, nil
}

// differences takes central differences of a program's loss.
type differences struct {
	ctx   context.Context
	loss  *graph.Program
	feeds map[string]graph.Tensor
	h     float64
}

func (d *differences) row(v *graph.Variable, grad []float64, c Check) (GradientRow, error) {
	h := fnv.New64a()
	h.Write([]byte(v.Name))
	r := rand.New(rand.NewPCG(h.Sum64(), 7))
	row := GradientRow{Variable: v.Name, Shape: v.Type.Shape}
	for _, g := range grad {
		row.Largest = max(row.Largest, math.Abs(g))
	}
	type pair struct {
		at        string
		got, want float64
		h         float64
	}
	var pairs []pair
	places := r.Perm(len(grad))
	if c.Elements > 0 {
		places = places[:min(c.Elements, len(places))]
	}
	row.Elements = len(places)
	dir := make([]float64, len(grad))
	for _, k := range places {
		clear(dir)
		dir[k] = 1
		want, h, err := d.along(v, dir, grad[k], c.Tol*row.Largest)
		if err != nil {
			return row, err
		}
		pairs = append(pairs, pair{fmt.Sprint(place(k, v.Type.Shape)), grad[k], want, h})
	}
	var got float64
	for k := range dir {
		dir[k] = (2*float64(r.IntN(2)) - 1) / math.Sqrt(float64(len(dir)))
		got += grad[k] * dir[k]
	}
	want, step, err := d.along(v, dir, got, c.Tol*row.Largest)
	if err != nil {
		return row, err
	}
	pairs = append(pairs, pair{"a random direction", got, want, step})
	largest := row.Largest
	for _, p := range pairs { // a gradient that is zero by mistake has no scale of its own
		largest = max(largest, math.Abs(p.want))
	}
	row.OK, row.Zero = true, largest == 0
	for _, p := range pairs {
		off := math.Abs(p.got - p.want)
		e := off / max(largest, math.SmallestNonzeroFloat64)
		if e > row.Error || row.At == "" || math.IsNaN(e) {
			row.Error, row.At, row.Got, row.Want = e, p.at, p.got, p.want
		}
		row.OK = row.OK && off <= c.Tol*largest+d.noise(p.h) // NaN is not
	}
	row.Tiny = row.OK && row.Error > c.Tol
	return row, nil
}

// noise is what rounding of the losses makes of a difference.
func (d *differences) noise(h float64) float64 {
	return 16 * 0x1p-52 * max(math.Abs(d.loss.Output("loss").F64[0]), 1) / h
}

// along is the derivative of the loss as v moves in a unit direction, and the step
// that gave it. A step across a kink (of a ReLU, a maximum) has no part in the
// gradient: where the difference is not the one that is looked for, smaller steps
// are tried. A wrong gradient is wrong by any step.
func (d *differences) along(v *graph.Variable, dir []float64, looked, tol float64) (float64, float64, error) {
	var first float64
	for _, h := range []float64{d.h, d.h / 10, d.h / 100} {
		got, err := d.difference(v, dir, h)
		if err != nil || math.Abs(got-looked) <= tol+d.noise(h) {
			return got, h, err
		}
		if h == d.h {
			first = got
		}
	}
	return first, d.h, nil
}

// difference is the central difference of four points: the error of two, h^2 times
// the third derivative, would be the difference's own where the loss is steep.
func (d *differences) difference(v *graph.Variable, dir []float64, h float64) (float64, error) {
	x := v.Value.F64
	at := slices.Clone(x)
	defer copy(x, at)
	var f [4]float64
	for i, k := range [4]float64{1, -1, 2, -2} {
		for j := range x {
			x[j] = at[j] + k*h*dir[j]
		}
		if err := d.loss.Run(d.ctx, d.feeds); err != nil {
			return 0, err
		}
		f[i] = d.loss.Output("loss").F64[0]
	}
	return (8*(f[0]-f[1]) - (f[2] - f[3])) / (12 * h), nil
}
