// Package onnx writes programs as ONNX models, which other runtimes run: the ops of
// a program in standard operators, the weights with them. Only the messages of
// onnx.proto that such a model has are written (github.com/onnx/onnx, IR version 9,
// operator set 18).
//
// Shapes are of ints, as everywhere; an axis of size -k is k times the batch, which
// a model leaves open.
package onnx

// Op is implemented by operations of the graph that have a form in ONNX.
type Op interface {
	// ONNX adds nodes to b that compute, from the operands in, a result of type out,
	// and returns it. It returns an error for what the standard operators cannot do.
	ONNX(b *Builder, out Type, in []Operand) (Value, error)
}

// Value is the name of a value of a model.
type Value string

// Type is what is known of a value: floats, or int64s, and a size an axis, -k for k
// times the batch.
type Type struct {
	Shape []int
	Int   bool
}

// Operand is a value that an op reads.
type Operand struct {
	Value
	Type
}

// Last is the size of the last axis.
func (t Type) Last() int { return t.Shape[len(t.Shape)-1] }

// count is the number of elements, -k for k times the batch.
func count(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
