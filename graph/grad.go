package graph

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/graph"
	"gorgonia.org/gorgonia"

	"spotlighter/graph/cpu"
	"spotlighter/graph/cuda/kernels"
)

// Grad returns the gradients of a scalar loss with respect to variables, by
// Gorgonia's symbolic differentiation. Call it once a graph, with all of them:
// Gorgonia keeps derivatives on its nodes, and a second loss would get the
// first one's.
func (s *Scope) Grad(loss *Node, wrt []*Variable) ([]*Node, error) {
	if s.build.differentiated {
		return nil, &Error{What: "gradients can be taken once a graph: build another one over the same store", At: caller()}
	}
	nodes := make([]*Node, len(wrt))
	if err := Try(func() {
		for i, v := range wrt {
			nodes[i] = s.Node(v)
		}
	}); err != nil {
		return nil, err
	}
	reached := s.differentiable(loss)
	for i, n := range nodes {
		if !reached[n] {
			return nil, &Error{What: fmt.Sprintf("gradient of the loss: it does not depend on variable %s, or only through ops that have no gradient", wrt[i].Name), At: caller()}
		}
	}
	s.build.differentiated, s.build.terms = true, map[*Node][]*Node{}
	defer func() { s.build.terms = nil }()
	grads, err := gorgonia.Grad(loss, nodes...)
	if err != nil {
		if s.build.fault != nil { // without Gorgonia's words around it
			err = s.build.fault
		}
		return nil, &Error{What: "gradient of the loss", Err: err}
	}
	for n, terms := range s.build.terms {
		if err := checkSum(s.graph, n, terms); err != nil {
			return nil, err
		}
	}
	for i, v := range wrt {
		s.Label("grad/"+v.Name, grads[i])
	}
	return grads, nil
}

// differentiable is all that a gradient of n reaches.
func (s *Scope) differentiable(n *Node) map[*Node]bool {
	reached := map[*Node]bool{n: true}
	for next := []*Node{n}; len(next) > 0; {
		n := next[len(next)-1]
		next = next[:len(next)-1]
		op, ok := n.Op().(gorgonia.SDOp)
		if !ok {
			continue
		}
		in := operands(s.graph, n)
		for i, passes := range op.DiffWRT(len(in)) {
			if passes && !reached[in[i]] {
				reached[in[i]] = true
				next = append(next, in[i])
			}
		}
	}
	return reached
}

// checkSum makes sure that the derivative of n is the sum of the terms that it
// received. Gorgonia adds them with its own op, whose nodes it merges when
// their 32-bit hashes agree: rare, and then silently wrong.
func checkSum(g *gorgonia.ExprGraph, n *Node, terms []*Node) error {
	sum := n.Deriv()
	if sum == nil { // not between the loss and a variable: never summed
		return nil
	}
	for i := len(terms) - 1; i > 0; i-- {
		c := operands(g, sum)
		if len(c) != 2 || c[1] != terms[i] {
			return &Error{What: fmt.Sprintf("the gradient of %s is not the sum of its %d terms: two nodes have the same hash", n.Name(), len(terms))}
		}
		sum = c[0]
	}
	if sum != terms[0] {
		return &Error{What: fmt.Sprintf("the gradient of %s lost a term: two nodes have the same hash", n.Name())}
	}
	return nil
}

// operands lists the children of a node in operand order.
func operands(g *gorgonia.ExprGraph, n *Node) []*Node {
	var c []*Node
	for _, x := range graph.NodesOf(g.From(n.ID())) {
		c = append(c, x.(*Node))
	}
	return slices.Clip(c)
}

// Operands lists the nodes that a node is computed from, in order.
func (s *Scope) Operands(n *Node) []*Node { return operands(s.graph, n) }

// sum is Gorgonia's addition of two gradients of one shape.
type sum struct{ NoGrad }

func (sum) Name() string                  { return "add" }
func (sum) Loops()                        {}
func (sum) Adds() bool                    { return true }
func (sum) Overwrites(int) bool           { return true }
func (sum) Infer(in []Type) (Type, error) { return in[0], nil }
func (sum) Run(c *Ctx, out Tensor, in []Tensor) error {
	if out.Dtype == Float64 {
		addInto(c, out.F64, in[0].F64, in[1].F64)
	} else {
		addInto(c, out.F32, in[0].F32, in[1].F32)
	}
	return nil
}

// Lower is the same on a CUDA device.
func (sum) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Binary('+', out, in[0], in[1])
}

func addInto[T cpu.Float](c *Ctx, out, a, b []T) {
	c.For(len(out), 1<<14, func(lo, hi int) { cpu.Add(out[lo:hi], a[lo:hi], b[lo:hi]) })
}
