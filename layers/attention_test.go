package layers_test

import (
	"fmt"
	"math"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

func TestAttention(t *testing.T) {
	for _, causal := range []bool{false, true} {
		build := func(heads int) func(*graph.Scope, []*Node) *Node {
			return one(func(x *Node) *Node { return layers.Attention(x, heads, causal) })
		}
		for _, c := range []struct{ b, n, w, heads int }{
			{1, 1, 4, 2}, {1, 1, 1, 1}, {2, 7, 6, 3}, {3, 5, 5, 1}, {1, 65, 8, 2}, {2, 65, 6, 1}, {1, 3, 4, 4}, {1, 270, 2, 1},
		} {
			optest.Check(t, Case{
				Name: fmt.Sprintf("causal %v %v", causal, c), Inputs: []Input{normal(c.b, c.n, 3*c.w)}, Build: build(c.heads),
			})
		}
		// softmax(q kT/sqrt d) v, head by head, computed apart
		want := []float64{1.4624259424288057, 1.7068358948948763, 1.3366182818744512, 1.430436908088489, 1.5858381577756377,
			2.160795905354113, 2.5078241958498566, 3.0505344180240956, 0.29531603330948447, 0.12023932873214405, -0.62860520372935, -0.9538336031452175}
		if causal {
			want = []float64{1.0, 2.0, 3.0, 4.0, 2.2836921012660927, 3.2836921012660927, 4.140452065051244, 5.140452065051244,
				0.29531603330948447, 0.12023932873214405, -0.62860520372935, -0.9538336031452175}
		}
		optest.Check(t, Case{
			Name: fmt.Sprint("fixture, causal ", causal), Build: build(2), Want: want,
			Inputs: []Input{optest.Floats([]float64{.1, -.2, .3, .4, .5, .6, -.7, .8, 1, 2, 3, 4,
				.9, .8, -.7, .6, -.5, .4, .3, -.2, 5, 6, 7, 8,
				1.5, -1., .5, 2., .25, -.75, 1.25, 1., -1, -2, -3, -4}, 1, 3, 12)},
		})
	}
}

// Every width of a head that a thread's registers hold in another way, and numbers
// of tokens about the sizes of tiles.
func TestAttentionWidths(t *testing.T) {
	widths := []int{128}
	for w := 1; w < 128; w += 8 {
		widths = append(widths, w)
	}
	for i, w := range widths {
		optest.Check(t, Case{
			Name: fmt.Sprint("width ", w), Inputs: []Input{normal(1, 3, 3*2*w)},
			Build: one(func(x *Node) *Node { return layers.Attention(x, 2, i%2 == 1) }),
		})
	}
	for _, n := range []int{15, 16, 17, 31, 32, 33} {
		for _, w := range []int{4, 8, 13} {
			optest.Check(t, Case{
				Name: fmt.Sprint(n, " tokens, ", w), Inputs: []Input{normal(1, n, 3*w)},
				Build: one(func(x *Node) *Node { return layers.Attention(x, 1, n%2 == 1) }),
			})
		}
	}
}

// The fused op is the attention of its parts.
func TestAttentionOfParts(t *testing.T) {
	const b, n, w, heads = 2, 5, 6, 3
	optest.Check(t, Case{
		Name: "fused less parts", Inputs: []Input{normal(b, n, 3*w)}, Want: make([]float64, b*n*w), WantTol: 1e-14,
		Build: one(func(x *Node) *Node {
			q, k, v := layers.SplitHeads(x, 0, heads), layers.SplitHeads(x, 1, heads), layers.SplitHeads(x, 2, heads)
			a := layers.Softmax(layers.Scale(layers.MatMul(q, k, false, true), 1/math.Sqrt(float64(w/heads))))
			return layers.Sub(layers.Attention(x, heads, false), layers.JoinHeads(layers.MatMul(a, v, false, false)))
		}),
	})
}

// Logits so far apart that weights leave float32's range on the way.
func TestAttentionOfFarLogits(t *testing.T) {
	for _, causal := range []bool{false, true} {
		optest.Check(t, Case{
			Name: fmt.Sprint("far ", causal), Inputs: []Input{spread(6, 1, 37, 12)}, F32Tol: 1e-4, GradTol: 1e-5,
			Build: one(func(x *Node) *Node { return layers.Attention(x, 1, causal) }),
		})
	}
}

// The last tokens are so far ahead that they leave little of the tiles before.
func TestAttentionOfRisingLogits(t *testing.T) {
	x := make([]float64, 70*3)
	for i := range 70 {
		x[3*i], x[3*i+1], x[3*i+2] = 1, 50*float64(min(i/32, 1)), float64(i%7)/64
	}
	for _, causal := range []bool{false, true} {
		optest.Check(t, Case{
			Name: fmt.Sprint("rising ", causal), Inputs: []Input{optest.Floats(x, 1, 70, 3)}, F32Tol: 1e-4, GradTol: 1e-5,
			Build: one(func(x *Node) *Node { return layers.Attention(x, 1, causal) }),
		})
	}
}

// A token that is far ahead takes all the weight, without overflow.
func TestAttentionOfHugeLogits(t *testing.T) {
	optest.Check(t, Case{
		Name: "huge", Want: []float64{8, 8}, WantTol: 1e-14,
		Inputs: []Input{optest.Floats([]float64{100, -50, 7, 100, 50, 8}, 1, 2, 3)},
		Build:  one(func(x *Node) *Node { return layers.Attention(x, 1, false) }),
	})
}
