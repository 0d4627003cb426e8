package layers_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

func TestDistillation(t *testing.T) {
	kl := func(temperature float64, teacher []float64, shape ...int) func(*graph.Scope, []*Node) *Node {
		return func(s *graph.Scope, in []*Node) *Node {
			to := s.Const(graph.Tensor{Shape: shape, Dtype: graph.Float64, F64: teacher})
			return layers.Distillation(in[0], to, temperature)
		}
	}
	ln2, ln3 := math.Log(2), math.Log(3)
	// q = (2/3, 1/3), P = (1/4, 3/4)
	want := (2*math.Log(8./3) + math.Log(4./9)) / 3
	student := optest.Floats([]float64{0, ln3, 0, ln3}, 2, 2)
	for _, c := range []Case{
		{Name: "rows", Inputs: []Input{student}, Build: kl(1, []float64{ln2, 0, 0, ln3}, 2, 2), Want: []float64{want / 4}},
		{Name: "temperature", Inputs: []Input{student}, Build: kl(.5, []float64{ln2 / 2, 0, 0, ln3}, 2, 2), Want: []float64{.25 *
			(2*math.Log(2./3/.1) + math.Log(1./3/.9)) / 3 / 4}},
		{Name: "several rows an image", Inputs: []Input{normal(3, 4, 5)}, Build: kl(2, make([]float64, 15), 3, 5)},
		{Name: "one class", Inputs: []Input{normal(2, 1)}, Build: kl(1, make([]float64, 2), 2, 1), Want: []float64{0}},
	} {
		c.SkipStock = "the teacher is a constant of the scope"
		optest.Check(t, c)
	}
}

// Each of an image's rows has the image's own teacher.
func TestDistillationRepeatsTeacher(t *testing.T) {
	teacher := graph.Floats([]float32{1, 2, 3, 3, 0, -1}, 2, 3)
	out, err := forward(t, []graph.Tensor{teacher}, func(in []*Node) *Node {
		x := layers.Broadcast(layers.Reshape(in[0], 2, 1, 3), 2, 4, 3)
		return layers.Distillation(x, in[0], 3)
	})
	if err != nil {
		t.Fatal(err)
	}
	if kl := math.Abs(float64(out.F32[0])); kl > 1e-7 {
		t.Errorf("a student that equals its teacher is off by %g", kl)
	}
}

// By the rows' own moments and by given ones a projector is one function, and its
// gradients are those of it.
func TestProjector(t *testing.T) {
	train := func(s *graph.Scope, in []*Node) *Node { return layers.NewProjector(s, 3, 5, 4).Train(in[0]).Rows }
	eval := func(s *graph.Scope, in []*Node) *Node { return layers.NewProjector(s, 3, 5, 4).Eval(in[0]) }
	const skip = "its weights are variables of the scope"
	optest.Check(t, Case{Name: "train", Inputs: []Input{normal(7, 5)}, Build: train, GradTol: 1e-6, SkipStock: skip})
	optest.Check(t, Case{Name: "eval", Inputs: []Input{normal(7, 5)}, Build: eval, SkipStock: skip})
}

// The tangent of a projector is the derivative of what it does to a row.
func TestProjectorTangent(t *testing.T) {
	const h = 1e-6
	s := graph.New(graph.NewStore(nil), graph.Float64)
	var outputs map[string]*Node
	err := graph.Try(func() {
		p := layers.NewProjector(s, 3, 5, 4)
		at, step := s.Input("at", graph.Float64, 7, 5), s.Input("step", graph.Float64, 7, 2, 5)
		a := p.AtBatch(p.Train(at))
		moved := a.Rows(layers.Add(at, layers.Scale(layers.Reshape(layers.Slice(step, 1, 1, 2), 7, 5), h)))
		outputs = map[string]*Node{"tangent": a.Tangent(at, step), "rows": a.Rows(at), "train": p.Train(at).Rows, "moved": moved}
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Compile(cpu.NewPool(1), outputs)
	if err != nil {
		t.Fatal(err)
	}
	feeds, r := map[string]graph.Tensor{"at": graph.NewTensor(graph.Float64, 7, 5), "step": graph.NewTensor(graph.Float64, 7, 2, 5)}, rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"at", "step"} {
		for i := range feeds[name].F64 {
			feeds[name].F64[i] = r.NormFloat64()
		}
	}
	if err := p.Run(context.Background(), feeds); err != nil {
		t.Fatal(err)
	}
	tangent, rows, moved := p.Output("tangent").F64, p.Output("rows").F64, p.Output("moved").F64
	for i, v := range rows {
		if math.Abs(v-p.Output("train").F64[i]) > 1e-12 {
			t.Errorf("element %d: %g by the batch's moments, %g in training", i, v, p.Output("train").F64[i])
		}
		if got, want := tangent[(i/4*2+1)*4+i%4], (moved[i]-v)/h; math.Abs(got-want) > 1e-6 {
			t.Errorf("element %d: tangent %g, difference %g", i, got, want)
		}
	}
}
