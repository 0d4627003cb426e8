package graph

import (
	"cmp"
	"slices"
)

// Footprint is what a program's values take, in bytes.
type Footprint struct {
	Values    int64 `json:"values_bytes"` // planned for intermediate values: Live, and gaps
	Variables int64 `json:"variables_bytes"`
	Packed    int64 `json:"packed_bytes"` // copies of frozen variables arranged for products; programs over one store share them
	Inputs    int64 `json:"inputs_bytes"` // inputs and constants

	Live int64  `json:"live_bytes"` // of intermediate values at the peak
	Peak string `json:"peak"`       // the node that is computed then
	Held []Held `json:"held"`       // what is live then, the largest first
}

// Held is a value that is live at a program's peak.
type Held struct {
	Node  string `json:"node"`
	Shape Shape  `json:"shape"`
	Bytes int64  `json:"bytes"`
}

// Footprint says what the values of a program that is watched take, and what of them
// is live where the most is.
func (p *Program) Footprint() Footprint {
	m := Footprint{Values: p.Bytes(), Packed: p.PackedBytes()}
	variables := map[int]bool{}
	for _, b := range p.vars {
		variables[b.value] = true
	}
	for i, v := range p.plan.values {
		switch {
		case variables[i]:
			m.Variables += v.typ.bytes()
		case v.leaf:
			m.Inputs += v.typ.bytes()
		}
	}
	at := -1
	for i, live := range p.plan.live() {
		if live > m.Live {
			m.Live, at = live, i
		}
	}
	if at < 0 || p.watched == nil {
		return m
	}
	m.Peak = p.watched.steps[at].Node
	for i, st := range p.plan.steps {
		if p.plan.liveAt(i, at) {
			t := p.plan.values[st.out].typ
			m.Held = append(m.Held, Held{p.watched.steps[i].Node, t.Shape, t.bytes()})
		}
	}
	slices.SortStableFunc(m.Held, func(a, b Held) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return m
}

// live counts the bytes of the values that are live at each step.
func (p *plan) live() []int64 {
	change := make([]int64, len(p.steps)+1)
	for i, st := range p.steps {
		if v := p.values[st.out]; !st.view {
			change[i] += v.typ.bytes()
			change[p.end(i)] -= v.typ.bytes()
		}
	}
	var n int64
	for i := range change {
		n += change[i]
		change[i] = n
	}
	return change[:len(p.steps)]
}

// liveAt says whether the result of step i is live at step at.
func (p *plan) liveAt(i, at int) bool {
	return !p.steps[i].view && i <= at && at < p.end(i)
}

// end is the first step at which the result of step i is no longer live: the one
// after its last reader, or that reader itself if its result lies over it.
func (p *plan) end(i int) int {
	v := p.values[p.steps[i].out]
	if v.last > i && v.last < len(p.steps) {
		reader := p.steps[v.last]
		if r := p.values[reader.out]; !reader.view && r.typ.Dtype == v.typ.Dtype && r.off == v.off {
			return v.last
		}
	}
	return min(v.last+1, len(p.steps))
}
