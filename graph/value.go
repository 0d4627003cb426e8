package graph

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// fromValue shares the memory of a Gorgonia value; a scalar is copied.
func fromValue(v gorgonia.Value) (Tensor, error) {
	switch v := v.(type) {
	case *gorgonia.F32:
		return Floats([]float32{float32(*v)}), nil
	case *gorgonia.F64:
		return Tensor{Shape: Shape{}, Dtype: Float64, F64: []float64{float64(*v)}}, nil
	case *tensor.Dense:
		if v.RequiresIterator() {
			v = v.Materialize().(*tensor.Dense)
		}
		t := Tensor{Shape: v.Shape(), Dtype: v.Dtype()}
		switch v.Dtype() {
		case Float32:
			t.F32 = v.Float32s()
		case Float64:
			t.F64 = v.Float64s()
		case Int:
			t.Int = v.Ints()
		default:
			return Tensor{}, &Error{What: "element type " + v.Dtype().String() + " is not supported"}
		}
		return t, nil
	}
	return Tensor{}, &Error{What: "value of type " + v.Dtype().String() + " is not supported"}
}

// toValue shares the memory of t with a Gorgonia value.
func toValue(t Tensor) gorgonia.Value {
	if len(t.Shape) == 0 && t.Dtype != Int {
		if t.Dtype == Float64 {
			return gorgonia.NewF64(t.F64[0])
		}
		return gorgonia.NewF32(t.F32[0])
	}
	var backing any = t.F32
	switch t.Dtype {
	case Float64:
		backing = t.F64
	case Int:
		backing = t.Int
	}
	return tensor.New(tensor.WithShape(t.Shape...), tensor.WithBacking(backing))
}
