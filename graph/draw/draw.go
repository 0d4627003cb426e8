// Package draw makes pictures of programs: layers as nested boxes, shapes on the
// edges, what is trained and what is frozen, forward and backward apart.
package draw

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"spotlighter/graph"
)

// Graph is programs as nested items, and the edges between their leaves.
type Graph struct {
	Title string  `json:"title"`
	Items []*Item `json:"items"` // the programs
	Edges []Edge  `json:"edges"`

	byID map[string]*Item
}

// Item is a box or, where it has no Items, an op or a value.
type Item struct {
	ID    string `json:"id"`   // program, phase and name: the same in every graph that has it
	Name  string `json:"name"` // as it is drawn
	Kind  string `json:"kind"` // program, phase, layer, op, input, trainable, frozen, state, constant
	Phase string `json:"phase,omitempty"`
	Shape []int  `json:"shape,omitempty"` // of a leaf
	Type  string `json:"type,omitempty"`

	FLOPs     int64 `json:"flops,omitempty"`     // of all that is inside
	Trainable int   `json:"trainable,omitempty"` // scalars inside
	Frozen    int   `json:"frozen,omitempty"`
	Ops       int   `json:"ops,omitempty"`

	Change string  `json:"change,omitempty"` // by Diff: added, removed, changed
	Was    string  `json:"was,omitempty"`    // of a changed leaf: its shape and type before
	Items  []*Item `json:"items,omitempty"`

	parent *Item
	rank   int // row among its siblings
}

// Edge is a value that one leaf takes from another.
type Edge struct {
	From   string `json:"from"` // IDs
	To     string `json:"to"`
	Shape  []int  `json:"shape"`
	Change string `json:"change,omitempty"`
}

// New makes the graph of programs that are watched.
func New(title string, programs []*graph.Program) *Graph {
	g := &Graph{Title: title, byID: map[string]*Item{}}
	for _, p := range programs {
		g.add(p)
	}
	g.arrange()
	return g
}

func (g *Graph) add(p *graph.Program) {
	root := g.item(nil, p.Title(), p.Title(), "program", "")
	kinds := map[string]*graph.Variable{}
	for _, v := range p.Variables() {
		kinds["variable "+v.Name] = v
	}
	of := map[string]string{} // IDs of nodes
	for _, s := range p.Steps() {
		for k, name := range s.Inputs {
			if of[name] == "" {
				of[name] = g.leaf(root, name, kinds[name], s, k)
			}
		}
		at := g.layer(root, s.Phase.String(), s.Layer)
		x := g.item(at, root.Name+"/"+s.Node, s.Op, "op", s.Phase.String())
		x.Shape, x.Type, x.FLOPs, x.Ops = s.Out.Shape, s.Out.Dtype.String(), s.FLOPs, 1
		of[s.Node] = x.ID
		for k, name := range s.Inputs {
			g.Edges = append(g.Edges, Edge{From: of[name], To: x.ID, Shape: s.In[k].Shape})
		}
	}
}

// leaf is what a step reads that no step computes.
func (g *Graph) leaf(root *Item, name string, v *graph.Variable, s graph.Step, k int) string {
	kind, short, _ := strings.Cut(name, " ")
	layer := s.Layer
	if v != nil {
		kind, layer, short = v.Kind.String(), "", v.Name
		if i := strings.LastIndexByte(v.Name, '.'); i >= 0 {
			layer, short = v.Name[:i], v.Name[i+1:]
		}
	} else if kind == "input" {
		layer = ""
	} else {
		kind, short = "constant", ""
	}
	x := g.item(g.layer(root, s.Phase.String(), layer), root.Name+"/"+name, cmp.Or(short, "constant"), kind, s.Phase.String())
	x.Shape, x.Type = s.In[k].Shape, s.In[k].Dtype.String()
	switch kind {
	case graph.Trainable.String():
		x.Trainable = v.Type.Shape.TotalSize()
	case graph.Frozen.String():
		x.Frozen = v.Type.Shape.TotalSize()
	}
	return x.ID
}

// layer is the box of a layer in a phase of a program.
func (g *Graph) layer(root *Item, phase, layer string) *Item {
	at := g.item(root, root.Name+":"+phase, phase, "phase", phase)
	if layer == "" {
		return at
	}
	for _, part := range strings.Split(layer, ".") {
		sep := "."
		if at.Kind == "phase" {
			sep = ":"
		}
		at = g.item(at, at.ID+sep+part, part, "layer", phase)
	}
	return at
}

// item finds an item or makes it.
func (g *Graph) item(parent *Item, id, name, kind, phase string) *Item {
	if x := g.byID[id]; x != nil {
		return x
	}
	x := &Item{ID: id, Name: name, Kind: kind, Phase: phase, parent: parent}
	g.byID[id] = x
	if parent == nil {
		g.Items = append(g.Items, x)
	} else {
		parent.Items = append(parent.Items, x)
	}
	return x
}

// arrange sums up boxes and gives each item its row among its siblings.
func (g *Graph) arrange() {
	for _, x := range g.Items {
		x.sum()
	}
	after := map[*Item]map[*Item]bool{}
	for _, e := range g.Edges {
		from, to := siblings(g.byID[e.From], g.byID[e.To])
		if from == nil {
			continue
		}
		if after[from] == nil {
			after[from] = map[*Item]bool{}
		}
		after[from][to] = true
	}
	g.walk(func(x *Item) { rank(x.Items, after) })
	for _, x := range g.Items {
		x.rank = 0
	}
}

func (x *Item) sum() {
	for _, c := range x.Items {
		c.sum()
		x.FLOPs, x.Trainable, x.Frozen, x.Ops = x.FLOPs+c.FLOPs, x.Trainable+c.Trainable, x.Frozen+c.Frozen, x.Ops+c.Ops
	}
}

func (g *Graph) walk(f func(x *Item)) {
	var down func(list []*Item)
	down = func(list []*Item) {
		for _, x := range list {
			f(x)
			down(x.Items)
		}
	}
	down(g.Items)
}

// siblings are the ancestors of two items, or these, that have one parent; nil if
// one item is in the other.
func siblings(a, b *Item) (*Item, *Item) {
	in := map[*Item]*Item{} // parent: the ancestor below it
	for x := a; x != nil; x = x.parent {
		in[x.parent] = x
	}
	for y := b; y != nil; y = y.parent {
		if x, ok := in[y.parent]; ok {
			if x == y {
				return nil, nil
			}
			return x, y
		}
	}
	return nil, nil
}

// rank puts each of items one row below the lowest that it follows. Boxes may follow
// each other both ways: of two such edges the one from the first is kept. Values that
// nothing precedes are right above their first reader.
func rank(items []*Item, after map[*Item]map[*Item]bool) {
	slices.SortStableFunc(items, func(a, b *Item) int { return cmp.Compare(phaseOrder(a), phaseOrder(b)) })
	at := map[*Item]int{}
	for i, x := range items {
		at[x], x.rank = i, 0
	}
	follows := make([]bool, len(items))
	for i, x := range items {
		for y := range after[x] {
			if j := at[y]; j > i {
				follows[j] = true
				y.rank = max(y.rank, x.rank+1)
			}
		}
	}
	least := 0
	for i, x := range items {
		if follows[i] || len(x.Items) > 0 {
			continue
		}
		first := len(items)
		for y := range after[x] {
			if at[y] > i {
				first = min(first, y.rank)
			}
		}
		if first < len(items) {
			x.rank = first - 1
		}
		least = min(least, x.rank)
	}
	for _, x := range items {
		x.rank -= least
	}
}

func phaseOrder(x *Item) int {
	if x.Kind != "phase" {
		return 0
	}
	return slices.Index([]string{"forward", "backward", "update"}, x.Phase)
}

// Rows are a box's items, row by row.
func (x *Item) Rows() [][]*Item {
	var rows [][]*Item
	for _, c := range x.Items {
		for len(rows) <= c.rank {
			rows = append(rows, nil)
		}
		rows[c.rank] = append(rows[c.rank], c)
	}
	return slices.DeleteFunc(rows, func(r []*Item) bool { return len(r) == 0 })
}

// Detail is a line on what an item is.
func (x *Item) Detail() string {
	var parts []string
	if !x.box() {
		parts = append(parts, shape(x.Shape))
	} else {
		parts = append(parts, fmt.Sprintf("%d ops", x.Ops))
		if x.Trainable > 0 {
			parts = append(parts, fmt.Sprintf("%d trainable", x.Trainable))
		}
		if x.Frozen > 0 {
			parts = append(parts, fmt.Sprintf("%d frozen", x.Frozen))
		}
	}
	if x.FLOPs >= 1e5 {
		parts = append(parts, fmt.Sprintf("%.1f MFLOP", float64(x.FLOPs)/1e6))
	}
	if x.Was != "" {
		parts = append(parts, "was "+x.Was)
	}
	return strings.Join(parts, ", ")
}

// box says that an item has others inside, or had before it was closed.
func (x *Item) box() bool { return x.Kind == "program" || x.Kind == "phase" || x.Kind == "layer" }

// Class is what an item is drawn by.
func (x *Item) Class() string {
	class := x.Kind + " " + x.Phase
	if x.Kind == "layer" && x.Trainable > 0 {
		class += " trains"
	}
	if x.Change != "" {
		class += " " + x.Change
	}
	return strings.TrimSpace(class)
}

func shape(s []int) string {
	if len(s) == 0 {
		return "scalar"
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(s), " ", "×"), "[]")
}
