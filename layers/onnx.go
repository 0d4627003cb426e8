package layers

import (
	"fmt"
	"math"
	"slices"

	"spotlighter/graph/onnx"
)

// How the operations are written in ONNX's standard operators. Those that training
// alone needs have no form.

// onnxUnary are the operators that are one.
var onnxUnary = map[string]string{
	"abs": "Abs", "exp": "Exp", "log": "Log", "relu": "Relu", "sigmoid": "Sigmoid", "sqrt": "Sqrt", "tanh": "Tanh",
}

func (o unary) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	x := in[0].Value
	switch o.Fn {
	case "square":
		return b.Mul(x, x), nil
	case "gelu": // x (1 + erf(x/sqrt 2))/2
		e := b.Unary("Erf", b.Mul(x, b.Scalar(math.Sqrt2/2)))
		return b.Mul(b.Mul(x, b.Scalar(.5)), b.Add(e, b.Scalar(1))), nil
	}
	kind, ok := onnxUnary[o.Fn]
	if !ok {
		return "", fmt.Errorf("function %s has no form in ONNX", o.Fn)
	}
	return b.Unary(kind, x), nil
}

func (quickGELU) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	return onnxQuickGELU(b, in[0].Value), nil
}

func onnxQuickGELU(b *onnx.Builder, x onnx.Value) onnx.Value {
	return b.Mul(x, b.Unary("Sigmoid", b.Mul(x, b.Scalar(1.702))))
}

func (o scale) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	y := in[0].Value
	if o.A != 1 {
		y = b.Mul(y, b.Scalar(o.A))
	}
	if o.B != 0 {
		y = b.Add(y, b.Scalar(o.B))
	}
	return y, nil
}

func (o binary) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	kind := map[byte]string{'+': "Add", '-': "Sub", '*': "Mul", '/': "Div"}[o.Op]
	return b.Op(kind, []onnx.Value{in[0].Value, in[1].Value}), nil
}

func (o concat) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	xs := make([]onnx.Value, len(in))
	for i, x := range in {
		xs[i] = x.Value
	}
	return b.Concat(o.Axis, xs...), nil
}

func (o slice) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	return b.Slice(in[0].Value, o.Axis, o.Lo, o.Hi), nil
}

func (o transpose) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	return b.Transpose(in[0].Value, decode(o.Perm)...), nil
}

func (broadcast) ONNX(b *onnx.Builder, out onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	return b.Expand(in[0], out.Shape...), nil
}

func (o patches) ONNX(b *onnx.Builder, out onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	s, p := in[0].Shape, o.Size
	x := b.Reshape(in[0].Value, s[0], s[1], s[2]/p, p, s[3]/p, p)
	return b.Reshape(b.Transpose(x, 0, 2, 4, 1, 3, 5), out.Shape...), nil
}

func (o reduce) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	kind := map[string]string{"sum": "ReduceSum", "max": "ReduceMax"}[o.Fn]
	return b.Reduce(kind, in[0].Value, o.Axis, false), nil
}

func (o matmul) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	x, y := in[0].Value, in[1].Value
	if o.TransA {
		x = b.Swap(x, len(in[0].Shape))
	}
	if o.TransB {
		y = b.Swap(y, len(in[1].Shape))
	}
	return b.MatMul(x, y), nil
}

func (o linear) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	y := b.MatMul(in[0].Value, b.Swap(in[1].Value, 2))
	if o.Bias {
		y = b.Add(y, in[2].Value)
	}
	if o.Residual {
		y = b.Add(y, in[len(in)-1].Value)
	}
	if o.QuickGELU {
		y = onnxQuickGELU(b, y)
	}
	return y, nil
}

func (embedding) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	return b.Gather(in[0].Value, in[1].Value, 0), nil
}

func (gather) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	idx := in[1]
	return b.GatherRows(in[0].Value, idx.Value, idx.Shape[0], idx.Shape[1]), nil
}

func (scatter) ONNX(b *onnx.Builder, out onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	x, idx := in[0], in[1]
	ones := slices.Repeat([]int{1}, len(out.Shape))
	zero := onnx.Operand{Value: b.Floats([]float32{0}, ones...), Type: onnx.Type{Shape: ones}}
	zeros := b.Expand(zero, out.Shape...)
	to := append(slices.Clone(idx.Shape), ones[2:]...) // [B, K, 1, ...]
	at := b.Expand(onnx.Operand{Value: b.Reshape(idx.Value, to...), Type: onnx.Type{Shape: to, Int: true}}, x.Shape...)
	return b.ScatterAdd(zeros, at, x.Value, 1), nil
}

func (o topK) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	return b.TopK(in[0].Value, o.K), nil
}

func (softmax) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	return b.Softmax(in[0].Value), nil
}

func (logSoftmax) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	return b.Op("LogSoftmax", []onnx.Value{in[0].Value}, onnx.Attr{Name: "axis", Value: -1}), nil
}

func (o layerNorm) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	return b.Op("LayerNormalization", []onnx.Value{in[0].Value, in[1].Value, in[2].Value},
		onnx.Attr{Name: "axis", Value: -1}, onnx.Attr{Name: "epsilon", Value: o.Eps}), nil
}

func (o l2) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	x := in[0].Value
	length := b.Unary("Sqrt", b.Reduce("ReduceSum", b.Mul(x, x), -1, true))
	if o.Eps > 0 {
		length = b.Op("Max", []onnx.Value{length, b.Scalar(o.Eps)})
	}
	return b.Div(x, length), nil
}

func (o standardise) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	centred, variance := onnxMoments(b, in[0].Value, -1)
	return b.Div(centred, b.Add(b.Unary("Sqrt", variance), b.Scalar(o.Eps))), nil
}

func (o standardiseColumns) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	centred, variance := onnxMoments(b, in[0].Value, 0)
	return b.Div(centred, b.Unary("Sqrt", b.Add(variance, b.Scalar(o.Eps)))), nil
}

// onnxMoments are x less its mean over an axis, and the mean of its square.
func onnxMoments(b *onnx.Builder, x onnx.Value, axis int) (centred, variance onnx.Value) {
	centred = b.Sub(x, b.Reduce("ReduceMean", x, axis, true))
	return centred, b.Reduce("ReduceMean", b.Mul(centred, centred), axis, true)
}
