package draw_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/graph/draw"
	"spotlighter/graph/inspect"
	"spotlighter/layers"
	"spotlighter/optim"
)

// model is a frozen layer, a trained one of that width, a loss and its step.
func model(t *testing.T, width int, extra bool) *draw.Graph {
	t.Helper()
	s := graph.New(graph.NewStore(nil), graph.Float32)
	seen := &inspect.Programs{}
	s.Watch(seen)
	s.Called("step")
	var updates []graph.Update
	var loss *graph.Node
	err := graph.Try(func() {
		x := s.Input("x", graph.Float32, 2, 3)
		dense := func(at *graph.Scope, kind graph.Kind, x *graph.Node, out int) *graph.Node {
			defer at.Enter()()
			return layers.MatMul(x, at.Var("weight", kind, graph.Fill(1), layers.ShapeOf(x)[1], out), false, false)
		}
		h := dense(s.Sub("encoder").Sub("dense"), graph.Frozen, x, width)
		if extra {
			h = layers.Exp(h)
		}
		head := s.Sub("head")
		y := dense(head, graph.Trainable, h, 1)
		loss = layers.Sum(layers.Reshape(y, 2), 0)
		var err error
		updates, err = optim.Step(s.Sub("optim"), loss, s.Input("lr", graph.Float32), optim.Group{Vars: s.Trainables(), Optimizer: optim.SGD{}})
		if err != nil {
			t.Fatal(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Compile(cpu.NewPool(1), map[string]*graph.Node{"loss": loss}, updates...); err != nil {
		t.Fatal(err)
	}
	return draw.New("model", seen.All)
}

func find(t *testing.T, list []*draw.Item, id string) *draw.Item {
	t.Helper()
	var in func(list []*draw.Item) *draw.Item
	in = func(list []*draw.Item) *draw.Item {
		for _, x := range list {
			if x.ID == id {
				return x
			}
			if y := in(x.Items); y != nil {
				return y
			}
		}
		return nil
	}
	x := in(list)
	if x == nil {
		t.Fatalf("no %s", id)
	}
	return x
}

func TestNestedLayers(t *testing.T) {
	g := model(t, 4, false)
	layer := find(t, g.Items, "step:forward:encoder.dense")
	if layer.Frozen != 12 || layer.Trainable != 0 || layer.Ops != 1 || len(layer.Items) != 2 {
		t.Errorf("%+v", layer)
	}
	if head := find(t, g.Items, "step:forward:head"); head.Trainable != 4 || !strings.Contains(head.Class(), "trains") {
		t.Errorf("%+v", head)
	}
	if x := find(t, g.Items, "step:backward"); x.Ops == 0 {
		t.Errorf("%+v", x)
	}
	found := false
	for _, e := range g.Edges {
		if e.From == "step/encoder.dense/matmul" && e.To == "step/head/matmul" {
			found = e.Shape[0] == 2 && e.Shape[1] == 4
		}
	}
	if !found {
		t.Errorf("no edge [2 4] from the first layer to the second: %v", g.Edges)
	}
}

// Closed boxes stand for what is in them, and no edge leads to what is not drawn.
func TestFold(t *testing.T) {
	for depth := range 4 {
		g := model(t, 4, false)
		g.Fold(depth)
		ids := map[string]bool{}
		var walk func(list []*draw.Item)
		walk = func(list []*draw.Item) {
			for _, x := range list {
				ids[x.ID] = true
				walk(x.Items)
			}
		}
		walk(g.Items)
		if ids["step:forward:encoder"] == false || ids["step:forward:encoder.dense"] != (depth > 0) || ids["step/encoder.dense/matmul"] != (depth > 1) {
			t.Errorf("depth %d shows %v", depth, ids)
		}
		for _, e := range g.Edges {
			if !ids[e.From] || !ids[e.To] || e.From == e.To {
				t.Errorf("depth %d: edge %+v", depth, e)
			}
		}
	}
}

func TestDiff(t *testing.T) {
	a := model(t, 4, false)
	if added, removed, changed := draw.Diff(a, model(t, 4, false)).Changes(); added+removed+changed != 0 {
		t.Errorf("a graph and itself: %d, %d, %d", added, removed, changed)
	}
	d := draw.Diff(a, model(t, 5, true))
	if w := find(t, d.Items, "step/variable encoder.dense.weight"); w.Change != "changed" || w.Was != "frozen 3×4 float32" || w.Shape[1] != 5 {
		t.Errorf("%+v", w)
	}
	if x := find(t, d.Items, "step/exp"); x.Change != "added" {
		t.Errorf("%+v", x)
	}
	if x := find(t, draw.Diff(model(t, 4, true), a).Items, "step/exp"); x.Change != "removed" {
		t.Errorf("%+v", x)
	}
	if x := find(t, d.Items, "step:forward:encoder"); x.Change != "changed" {
		t.Errorf("%+v", x)
	}
}

// The picture is XML, and shows every item; boxes lie inside those around them.
func TestFormats(t *testing.T) {
	var svg, dot, text bytes.Buffer
	g := model(t, 4, false)
	e := json.NewEncoder(&text)
	if err := errors.Join(g.WriteSVG(&svg), g.WriteDOT(&dot), e.Encode(g)); err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(bytes.NewReader(svg.Bytes()))
	titles := map[string]bool{}
	for inside := false; ; {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			inside = x.Name.Local == "title"
		case xml.CharData:
			if inside {
				titles[string(x)] = true
			}
		case xml.EndElement:
			inside = false
		}
	}
	for _, id := range []string{"step", "step:forward:encoder.dense", "step/variable head.weight", "step/input x", "step:update"} {
		if !titles[id] {
			t.Errorf("the picture has no %s", id)
		}
	}
	if n := strings.Count(dot.String(), " -> "); n != len(g.Edges) {
		t.Errorf("%d edges in DOT, want %d", n, len(g.Edges))
	}
	var back draw.Graph
	if err := json.Unmarshal(text.Bytes(), &back); err != nil || len(back.Edges) != len(g.Edges) || find(t, back.Items, "step/input x").Kind != "input" {
		t.Errorf("%v, %d edges", err, len(back.Edges))
	}
}
