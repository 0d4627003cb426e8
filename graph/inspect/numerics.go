// Package inspect looks into programs while they run: at the first number that
// is none, at named intermediates, at where the time goes, and at gradients
// beside finite differences.
package inspect

import (
	"fmt"
	"math"
	"strings"
	"time"

	"spotlighter/graph"
)

// Numerics is a Watcher that stops a program at the first NaN or infinity, and
// says in which op it arose. Ops run one by one, each into memory of its own.
type Numerics struct{}

// Plain asks for every op by itself.
func (Numerics) Plain() {}

// Begin refuses inputs, variables and constants that hold NaN or infinity.
func (Numerics) Begin(p *graph.Program, leaves []graph.Leaf) error {
	for _, l := range leaves {
		if f := faultOf(l.Value); f.any() {
			return fmt.Errorf("%s%s, before any op: %s", within(p), l.Name, f)
		}
	}
	return nil
}

// Step refuses a result that holds NaN or infinity.
func (Numerics) Step(p *graph.Program, s *graph.Step, out graph.Tensor, in []graph.Tensor, _ time.Time, _ time.Duration) error {
	f := faultOf(out)
	if !f.any() {
		return nil
	}
	var from []string
	for i, t := range in {
		from = append(from, s.Inputs[i]+" "+rangeOf(t))
	}
	layer := ""
	if s.Layer != "" {
		layer = " in " + s.Layer
	}
	return fmt.Errorf("%s%s%s, node %s, %s: %s; operands: %s", within(p), s.Op, layer, s.Node, s.Phase, f, strings.Join(from, ", "))
}

func within(p *graph.Program) string {
	if p.Title() == "" {
		return ""
	}
	return p.Title() + ": "
}

// fault is what is wrong with a value.
type fault struct {
	nan, inf  int
	first, of int // place of the first, number of elements
	value     float64
	shape     graph.Shape
}

func (f fault) any() bool { return f.nan+f.inf > 0 }

func (f fault) String() string {
	var what []string
	if f.nan > 0 {
		what = append(what, fmt.Sprintf("%d NaN", f.nan))
	}
	if f.inf > 0 {
		what = append(what, fmt.Sprintf("%d Inf", f.inf))
	}
	return fmt.Sprintf("%s among %d elements of %v, the first (%v) at %v", strings.Join(what, " and "), f.of, []int(f.shape), f.value, place(f.first, f.shape))
}

// place is the index of an element.
func place(i int, s graph.Shape) []int {
	at := make([]int, len(s))
	for d := len(s) - 1; d >= 0; d-- {
		at[d], i = i%s[d], i/s[d]
	}
	return at
}

func faultOf(t graph.Tensor) fault {
	f := fault{of: t.Len(), shape: t.Shape}
	each(t, func(i int, v float64) {
		if v-v == 0 { // neither NaN nor an infinity
			return
		}
		if !f.any() {
			f.first, f.value = i, v
		}
		if math.IsNaN(v) {
			f.nan++
		} else {
			f.inf++
		}
	})
	return f
}

// rangeOf is a tensor's shape and its least and greatest number.
func rangeOf(t graph.Tensor) string {
	shape := strings.ReplaceAll(fmt.Sprint([]int(t.Shape)), " ", ",")
	low, high, bad := math.Inf(1), math.Inf(-1), 0
	each(t, func(_ int, v float64) {
		if v != v {
			bad++
			return
		}
		low, high = min(low, v), max(high, v)
	})
	switch {
	case t.Len() == 0:
		return shape + " empty"
	case bad == t.Len():
		return shape + " all NaN"
	case bad > 0:
		return fmt.Sprintf("%s from %.4g to %.4g, %d NaN", shape, low, high, bad)
	}
	return fmt.Sprintf("%s from %.4g to %.4g", shape, low, high)
}

func each(t graph.Tensor, f func(i int, v float64)) {
	for i, v := range t.F32 {
		f(i, float64(v))
	}
	for i, v := range t.F64 {
		f(i, v)
	}
	for i, v := range t.Int {
		f(i, float64(v))
	}
}
