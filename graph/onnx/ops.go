package onnx

import "fmt"

// Add is x + y, elementwise, with broadcasting.
func (b *Builder) Add(x, y Value) Value { return b.Op("Add", []Value{x, y}) }

// Sub is x - y, elementwise, with broadcasting.
func (b *Builder) Sub(x, y Value) Value { return b.Op("Sub", []Value{x, y}) }

// Mul is x * y, elementwise, with broadcasting.
func (b *Builder) Mul(x, y Value) Value { return b.Op("Mul", []Value{x, y}) }

// Div is x / y, elementwise, with broadcasting.
func (b *Builder) Div(x, y Value) Value { return b.Op("Div", []Value{x, y}) }

// Unary is an elementwise operator.
func (b *Builder) Unary(kind string, x Value) Value { return b.Op(kind, []Value{x}) }

// MatMul multiplies the last two axes; leading ones are broadcast.
func (b *Builder) MatMul(x, y Value) Value { return b.Op("MatMul", []Value{x, y}) }

// Softmax is over the last axis.
func (b *Builder) Softmax(x Value) Value { return b.Op("Softmax", []Value{x}, Attr{"axis", -1}) }

// Transpose permutes axes.
func (b *Builder) Transpose(x Value, perm ...int) Value {
	return b.Op("Transpose", []Value{x}, Attr{"perm", perm})
}

// Swap exchanges the last two of so many axes.
func (b *Builder) Swap(x Value, axes int) Value {
	perm := make([]int, axes)
	for i := range perm {
		perm[i] = i
	}
	perm[axes-2], perm[axes-1] = axes-1, axes-2
	return b.Transpose(x, perm...)
}

// Concat joins values along an axis.
func (b *Builder) Concat(axis int, xs ...Value) Value {
	return b.Op("Concat", xs, Attr{"axis", axis})
}

// Slice is x[..., lo:hi, ...] along an axis.
func (b *Builder) Slice(x Value, axis, lo, hi int) Value {
	return b.Op("Slice", []Value{x, b.Ints([]int{lo}, 1), b.Ints([]int{hi}, 1), b.Ints([]int{axis}, 1)})
}

// Gather takes the elements idx along an axis: idx's axes take its place.
func (b *Builder) Gather(x, idx Value, axis int) Value {
	return b.Op("Gather", []Value{x, idx}, Attr{"axis", axis})
}

// GatherRows takes elements along axis 1, for each item of axis 0 its own: x
// [R, N, ...] and idx [R, K] give [R, K, ...]. r is R.
func (b *Builder) GatherRows(x, idx Value, r, k int) Value {
	return b.Op("GatherND", []Value{x, b.Reshape(idx, r, k, 1)}, Attr{"batch_dims", 1})
}

// Pick takes elements along the last axis, for each row its own: x [R, N] and idx
// [R, K] give [R, K].
func (b *Builder) Pick(x, idx Value) Value {
	return b.Op("GatherElements", []Value{x, idx}, Attr{"axis", -1})
}

// ScatterAdd adds x to y along an axis, each element at the place that idx has for
// it.
func (b *Builder) ScatterAdd(y, idx, x Value, axis int) Value {
	return b.Op("ScatterElements", []Value{y, idx, x}, Attr{"axis", axis}, Attr{"reduction", "add"})
}

// TopK is where the k greatest of the last axis are, by falling value, ties to the
// lower index.
func (b *Builder) TopK(x Value, k int) Value {
	return b.ops("TopK", 2, []Value{x, b.Ints([]int{k}, 1)}, []Attr{{"axis", -1}, {"largest", 1}, {"sorted", 1}})[1]
}

// ArgMax is where the greatest of the last axis, which stays, is: the first of
// equals.
func (b *Builder) ArgMax(x Value) Value {
	return b.Op("ArgMax", []Value{x}, Attr{"axis", -1}, Attr{"keepdims", 1})
}

// Reduce is ReduceSum, ReduceMean or ReduceMax over one axis, which is dropped or
// stays with size 1.
func (b *Builder) Reduce(kind string, x Value, axis int, stays bool) Value {
	keep := 0
	if stays {
		keep = 1
	}
	return b.Op(kind, []Value{x, b.Ints([]int{axis}, 1)}, Attr{"keepdims", keep})
}

// Reshape gives x a shape of as many elements. The batch may have a part in one of
// its axes at most.
func (b *Builder) Reshape(x Value, shape ...int) Value {
	to, open := make([]int, len(shape)), 0
	for i, d := range shape {
		if to[i] = max(d, -1); d < 0 {
			open++
		}
	}
	if open > 1 && b.err == nil {
		b.err = fmt.Errorf("shape %v has the batch in %d axes: %w", shape, open, ErrFixed)
	}
	return b.Op("Reshape", []Value{x, b.Ints(to, len(to))})
}

// Expand repeats x along its axes of size 1, and along new leading ones.
func (b *Builder) Expand(x Operand, shape ...int) Value {
	to := make([]int, len(shape))
	var parts []Value // of the shape, where the batch has a part in it
	fixed := 0        // axes before are in parts
	new := len(shape) - len(x.Shape)
	for i, d := range shape {
		to[i] = d
		if d >= 0 {
			continue
		}
		if i >= new && x.Shape[i-new] == d {
			to[i] = 1 // as x has it
			continue
		}
		if fixed < i {
			parts = append(parts, b.Ints(to[fixed:i:i], i-fixed))
		}
		parts = append(parts, b.size(-d))
		fixed = i + 1
	}
	if len(parts) == 0 {
		return b.Op("Expand", []Value{x.Value, b.Ints(to, len(to))})
	}
	if fixed < len(to) {
		parts = append(parts, b.Ints(to[fixed:], len(to)-fixed))
	}
	return b.Op("Expand", []Value{x.Value, b.Concat(0, parts...)})
}
