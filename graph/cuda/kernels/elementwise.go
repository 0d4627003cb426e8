package kernels

import "fmt"

// Function is a function of one number that kernel unary knows, in the order of
// elementwise.cuh.
type Function int

// The functions.
const (
	Exp Function = iota
	Log
	Sigmoid
	Sqrt
	Square
	Abs
	Tanh
	ReLU
	GELU
	QuickGELU
)

var functions = []string{"exp", "log", "sigmoid", "sqrt", "square", "abs", "tanh", "relu", "gelu", "quickgelu"}

// FunctionOf returns the function of a name.
func FunctionOf(name string) (Function, error) {
	for i, f := range functions {
		if f == name {
			return Function(i), nil
		}
	}
	return 0, fmt.Errorf("function %s, which CUDA kernels do not know", name)
}

// Unary is y = fn(x).
func (l *List) Unary(fn Function, y, x Tensor) error {
	return l.Each("unary", y.Len(), int(fn), x, y, y.Len())
}

// UnaryGrad is dx = dy fn'(x), given y = fn(x), which GELU and QuickGELU do not
// read.
func (l *List) UnaryGrad(fn Function, dx, x, y, dy Tensor) error {
	return l.Each("unary_grad", dx.Len(), int(fn), x, y, dy, dx, dx.Len())
}

// Affine is y = a x + b.
func (l *List) Affine(y, x Tensor, a, b float64) error {
	return l.Each("affine", y.Len(), x, y, y.Len(), a, b)
}

// Fill sets all elements of y.
func (l *List) Fill(y Tensor, v float64) error { return l.Each("fill", y.Len(), y, y.Len(), v) }

// Binary is y = a op b, op one of + - * /, with broadcasting.
func (l *List) Binary(op byte, y, a, b Tensor) error {
	code := map[byte]int{'+': 0, '-': 1, '*': 2, '/': 3}[op]
	n, st, err := arrange(y.Shape, repeated(a.Shape, y.Shape), repeated(b.Shape, y.Shape))
	if err != nil {
		return err
	}
	p, q := st[0], st[1]
	return l.Each("binary", y.Len(), code, a, b, y, y.Len(), n[1], n[2], n[3], p[0], p[1], p[2], p[3], q[0], q[1], q[2], q[3])
}

// Layout says where elements of an array lie: from an address on, by a stride of
// each axis, in elements.
type Layout struct {
	Ptr     Ptr
	Strides []int
}

// Dense is the layout of all of t.
func Dense(t Tensor) Layout { return Layout{t.Ptr, dense(t.Shape)} }

// From is the layout of t from an index of an axis on.
func From(t Tensor, axis, index int) Layout {
	s := dense(t.Shape)
	return Layout{t.Ptr.Plus(index*s[axis], floatSize), s}
}

// Repeat is the layout of t as the given shape, to which it broadcasts.
func Repeat(t Tensor, shape []int) Layout { return Layout{t.Ptr, repeated(t.Shape, shape)} }

// Permute is the layout of t with its axes in another order.
func Permute(t Tensor, axes []int) Layout {
	s, by := dense(t.Shape), make([]int, len(axes))
	for i, a := range axes {
		by[i] = s[a]
	}
	return Layout{t.Ptr, by}
}

// Part is the layout of what lies in t from an element on, by those strides.
func Part(t Tensor, from int, strides ...int) Layout {
	return Layout{t.Ptr.Plus(from, floatSize), strides}
}

// Copy copies an array of the given shape between two layouts.
func (l *List) Copy(shape []int, to, from Layout) error {
	n, st, err := arrange(shape, from.Strides, to.Strides)
	if err != nil {
		return err
	}
	x, y, all := st[0], st[1], count(shape)
	return l.Each("copy", all, from.Ptr, to.Ptr, all, n[1], n[2], n[3], x[0], x[1], x[2], x[3], y[0], y[1], y[2], y[3])
}

// dense are the strides of a row-major array.
func dense(shape []int) []int {
	st, n := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		st[i] = n
		n *= shape[i]
	}
	return st
}

// repeated are the strides of an array of shape s that broadcasts to another: 0
// where it repeats.
func repeated(s, shape []int) []int {
	st, own := make([]int, len(shape)), dense(s)
	for i := 1; i <= len(s); i++ {
		if s[len(s)-i] != 1 {
			st[len(shape)-i] = own[len(s)-i]
		}
	}
	return st
}

// arrange reduces an array and its strides in some layouts to four axes: axes of
// one element are dropped, and neighbours that every layout steps through as one
// are joined.
func arrange(shape []int, layouts ...[]int) (sizes [4]int, strides [][4]int, err error) {
	var axes []int // that stay, by number
	size := append([]int(nil), shape...)
	for i := len(shape) - 1; i >= 0; i-- {
		if size[i] == 1 {
			continue
		}
		if k := len(axes); k > 0 {
			in, joins := axes[k-1], true
			for _, st := range layouts {
				joins = joins && st[i] == st[in]*size[in]
			}
			if joins {
				size[in] *= size[i]
				continue
			}
		}
		axes = append(axes, i)
	}
	if len(axes) > 4 {
		return sizes, nil, fmt.Errorf("shape %v needs %d axes, CUDA kernels have 4", shape, len(axes))
	}
	sizes, strides = [4]int{1, 1, 1, 1}, make([][4]int, len(layouts))
	for k, i := range axes {
		sizes[3-k] = size[i]
		for n, st := range layouts {
			strides[n][3-k] = st[i]
		}
	}
	return sizes, strides, nil
}
