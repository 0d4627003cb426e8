package graph_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/layers"
)

func TestSummary(t *testing.T) {
	s := newScope()
	x := s.Input("x", graph.Float32, 5, 3)
	layer := func(name string, kind graph.Kind, x *Node, n int) *Node {
		sub := s.Sub(name)
		defer sub.Enter()()
		in := layers.ShapeOf(x)[1]
		return layers.Linear(x, sub.Var("weight", kind, graph.Zeros, n, in), sub.Var("bias", graph.Trainable, graph.Zeros, n))
	}
	y := layer("first", graph.Frozen, x, 4)
	y = layer("second", graph.Trainable, y, 2)
	// Variables of layers that run nothing themselves.
	for _, name := range []string{"z", "m", "a", "k"} {
		y = layers.Add(y, s.Sub(name).Var("v", graph.State, graph.Zeros, 2))
	}
	p := compile(t, s, map[string]*Node{"y": y})
	for range 5 {
		rows := p.Summary()
		var names []string
		for _, r := range rows {
			names = append(names, r.Layer)
		}
		if want := []string{"first", "second", "", "z", "m", "a", "k"}; !slices.Equal(names, want) {
			t.Fatalf("rows are %q, want %q", names, want)
		}
		first, second, root, a := rows[0], rows[1], rows[2], rows[5]
		if first.Ops != 1 || first.FLOPs != 2*5*3*4 || first.Params[graph.Frozen] != 12 || first.Params[graph.Trainable] != 4 || !slices.Equal(first.Shape, graph.Shape{5, 4}) {
			t.Errorf("first is %+v", first)
		}
		if second.FLOPs != 2*5*4*2 || second.Params[graph.Trainable] != 10 || second.Params[graph.Frozen] != 0 {
			t.Errorf("second is %+v", second)
		}
		if root.Ops != 4 || a.Ops != 0 || a.Params[graph.State] != 2 {
			t.Errorf("the root is %+v, a is %+v", root, a)
		}
	}
	if got, want := p.FLOPs(), int64(2*5*3*4+2*5*4*2); got != want {
		t.Errorf("%d FLOPs, want %d", got, want)
	}
	var b bytes.Buffer
	if err := p.WriteSummary(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 9 || !strings.HasPrefix(lines[0], "layer") || !strings.HasPrefix(lines[3], "(root)") || !strings.HasPrefix(lines[8], "total") {
		t.Errorf("table is\n%s", b.String())
	}
	if f := strings.Fields(lines[1]); !slices.Equal(f, []string{"first", "[5", "4]", "1", "4", "12", "0", "0.0"}) {
		t.Errorf("first line is %q", f)
	}
}

func TestAttentionFLOPs(t *testing.T) {
	s := newScope()
	y := layers.Attention(s.Input("qkv", graph.Float32, 2, 5, 24), 2, false)
	// q k and weights v: for each of 2 images and 2 heads two products of 5, 5 and 4.
	if got, want := compile(t, s, map[string]*Node{"y": y}).FLOPs(), int64(2*2*2*2*5*5*4); got != want {
		t.Errorf("%d FLOPs, want %d", got, want)
	}
}
