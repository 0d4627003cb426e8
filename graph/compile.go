package graph

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
)

// Update writes a node's value into a variable at the end of each Run.
type Update struct {
	Var   *Variable
	Value *Node
}

// Options change how a graph is compiled.
type Options struct {
	// Plain runs the graph's ops as they stand: none takes in the op that reads
	// its result, and no result lies over an operand. The values are the same.
	Plain bool
	// Fixed promises that no variable changes between Runs, as where a trained model
	// predicts: what depends on no input is computed by the first Run alone. A device
	// computes it each time, and so does a Plain program.
	Fixed bool
}

// step is one op of a program: where its operands come from and where its
// result goes. Backends execute steps; nothing here knows of a backend.
type step struct {
	op    Op
	layer string
	node  *Node
	in    []int // values
	out   int   // value
	view  bool
}

// value is a slot of a program: a leaf's memory or a piece of the arena.
type value struct {
	node *Node
	typ  Type
	leaf bool
	root int // the value whose memory this one shares (itself, but for views)
	last int // the last step that reads the root
	off  int // place in the arena of its type, in elements
}

// plan is a compiled graph before it has memory.
type plan struct {
	steps  []step
	once   int // the first so many steps depend on no input, and variables are fixed
	values []value
	of     map[*Node]int
	arena  map[Dtype]int // elements needed, by type
}

// alignment keeps every value of the arena on a cache line of its own.
const alignment = 16

// makePlan orders the nodes that the outputs need, merges equal ones, fuses
// what can be, and places their values.
func makePlan(s *Scope, outputs []*Node, o Options) (*plan, error) {
	need := map[*Node]bool{}
	stack := append([]*Node(nil), outputs...)
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if !need[n] {
			need[n] = true
			stack = append(stack, operands(s.graph, n)...)
		}
	}
	p := &plan{of: map[*Node]int{}, arena: map[Dtype]int{}}
	seen := map[string]int{}               // op and operands -> value
	for _, n := range s.graph.AllNodes() { // operands are made before the nodes that use them
		if !need[n] {
			continue
		}
		op, layer, err := opOf(n)
		if err != nil {
			return nil, err
		}
		if op == nil {
			p.add(n, true)
			continue
		}
		st := step{op: op, layer: layer, node: n}
		key := &strings.Builder{}
		fmt.Fprintf(key, "%T%+v", op, op)
		for _, c := range operands(s.graph, n) {
			v, ok := p.of[c]
			if !ok {
				return nil, &Error{Op: op.Name(), Layer: layer, What: fmt.Sprintf("operand %s comes after the node that uses it", c.Name())}
			}
			st.in = append(st.in, v)
			fmt.Fprintf(key, ",%d", v)
		}
		if v, ok := seen[key.String()]; ok {
			p.of[n] = v
			continue
		}
		st.out = p.add(n, false)
		seen[key.String()] = st.out
		if _, ok := op.(Viewer); ok {
			st.view = true
			p.values[st.out].root = p.values[st.in[0]].root
		}
		p.steps = append(p.steps, st)
	}
	if !o.Plain {
		p.fuse(outputs)
	}
	if o.Fixed && !o.Plain {
		p.settle(s)
	}
	p.place(outputs, o)
	return p, nil
}

func (p *plan) add(n *Node, leaf bool) int {
	i := len(p.values)
	p.values = append(p.values, value{node: n, typ: TypeOf(n), leaf: leaf, root: i})
	p.of[n] = i
	return i
}

// settle puts the steps that depend on no input first.
func (p *plan) settle(s *Scope) {
	varies := make([]bool, len(p.values))
	for _, n := range s.inputs {
		if v, ok := p.of[n]; ok {
			varies[v] = true
		}
	}
	for _, st := range p.steps {
		varies[st.out] = slices.ContainsFunc(st.in, func(v int) bool { return varies[v] })
		if !varies[st.out] {
			p.once++
		}
	}
	later := func(st step) int {
		if varies[st.out] {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(p.steps, func(a, b step) int { return later(a) - later(b) })
}

// place gives every computed value its piece of the arena. A piece is free
// again after the last step that reads it, or goes to that step's result; one that
// outlives the first Run is not free again.
func (p *plan) place(outputs []*Node, o Options) {
	for i, st := range p.steps {
		p.values[p.values[st.out].root].last = i
		for _, v := range st.in {
			p.values[p.values[v].root].last = i
		}
	}
	kept := map[int]bool{}
	for i, st := range p.steps {
		kept[st.out] = i < p.once
	}
	for _, st := range p.steps[p.once:] {
		for _, v := range st.in {
			if root := p.values[v].root; kept[root] {
				p.values[root].last = len(p.steps)
			}
		}
	}
	for _, n := range outputs {
		p.values[p.values[p.of[n]].root].last = len(p.steps)
	}
	dies := make([][]int, len(p.steps)+1)
	for _, st := range p.steps {
		if !st.view {
			last := p.values[st.out].last
			dies[last] = append(dies[last], st.out)
		}
	}
	arenas := map[Dtype]*arena{}
	for i, st := range p.steps {
		v := &p.values[st.out]
		a := arenas[v.typ.Dtype]
		if a == nil {
			a = &arena{}
			arenas[v.typ.Dtype] = a
		}
		over := -1
		if !st.view && !o.Plain {
			over = p.over(i)
		}
		switch {
		case over >= 0:
			v.off = p.values[over].off
		case !st.view:
			v.off = a.take(room(v.typ))
		}
		for _, d := range dies[i] {
			if d != over {
				arenas[p.values[d].typ.Dtype].release(p.values[d].off, room(p.values[d].typ))
			}
		}
	}
	for t, a := range arenas {
		p.arena[t] = a.size
	}
}

func room(t Type) int { return (size(t.Shape) + alignment - 1) / alignment * alignment }

// opOf returns the op of a node, nil for a leaf.
func opOf(n *Node) (Op, string, error) {
	switch op := n.Op().(type) {
	case nil:
		return nil, "", nil
	case *symbol:
		return op.Op, op.layer, nil
	case interface{ Value() gorgonia.Value }: // a constant: the gradient of the loss by itself
		return nil, "", nil
	default:
		// Gorgonia sums gradients with its own addition. Its other ops have
		// contracts that differ from op to op and results that are at times
		// wrong: what is not known to be right is refused.
		if fmt.Sprintf("%T", op) == "gorgonia.elemBinOp" && strings.HasPrefix(op.String(), "+") {
			return sum{}, "", nil
		}
		return nil, "", &Error{What: fmt.Sprintf("node %s uses Gorgonia's own op %v (%T), which is not run here: use the one of package layers", n.Name(), op, op)}
	}
}

// arena hands out pieces of one block of memory by best fit.
type arena struct {
	size int
	free []piece // by offset, never touching
}

type piece struct{ off, n int }

func (a *arena) take(n int) int {
	best := -1
	for i, f := range a.free {
		if f.n >= n && (best < 0 || f.n < a.free[best].n) {
			best = i
		}
	}
	if best >= 0 {
		f := &a.free[best]
		off := f.off
		f.off, f.n = f.off+n, f.n-n
		if f.n == 0 {
			a.free = append(a.free[:best], a.free[best+1:]...)
		}
		return off
	}
	// grow, from the last piece on when that is free
	if k := len(a.free); k > 0 && a.free[k-1].off+a.free[k-1].n == a.size {
		off := a.free[k-1].off
		a.free = a.free[:k-1]
		a.size = off + n
		return off
	}
	a.size += n
	return a.size - n
}

func (a *arena) release(off, n int) {
	if n == 0 {
		return
	}
	i := 0
	for i < len(a.free) && a.free[i].off < off {
		i++
	}
	a.free = append(a.free, piece{})
	copy(a.free[i+1:], a.free[i:])
	a.free[i] = piece{off, n}
	if i+1 < len(a.free) && off+n == a.free[i+1].off {
		a.free[i].n += a.free[i+1].n
		a.free = append(a.free[:i+1], a.free[i+2:]...)
	}
	if i > 0 && a.free[i-1].off+a.free[i-1].n == off {
		a.free[i-1].n += a.free[i].n
		a.free = append(a.free[:i], a.free[i+1:]...)
	}
}
