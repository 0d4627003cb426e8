package onnx

import (
	"fmt"
	"reflect"
	"slices"

	"spotlighter/graph"
)

// Builder collects the nodes of a model.
type Builder struct {
	nodes   []node
	weights []initializer // variables
	consts  []initializer

	at    string         // what the names of values begin with
	names map[string]int // how many values have a name
	batch Value          // its size, int64 [1]; "" until somebody asks
	items Operand        // an input whose first axis is the batch
	err   error          // the first of what no operator can do
}

// node is an operator with its operands.
type node struct {
	kind    string
	in, out []Value
	attrs   []Attr
}

// Attr is an attribute of an operator: an int, a float64, a string or []int.
type Attr struct {
	Name  string
	Value any
}

// initializer is a value that a model holds.
type initializer struct {
	name  Value
	value graph.Tensor // Float32 or Int
}

// name makes a name that no other value has.
func (b *Builder) name(short string) Value {
	if b.at != "" {
		short = b.at + "/" + short
	}
	b.names[short]++
	if n := b.names[short]; n > 1 {
		return Value(fmt.Sprintf("%s:%d", short, n))
	}
	return Value(short)
}

// Op adds a standard operator of one result.
func (b *Builder) Op(kind string, in []Value, attrs ...Attr) Value {
	return b.ops(kind, 1, in, attrs)[0]
}

func (b *Builder) ops(kind string, results int, in []Value, attrs []Attr) []Value {
	out := make([]Value, results)
	for i := range out {
		out[i] = b.name(kind)
	}
	b.nodes = append(b.nodes, node{kind, slices.Clone(in), out, attrs})
	return out
}

// Floats adds a constant of that shape.
func (b *Builder) Floats(data []float32, shape ...int) Value {
	return b.constant(graph.Floats(data, slices.Clone(shape)...))
}

// Ints adds a constant of that shape.
func (b *Builder) Ints(data []int, shape ...int) Value {
	return b.constant(graph.Ints(data, slices.Clone(shape)...))
}

// Scalar adds a constant without axes.
func (b *Builder) Scalar(v float64) Value { return b.Floats([]float32{float32(v)}) }

// maxMerged is how many elements constants may have that are looked through for
// an equal one.
const maxMerged = 64

func (b *Builder) constant(t graph.Tensor) Value {
	if t.Len() <= maxMerged {
		for _, c := range b.consts {
			if reflect.DeepEqual(c.value, t) {
				return c.name
			}
		}
	}
	b.consts = append(b.consts, initializer{b.name("constant"), t})
	return b.consts[len(b.consts)-1].name
}

// size is so many times the batch, as an int64 [1].
func (b *Builder) size(times int) Value {
	if b.batch == "" {
		b.batch = b.Op("Shape", []Value{b.items.Value}, Attr{"start", 0}, Attr{"end", 1})
	}
	if times == 1 {
		return b.batch
	}
	return b.Mul(b.batch, b.Ints([]int{times}, 1))
}

// batchName is what a model calls an axis of so many times the batch.
func batchName(times int) string {
	if times == 1 {
		return "batch"
	}
	return fmt.Sprintf("%d*batch", times)
}
