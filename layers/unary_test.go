package layers_test

import (
	"fmt"
	"math"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

func TestUnary(t *testing.T) {
	for name, f := range map[string]func(*Node) *Node{
		"exp": layers.Exp, "log": layers.Log, "sigmoid": layers.Sigmoid, "sqrt": layers.Sqrt, "square": layers.Square, "abs": layers.Abs,
		"tanh": layers.Tanh, "relu": layers.ReLU, "gelu": layers.GELU, "quickgelu": layers.QuickGELU,
	} {
		draw := normal
		if name == "log" || name == "sqrt" {
			draw = positive
		}
		for shape, in := range map[string]Input{"scalar": draw(), "one": draw(1, 1), "prime": draw(3, 1, 7), "long": draw(2, 2053)} {
			optest.Check(t, Case{Name: name + " " + shape, Inputs: []Input{in}, Build: one(f)})
		}
		// One by one, as far from zero as float32 goes: errors are relative to the value.
		for _, v := range []float64{-120, -103, -90, -50, -40, -20, -4.5, -3, -1.5, -.9, -.6, -.1, 0, 1e-39, 3e-3, .1, .6, .626, .9, 1.5, 3, 4.5, 20, 40, 50, 85, 120, 1e30, math.Inf(1), math.NaN()} {
			if (name == "log" || name == "sqrt") && v < 0 || name == "exp" && v == 120 || name == "square" && v == 1e30 {
				continue // no number, or none of float32
			}
			c := Case{Name: fmt.Sprint(name, " of ", v), Inputs: []Input{optest.Floats([]float64{v}, 1)}, Build: one(f), NoGrad: true}
			if v != v {
				c.SkipONNX = "ONNX leaves NaN to the runtime"
			}
			optest.Check(t, c)
		}
	}
}

var far = []float64{-40, -10, -3, -1, -.5, 0, .5, 1, 3, 10, 40}

// The values are x erfc(-x/sqrt 2)/2 and x/(1+exp(-1.702x)), computed apart.
func TestGELUFixtures(t *testing.T) {
	optest.Check(t, Case{
		Name: "gelu", Inputs: []Input{optest.Floats(far, 11)}, Build: one(layers.GELU), WantTol: 1e-14,
		Want: []float64{0, -7.619853024160593e-23, -0.004049694094890287, -0.15865525393145707, -0.15426876936299344, 0.0,
			0.34573123063700656, 0.8413447460685429, 2.99595030590511, 10.0, 40.0},
	})
	optest.Check(t, Case{
		Name: "quickgelu", Inputs: []Input{optest.Floats(far, 11)}, Build: one(layers.QuickGELU), WantTol: 1e-14,
		Want: []float64{-1.0846551018154323e-28, -4.057961294855312e-07, -0.01807130970778597, -0.1542042340671787,
			-0.1496115633936199, 0.0, 0.35038843660638014, 0.8457957659328212, 2.981928690292214, 9.99999959420387, 40.0},
	})
}

// Far from zero the activations are 0 and x, and nothing is NaN, though e^x
// overflows on the way.
func TestActivationExtremes(t *testing.T) {
	in := graph.Floats([]float32{-3e38, -1e4, -200, -100, 100, 200, 1e4, 3e38, 0}, 9)
	for name, f := range map[string]func(*Node) *Node{"gelu": layers.GELU, "quickgelu": layers.QuickGELU} {
		out, err := forward(t, []graph.Tensor{in}, func(in []*Node) *Node { return f(in[0]) })
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range out.F32 {
			want := max(in.F32[i], 0)
			if math.Abs(float64(v-want)) > 1e-6 || v != v {
				t.Errorf("%s(%g) = %g, want %g", name, in.F32[i], v, want)
			}
		}
	}
	for name, f := range map[string]func(*Node) *Node{"sigmoid": layers.Sigmoid, "tanh": layers.Tanh} {
		out, err := forward(t, []graph.Tensor{in}, func(in []*Node) *Node { return f(in[0]) })
		if err != nil {
			t.Fatal(err)
		}
		if low := map[string]float32{"sigmoid": 0, "tanh": -1}[name]; out.F32[0] != low || out.F32[7] != 1 {
			t.Errorf("%s of the largest floats is %g and %g, want %g and 1", name, out.F32[0], out.F32[7], low)
		}
	}
}

// The gradients at the extremes: 0 on the left, 1 on the right.
func TestActivationGradientExtremes(t *testing.T) {
	for name, f := range map[string]func(*Node) *Node{"gelu": layers.GELU, "quickgelu": layers.QuickGELU} {
		g := gradient(t, []float64{-1e4, -200, 200, 1e4}, func(x *Node) *Node { return layers.SumAll(f(x)) })
		for i, want := range []float32{0, 0, 1, 1} {
			if g[i] != want {
				t.Errorf("%s: gradient %d is %g, want %g", name, i, g[i], want)
			}
		}
	}
}
