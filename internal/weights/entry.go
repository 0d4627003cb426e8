package weights

import (
	"slices"

	"github.com/nlpodyssey/safetensors"
)

// entry locates one tensor in a mapped file.
type entry struct {
	dtype  safetensors.DType
	shape  []int
	data   []byte
	stride []int // in elements; nil: row-major, and data is exactly the tensor
	// joined are tensors that follow each other along the first axis; data and
	// stride are then unused.
	joined []entry
}

func (e entry) count() int { return product(e.shape) }

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// rowMajor are the strides of a dense tensor.
func rowMajor(shape []int) []int {
	stride, n := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		stride[i] = n
		n *= max(shape[i], 1)
	}
	return stride
}

// raw returns the stored bytes in row-major order: the mapping itself where it
// is in that order.
func (e entry) raw() []byte {
	switch {
	case e.joined != nil:
		out := make([]byte, 0, e.count()*int(e.dtype.Size()))
		for _, part := range e.joined {
			out = append(out, part.raw()...)
		}
		return out
	case e.stride == nil:
		return e.data
	}
	size := int(e.dtype.Size())
	out := make([]byte, 0, e.count()*size)
	var walk func(axis, at int)
	walk = func(axis, at int) {
		if axis == len(e.shape) {
			out = append(out, e.data[at*size:(at+1)*size]...)
			return
		}
		for i := range e.shape[axis] {
			walk(axis+1, at+i*e.stride[axis])
		}
	}
	walk(0, 0)
	return out
}

// transposed is a matrix [R, C] seen as [C, R].
func (e entry) transposed() entry {
	stride := e.stride
	if stride == nil {
		stride = rowMajor(e.shape)
	}
	e.shape = []int{e.shape[1], e.shape[0]}
	e.stride = []int{stride[1], stride[0]}
	return e
}

// join puts tensors of one type and shape together along the first axis.
func join(parts ...entry) entry {
	e := entry{dtype: parts[0].dtype, shape: slices.Clone(parts[0].shape), joined: parts}
	e.shape[0] *= len(parts)
	return e
}
