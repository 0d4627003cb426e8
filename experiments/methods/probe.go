package methods

import (
	"context"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/optimize"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
)

const probeKey = "probe"

func init() {
	Register(Row{
		Name: "linear-probe", Learns: true, Support: true, Alone: true,
		Section: Section{Key: probeKey, Default: func() Settings { return &Probe{C: 31.6, Iterations: 1000} }},
		New:     func(o Options) Method { return probe{Options: o, set: settings[Probe](o, probeKey)} },
	})
}

// Probe is how a linear classifier is fitted.
type Probe struct {
	C          float64 `yaml:"c"`          // inverse strength of the L2 penalty, as scikit-learn has it
	Iterations int     `yaml:"iterations"` // of L-BFGS, at most
}

// Validate reports the first setting that cannot work.
func (p *Probe) Validate() error {
	switch {
	case p.C <= 0:
		return fmt.Errorf("probe.c: found %g, want above 0", p.C)
	case p.Iterations < 1:
		return fmt.Errorf("probe.iterations: found %d, want at least 1", p.Iterations)
	}
	return nil
}

// probe is logistic regression on the frozen features of the whole training images
// (Radford et al., arXiv 2103.00020, section 3.2): the least of
//
//	mean cross-entropy of x Wᵀ + b, plus |W|²/(2 C n)
//
// over n images, found by L-BFGS in float64. Features have length 1 here, so that C is about a
// hundred times that of features as CLIP's encoder gives them, whose length is
// about 10. A linear classifier knows the classes that it was fitted to and no
// other: these are read in hand-written prompts, as CLIP does.
type probe struct {
	frozenVision
	Options
	set Probe
}

const (
	probeScope  = "probe"
	probeWeight = "weight" // [C, D]
	probeBias   = "bias"   // [C]
)

func (probe) Text(c CLIP, cl Classes) *Node { return c.Scope.Const(cl.Text) }

func (m probe) Build(c CLIP, cl Classes, b Batch) Outputs {
	s := c.Scope.Sub(probeScope)
	w := s.Find(probeWeight)
	if w == nil { // training saw none of the classes
		return Outputs{Logits: compare(c, b.Features.Image, b.Text)}
	}
	n := len(cl.Names)
	weight, bias := s.Var(probeWeight, graph.State, nil, n, w.Type.Shape[1]), s.Var(probeBias, graph.State, nil, n)
	return Outputs{Logits: layers.Linear(b.Features.Image, weight, bias)}
}

// Fit implements Fitter.
func (m probe) Fit(ctx context.Context, pool *cpu.Pool, c CLIP, cl Classes) ([]*graph.Variable, error) {
	p, err := newObjective(pool, m.set.C, len(cl.Names), *cl.Support)
	if err != nil {
		return nil, err
	}
	x, err := p.least(ctx, m.set.Iterations)
	if err != nil {
		return nil, err
	}
	own, d := c.Scope.Sub(probeScope), cl.Support.Plain.Shape[1]
	err = graph.Try(func() {
		split := len(cl.Names) * d
		value := func(x []float64) graph.Init {
			return func(_ string, dst []float32) {
				for i, v := range x {
					dst[i] = float32(v)
				}
			}
		}
		own.Var(probeWeight, graph.State, value(x[:split]), len(cl.Names), d)
		own.Var(probeBias, graph.State, value(x[split:]), len(cl.Names))
	})
	return []*graph.Variable{own.Find(probeWeight), own.Find(probeBias)}, err
}

// objective is what a probe makes least, as a program over W and then b.
type objective struct {
	program *graph.Program
	vars    []*graph.Variable
	size    int
}

func newObjective(pool *cpu.Pool, c float64, classes int, of Support) (*objective, error) {
	s := graph.New(graph.NewStore(nil), graph.Float64)
	n, d := of.Plain.Shape[0], of.Plain.Shape[1]
	p := &objective{size: classes * (d + 1)}
	var loss *Node
	err := graph.Try(func() {
		w := s.Var(probeWeight, graph.Trainable, graph.Zeros, classes, d)
		b := s.Var(probeBias, graph.Trainable, graph.Zeros, classes)
		p.vars = s.Trainables()
		logits := layers.Linear(s.Const(of.Plain), w, b)
		entropy := layers.CrossEntropy(logits, s.Const(graph.Ints(of.Labels, n))) // mean
		loss = layers.Add(entropy, layers.Scale(layers.SumAll(layers.Square(w)), .5/(c*float64(n))))
	})
	if err != nil {
		return nil, err
	}
	grads, err := s.Grad(loss, p.vars)
	if err != nil {
		return nil, err
	}
	p.program, err = s.Compile(pool, map[string]*Node{"loss": loss, "0": grads[0], "1": grads[1]})
	return p, err
}

// at runs the program where the variables are x.
func (p *objective) at(ctx context.Context, x []float64) (loss float64, gradient []float64, err error) {
	for _, v := range p.vars {
		x = x[copy(v.Value.F64, x):]
	}
	if err := p.program.Run(ctx, nil); err != nil {
		return 0, nil, err
	}
	gradient = append(append(gradient, p.program.Output("0").F64...), p.program.Output("1").F64...)
	return p.program.Output("loss").F64[0], gradient, nil
}

// least finds the minimum from zero. The number of iterations running out is no
// error, as in the publication.
func (p *objective) least(ctx context.Context, iterations int) ([]float64, error) {
	var failed error
	var loss float64
	var at, gradient []float64 // of the last place asked for: the search asks for both in turn
	ask := func(x []float64) {
		if failed != nil || slices.Equal(at, x) {
			return
		}
		loss, gradient, failed = p.at(ctx, x)
		at = append(at[:0], x...)
	}
	problem := optimize.Problem{
		Func:   func(x []float64) float64 { ask(x); return loss },
		Grad:   func(dst, x []float64) { ask(x); copy(dst, gradient) },
		Status: func() (optimize.Status, error) { return optimize.NotTerminated, failed },
	}
	set := &optimize.Settings{MajorIterations: iterations, GradientThreshold: 1e-6, Concurrent: 1}
	r, err := optimize.Minimize(problem, make([]float64, p.size), set, &optimize.LBFGS{})
	switch {
	case failed != nil:
		return nil, failed
	case err != nil:
		return nil, fmt.Errorf("linear probe: %w", err)
	}
	return r.X, nil
}
