// Package layers holds the operations and layers that the encoders and the
// method are built of, each with its gradient: those that Gorgonia lacks or
// gets wrong, and those it has, over kernels of our own.
//
// Shape legend: B images, N tokens, W width, H heads, C classes, D joint width,
// M rows of any kind. Every function takes nodes of one graph and panics with a
// *graph.Error when their shapes do not fit (see graph.Try).
package layers

import (
	"fmt"
	"slices"

	"spotlighter/graph"
)

// Node is a value of the graph.
type Node = graph.Node

// grain is the least number of elements worth handing to a thread.
const grain = 1 << 14

// rowGrain is how many rows of n elements make a task of about that size.
func rowGrain(n int) int { return max(1, grain/max(n, 1)) }

// rows calls f for every row of n elements among total, in parallel.
func rows(c *graph.Ctx, total, n int, f func(r, lo, hi int)) {
	if n == 0 {
		return
	}
	c.For(total/n, rowGrain(n), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			f(r, r*n, r*n+n)
		}
	})
}

// each calls f for parts of [0,n), in parallel.
func each(c *graph.Ctx, n int, f func(lo, hi int)) { c.For(n, grain, f) }

// ShapeOf returns the shape of a node's value, empty for a scalar.
func ShapeOf(x *Node) graph.Shape { return graph.TypeOf(x).Shape }

func count(s graph.Shape) int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

func last(s graph.Shape) int { return s[len(s)-1] }

// split returns the sizes before, at and after an axis.
func split(s graph.Shape, axis int) (outer, n, inner int) {
	return count(s[:axis]), s[axis], count(s[axis+1:])
}

// sameAs checks that all operands have the type of the first.
func sameAs(in []graph.Type) error {
	for _, t := range in[1:] {
		if !isShape(t.Shape, in[0].Shape...) {
			return fmt.Errorf("want operands of one shape")
		}
	}
	return nil
}

// atLeast checks that an operand holds floats, in a number of axes.
func atLeast(t graph.Type, dims int) error {
	if len(t.Shape) < dims {
		return fmt.Errorf("want at least %d axes", dims)
	}
	return floats(t)
}

// floats checks that operands hold floats. Ints would be read as none.
func floats(in ...graph.Type) error {
	for _, t := range in {
		if t.Dtype == graph.Int {
			return fmt.Errorf("want floats, not %v", t.Dtype)
		}
	}
	return nil
}

// isShape compares a shape exactly: tensor.Shape.Eq takes a vector for a column.
func isShape(s graph.Shape, want ...int) bool { return slices.Equal(s, want) }
