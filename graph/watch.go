package graph

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Phase is the part of a program that an op belongs to.
type Phase int

// Forward ops are those applied before Grad, Backward ops those that Grad adds,
// and Update ops what is made of gradients.
const (
	Forward Phase = iota
	Backward
	UpdatePhase
)

// String is the name of the phase.
func (p Phase) String() string { return [...]string{"forward", "backward", "update"}[p] }

// phase is that of an op applied now.
func (b *builder) phase() Phase {
	switch {
	case b.terms != nil:
		return Backward
	case b.differentiated:
		return UpdatePhase
	}
	return Forward
}

// Watcher is told what a program does while it runs. An error ends the Run.
//
// A Watcher that implements Plain() needs every op by itself, none fused and no
// result over an operand: programs that it watches are compiled so. One that
// implements Compiled(p *Program) is shown each program when it is compiled.
type Watcher interface {
	// Begin is called before a Run, with the values of inputs, variables and
	// constants; their memory is the program's.
	Begin(p *Program, leaves []Leaf) error
	// Step is called after each op: when it began and how long it took.
	Step(p *Program, s *Step, out Tensor, in []Tensor, began time.Time, took time.Duration) error
}

// Leaf is a value that a program computes from.
type Leaf struct {
	Name  string // "input images", "variable visual.proj", "constant 0"
	Value Tensor
}

// Step describes one op of a program.
type Step struct {
	// Node is the name of the result: the layer and the op, with a number where
	// the layer has several, such as "visual.ln_post/layernorm" or
	// "prompt/add:2"; "grad/" or "update/" comes before it in those phases.
	Node    string
	Aliases []string // names that the graph's builder gave it
	Op      string
	Layer   string
	Phase   Phase
	Inputs  []string // names of the operands
	In      []Type
	Out     Type
	FLOPs   int64
	View    bool // the result is the operand's memory

	picks bool
}

// Picker marks an Op that reads no more of its first operand than its result has:
// rows of a table.
type Picker interface{ Picks() }

// Bytes is what the op has to read and write at least.
func (s *Step) Bytes() int64 {
	if s.View {
		return 0
	}
	n := s.Out.bytes()
	for i, t := range s.In {
		if i == 0 && s.picks {
			n += min(t.bytes(), s.Out.bytes())
		} else {
			n += t.bytes()
		}
	}
	return n
}

// Watch makes programs that are compiled from now on tell w what they do.
func (s *Scope) Watch(w Watcher) { s.watch = append(s.watch, w) }

// Called names the programs of this graph to those who watch them.
func (s *Scope) Called(title string) { s.title = title }

// Label gives a node a name of its own, by which it can be asked for.
func (s *Scope) Label(name string, n *Node) {
	s.labels[n] = name
}

func (s *Scope) watchedPlain() bool {
	for _, w := range s.watch {
		if _, ok := w.(interface{ Plain() }); ok {
			return true
		}
	}
	return false
}

// watched is a program under watch.
type watched struct {
	p      *Program
	by     []Watcher
	steps  []Step
	leaves []Leaf // names; values are taken at each Run
	of     []int  // values of the leaves
}

func (s *Scope) watchedBy(p *Program, outputs map[string]*Node) *watched {
	if len(s.watch) == 0 {
		return nil
	}
	p.title = s.title
	w := &watched{p: p, by: s.watch, steps: p.describe(s, outputs)}
	for i, v := range p.plan.values {
		if v.leaf {
			w.leaves, w.of = append(w.leaves, Leaf{Name: v.node.Name()}), append(w.of, i)
		}
	}
	p.watched = w
	for _, by := range w.by {
		if c, ok := by.(interface{ Compiled(p *Program) }); ok {
			c.Compiled(p)
		}
	}
	return w
}

// describe lists the program's steps.
func (p *Program) describe(s *Scope, outputs map[string]*Node) []Step {
	names, aliases := s.nodeNames(), map[int][]string{}
	for name, n := range outputs {
		aliases[p.plan.of[n]] = append(aliases[p.plan.of[n]], name)
	}
	for n, name := range s.labels {
		if v, ok := p.plan.of[n]; ok {
			aliases[v] = append(aliases[v], name)
		}
	}
	for _, a := range aliases {
		slices.Sort(a)
	}
	steps := make([]Step, len(p.plan.steps))
	for i, st := range p.plan.steps {
		x := Step{
			Node: names[st.node], Aliases: slices.Compact(aliases[st.out]), Op: st.op.Name(), Layer: st.layer, Phase: phaseOf(st.node),
			In: p.plan.types(st.in), Out: p.plan.values[st.out].typ, View: st.view,
		}
		for _, v := range st.in {
			x.Inputs = append(x.Inputs, names[p.plan.values[v].node])
		}
		_, x.picks = st.op.(Picker)
		if c, ok := st.op.(Counter); ok {
			x.FLOPs = c.FLOPs(x.In, x.Out)
		}
		steps[i] = x
	}
	return steps
}

// nodeNames names all nodes of the graph, each differently.
func (s *Scope) nodeNames() map[*Node]string {
	names, count := map[*Node]string{}, map[string]int{}
	for _, n := range s.graph.AllNodes() {
		op, layer, err := opOf(n)
		if err != nil || op == nil {
			names[n] = n.Name()
			continue
		}
		name := strings.ReplaceAll(op.Name(), " ", "-")
		if layer != "" {
			name = layer + "/" + name
		}
		if ph := phaseOf(n); ph != Forward {
			name = [...]string{Backward: "grad/", UpdatePhase: "update/"}[ph] + name
		}
		count[name]++
		if k := count[name]; k > 1 {
			name = fmt.Sprintf("%s:%d", name, k)
		}
		names[n] = name
	}
	return names
}

// phaseOf is when a node was made; Gorgonia's own are sums of gradients.
func phaseOf(n *Node) Phase {
	if o, ok := n.Op().(*symbol); ok {
		return o.phase
	}
	return Backward
}

func (w *watched) begin() error {
	for k, v := range w.of {
		w.leaves[k].Value = w.p.values[v]
	}
	for _, b := range w.by {
		if err := b.Begin(w.p, w.leaves); err != nil {
			return err
		}
	}
	return nil
}

func (w *watched) step(i int) error {
	p := w.p
	began := time.Now()
	err := p.step(i)
	took := time.Since(began)
	if err != nil {
		return err
	}
	st := &p.plan.steps[i]
	for k, v := range st.in {
		p.in[i][k] = p.values[v]
	}
	for _, b := range w.by {
		if err := b.Step(p, &w.steps[i], p.values[st.out], p.in[i], began, took); err != nil {
			return err
		}
	}
	return nil
}

// Title is what the program was called; see Scope.Called.
func (p *Program) Title() string { return p.title }

// Steps lists the ops of a program that is watched, in the order of execution.
func (p *Program) Steps() []Step {
	if p.watched == nil {
		return nil
	}
	return p.watched.steps
}

// Variables lists the variables that the program reads, in the order of their
// declaration.
func (p *Program) Variables() []*Variable {
	vars := make([]*Variable, len(p.vars))
	for i, b := range p.vars {
		vars[i] = b.v
	}
	return vars
}

func (t Type) bytes() int64 { return int64(size(t.Shape)) * int64(t.Dtype.Size()) }
