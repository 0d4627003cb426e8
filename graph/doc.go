// Package graph turns a symbolic Gorgonia graph into a program that runs.
//
// A Scope declares named variables and inputs over one gorgonia.ExprGraph.
// Apply adds operations, Grad differentiates with Gorgonia's own symbolic
// engine, and Compile makes a Program: the nodes that are needed, in order,
// over buffers planned by liveness, with the updates of the variables (the
// optimiser's, the bank's) as its last act, so that one Run is one training
// step.
//
// Building a graph panics with an *Error that names the op, the layer and what
// was wanted; Try turns that panic into an error at the border of a package.
// Everything after building (Compile, Run, Load) returns errors.
package graph

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Node is a value of the symbolic graph.
type Node = gorgonia.Node

// Shape lists the sizes of a value's axes; an empty Shape is a scalar.
type Shape = tensor.Shape

// Dtype is the type of a value's elements: Float32 in use, Float64 when the
// same graph is checked, Int for labels, token ids and indices.
type Dtype = tensor.Dtype

// The element types that a graph can hold.
var (
	Float32 = tensor.Float32
	Float64 = tensor.Float64
	Int     = tensor.Int
)
