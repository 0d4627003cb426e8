package graph

import (
	"spotlighter/graph/cpu"
)

// Tensor is a dense row-major array. Exactly one of F32, F64 and Int is in
// use, as Dtype says.
type Tensor struct {
	Shape Shape
	Dtype Dtype
	F32   []float32
	F64   []float64
	Int   []int

	packs *packs // of a frozen variable's value
}

// NewTensor returns a tensor of zeros.
func NewTensor(dtype Dtype, shape ...int) Tensor {
	t := Tensor{Shape: Shape(shape).Clone(), Dtype: dtype}
	n := size(t.Shape)
	switch dtype {
	case Float32:
		t.F32 = make([]float32, n)
	case Float64:
		t.F64 = make([]float64, n)
	default:
		t.Int = make([]int, n)
	}
	return t
}

// Floats wraps data, without copying it, as a tensor of the given shape.
func Floats(data []float32, shape ...int) Tensor {
	t := Tensor{Shape: shape, Dtype: Float32, F32: data}
	t.mustFit(len(data))
	return t
}

// Ints wraps data, without copying it, as a tensor of the given shape.
func Ints(data []int, shape ...int) Tensor {
	t := Tensor{Shape: shape, Dtype: Int, Int: data}
	t.mustFit(len(data))
	return t
}

func (t Tensor) mustFit(n int) {
	if n != size(t.Shape) {
		refuse("%d values do not fill the shape %v", n, []int(t.Shape))
	}
}

// Len is the number of elements.
func (t Tensor) Len() int { return size(t.Shape) }

// Row returns elements [i*n, (i+1)*n) of a Float32 tensor, n the product of
// all axes but the first.
func (t Tensor) Row(i int) []float32 {
	n := t.Len() / t.Shape[0]
	return t.F32[i*n : (i+1)*n]
}

// Data returns the elements of a float tensor as the type its kernel runs in.
func Data[T cpu.Float](t Tensor) []T {
	if t.Dtype == Float64 {
		return any(t.F64).([]T)
	}
	return any(t.F32).([]T)
}

// Convert returns t with the given float type; t itself when it has it.
func (t Tensor) Convert(dtype Dtype) Tensor {
	if t.Dtype == dtype || t.Dtype == Int {
		return t
	}
	c := NewTensor(dtype, t.Shape...)
	for i := range c.F32 {
		c.F32[i] = float32(t.F64[i])
	}
	for i := range c.F64 {
		c.F64[i] = float64(t.F32[i])
	}
	return c
}

func (t Tensor) clone() Tensor {
	c := NewTensor(t.Dtype, t.Shape...)
	c.copyFrom(t)
	return c
}

// copyFrom copies src's elements, of the same type and number, into t.
func (t Tensor) copyFrom(src Tensor) {
	copy(t.F32, src.F32)
	copy(t.F64, src.F64)
	copy(t.Int, src.Int)
}

// filled says whether t has memory.
func (t Tensor) filled() bool { return t.F32 != nil || t.F64 != nil || t.Int != nil }

// slice returns the elements [off, off+n) of a flat tensor as the given shape.
func (t Tensor) slice(off int, shape Shape) Tensor {
	v := Tensor{Shape: shape, Dtype: t.Dtype}
	n := size(shape)
	switch t.Dtype {
	case Float32:
		v.F32 = t.F32[off : off+n : off+n]
	case Float64:
		v.F64 = t.F64[off : off+n : off+n]
	default:
		v.Int = t.Int[off : off+n : off+n]
	}
	return v
}

// size counts the elements of a shape. Unlike tensor.Shape.TotalSize it gives 0
// for a shape with an empty axis.
func size(s Shape) int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}
