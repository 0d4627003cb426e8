package graph

import "slices"

// Fuser is implemented by an Op that can do the work of the op that reads its
// result, while that result is hot: a product that adds a residual.
type Fuser interface {
	// Fuse returns an op that computes what reader does with this op's result as
	// its operand at, or nil. Its operands are this op's, then the reader's
	// others; in are the reader's types. It must give the reader's bits.
	Fuse(reader Op, at int, in []Type) Op
}

// Adder marks an Op that adds two operands of one shape.
type Adder interface{ Adds() bool }

// Overwriter is implemented by an Op whose result may lie over an operand of
// the same type: it reads an element of it, or what depends on it, before it
// writes that element, and never after.
type Overwriter interface{ Overwrites(operand int) bool }

// fuse lets ops take in their only readers.
func (p *plan) fuse(outputs []*Node) {
	readers := make([]int, len(p.values))
	maker := make([]*step, len(p.values))
	for i := range p.steps {
		st := &p.steps[i]
		maker[st.out] = st
		for _, v := range st.in {
			readers[v]++
		}
	}
	for _, n := range outputs {
		readers[p.of[n]]++
	}
	for i := range p.steps {
		st := &p.steps[i]
		for at := 0; at < len(st.in); at++ {
			m := maker[st.in[at]]
			if m == nil || readers[m.out] != 1 {
				continue
			}
			f, ok := m.op.(Fuser)
			if !ok {
				continue
			}
			op := f.Fuse(st.op, at, p.types(st.in))
			if op == nil {
				continue
			}
			st.op, st.in = op, append(slices.Clone(m.in), slices.Delete(st.in, at, at+1)...)
			m.op = nil
			break
		}
	}
	p.steps = slices.DeleteFunc(p.steps, func(st step) bool { return st.op == nil })
}

func (p *plan) types(values []int) []Type {
	ts := make([]Type, len(values))
	for i, v := range values {
		ts[i] = p.values[v].typ
	}
	return ts
}

// over returns the value whose memory the result of step i may take: an operand
// of its type that dies there; -1 if there is none.
func (p *plan) over(i int) int {
	st := &p.steps[i]
	o, ok := st.op.(Overwriter)
	if !ok {
		return -1
	}
	out := p.values[st.out].typ
next:
	for k, v := range st.in {
		root := p.values[v].root
		r := p.values[root]
		if r.leaf || r.last != i || !sameType(p.values[v].typ, out) || r.typ.Dtype != out.Dtype || !o.Overwrites(k) {
			continue
		}
		for j, w := range st.in { // the same memory in another order, or one that must not change
			if p.values[w].root == root && !(sameShape(p.values[w].typ.Shape, out.Shape) && o.Overwrites(j)) {
				continue next
			}
		}
		return root
	}
	return -1
}

func sameType(a, b Type) bool { return a.Dtype == b.Dtype && sameShape(a.Shape, b.Shape) }
