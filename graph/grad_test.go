package graph_test

import (
	"math/rand/v2"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

// A value that is used often receives one term for each use.
func TestGradientOfManyTerms(t *testing.T) {
	s := newScope()
	x, c := vector(s, "x", 1, 2), vector(s, "c", 1, 1)
	var y *Node
	var want float32
	for i := range 60 {
		term := layers.Scale(layers.Mul(x, c), float64(i+1))
		if i%3 == 0 {
			term = layers.Scale(x, float64(i+1))
		}
		want += float32(i + 1)
		if y == nil {
			y = term
		} else {
			y = layers.Add(y, term)
		}
	}
	grads, err := s.Grad(layers.SumAll(y), s.Trainables())
	if err != nil {
		t.Fatal(err)
	}
	p := compile(t, s, map[string]*Node{"dx": grads[0]})
	run(t, p, nil)
	wantValues(t, "gradient", p.Output("dx").F32, want, want)
}

// The hazard that made us leave Gorgonia's machines: a residual around a
// reshape. Square keeps its operand's memory apart here.
func TestReshapeAndResidual(t *testing.T) {
	optest.Check(t, optest.Case{
		Name: "h + reshape(square(reshape(h)))", Inputs: []optest.Input{optest.Normal(2, 3)},
		Build: func(_ *graph.Scope, in []*Node) *Node {
			h := layers.Scale(in[0], 1.5)
			return layers.Add(h, layers.Reshape(layers.Square(layers.Reshape(h, 3, 2)), 2, 3))
		},
	})
}

func TestGradErrors(t *testing.T) {
	for name, c := range map[string]struct {
		loss  func(x *Node) *Node
		wrt   string
		words []string
	}{
		"vector":      {layers.Square, "x", []string{"gradient of the loss", "scalar"}},
		"no way":      {layers.SumAll, "y", []string{"gradient of the loss", "does not depend on variable y"}},
		"undeclared":  {layers.SumAll, "elsewhere", []string{"elsewhere", "not declared"}},
		"no gradient": {func(x *Node) *Node { return layers.SumAll(graph.Apply(probe{ID: t.Name()}, x)) }, "x", []string{"gradient of the loss", "does not depend on variable x"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScope()
			x := vector(s, "x", 1, 2)
			vector(s, "y", 1, 2)
			v := s.Store().Find(c.wrt)
			if v == nil {
				v = &graph.Variable{Name: c.wrt}
			}
			_, err := s.Grad(c.loss(x), []*graph.Variable{v})
			says(t, err, c.words...)
		})
	}
}

// Gorgonia keeps derivatives on its nodes: a second loss would receive the
// first one's.
func TestGradOnceAGraph(t *testing.T) {
	s := newScope()
	x := vector(s, "x", 1, 2)
	loss := layers.SumAll(layers.Square(x))
	if _, err := s.Grad(loss, s.Trainables()); err != nil {
		t.Fatal(err)
	}
	_, err := s.Grad(layers.Scale(loss, 3), s.Trainables())
	says(t, err, "once")
}

// badGrad returns gradients that do not fit.
type badGrad struct{ Mode string }

func (badGrad) Name() string                                       { return "bad" }
func (badGrad) Infer(in []graph.Type) (graph.Type, error)          { return in[0], nil }
func (badGrad) Run(*graph.Ctx, graph.Tensor, []graph.Tensor) error { return nil }
func (o badGrad) Grad(in []*Node, _, dout *Node) []*Node {
	switch o.Mode {
	case "none":
		return []*Node{nil}
	case "few":
		return nil
	case "shape":
		return []*Node{layers.Reshape(dout, 2, 1)}
	default:
		return []*Node{layers.Reshape(dout, 5)}
	}
}

func TestGradientsThatDoNotFit(t *testing.T) {
	for mode, words := range map[string][]string{
		"none":  {"bad of [2] in head", "no gradient for operand 0"},
		"few":   {"bad of [2] in head", "0 gradients", "1 operand"},
		"shape": {"bad of [2] in head", "is [2 1], want the operand's shape"},
		"build": {"reshape of [2] in head", "2 elements do not fill [5]"},
	} {
		t.Run(mode, func(t *testing.T) {
			s := newScope()
			leave := s.Sub("head").Enter()
			y := graph.Apply(badGrad{mode}, vector(s, "x", 1, 2))
			leave()
			_, err := s.Grad(layers.SumAll(y), s.Trainables())
			says(t, err, words...)
		})
	}
}

// Gradient ops belong to the layer of the op they are the gradient of.
func TestGradientsHaveTheirOpsLayer(t *testing.T) {
	s := newScope()
	leave := s.Sub("head").Enter()
	y := layers.GELU(vector(s, "x", 1, 2))
	leave()
	grads, err := s.Grad(layers.SumAll(y), s.Trainables())
	if err != nil {
		t.Fatal(err)
	}
	rows := compile(t, s, map[string]*Node{"dx": grads[0]}).Summary()
	for _, r := range rows {
		if r.Layer == "head" && r.Ops == 2 { // gelu and its gradient
			return
		}
	}
	t.Errorf("no row of head with 2 ops in %+v", rows)
}

// Gradients through random graphs agree with finite differences.
func TestGradientsOfRandomGraphs(t *testing.T) {
	for seed := range uint64(12) {
		optest.Check(t, optest.Case{
			Name: "graph " + string(rune('a'+seed)), Inputs: []optest.Input{optest.Normal(2, 6), optest.Normal(6)}, GradTol: 1e-6,
			Build: func(_ *graph.Scope, in []*Node) *Node {
				nodes := randomGraph(rand.New(rand.NewPCG(seed, 5)), in, 15, false)
				sum := layers.MeanAll(nodes[0])
				for _, n := range nodes[1:] {
					sum = layers.Add(sum, layers.MeanAll(n))
				}
				return sum
			},
		})
	}
}
