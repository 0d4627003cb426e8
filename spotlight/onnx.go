package spotlight

import "spotlighter/graph/onnx"

// How the method's own operations are written in ONNX's standard operators. What
// training alone needs has no form, nor has scramble, whose noise is made of bits.

// ONNX lists the window around the best token and takes the best of that. A score
// that is not a number is no error there.
func (o keep) ONNX(b *onnx.Builder, out onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	score, rows, n := in[0].Value, out.Shape[0], o.Grid*o.Grid
	if len(in) > 1 {
		return o.onnxOf(b, score, onnxMay(b, in[1], rows), rows), nil
	}
	if o.Window == 0 {
		return b.TopK(score, o.K), nil
	}
	var windows []int // around each token [N, window²]
	for t := range n {
		windows = o.around(windows, t)
	}
	size := o.Window * o.Window
	window := b.Gather(b.Ints(windows, n, size), b.ArgMax(score), 0) // [R, 1, window²]
	window = b.Reshape(window, rows, size)
	return b.Pick(window, b.TopK(b.Pick(score, window), o.K)), nil
}

// onnxMay is which tokens may be taken, in each row [R, N].
func onnxMay(b *onnx.Builder, may onnx.Operand, rows int) onnx.Value {
	s := may.Shape // [B, N]
	if s[0] == rows {
		return may.Value
	}
	one := onnx.Operand{Value: b.Reshape(may.Value, s[0], 1, s[1]), Type: onnx.Type{Shape: []int{s[0], 1, s[1]}}}
	return b.Reshape(b.Expand(one, s[0], rows/s[0], s[1]), rows, s[1])
}

// onnxOf is ONNX where not all tokens may be taken. Of the tokens by falling score it
// takes first those that may and are in the window, then others that may.
func (o keep) onnxOf(b *onnx.Builder, score, may onnx.Value, rows int) onnx.Value {
	n := o.Grid * o.Grid
	order, class := b.TopK(score, n), may
	if o.Window > 0 {
		peak := b.Pick(order, b.ArgMax(b.Pick(may, order))) // [R, 1]
		inside := make([]float32, n*n)
		for t := range n {
			for _, i := range o.around(nil, t) {
				inside[t*n+i] = 1
			}
		}
		window := b.Reshape(b.Gather(b.Floats(inside, n, n), peak, 0), rows, n)
		class = b.Mul(may, b.Add(window, b.Scalar(1))) // 2, 1 and 0
	}
	return b.Pick(order, b.TopK(b.Pick(class, order), o.K))
}

func (classReading) ONNX(b *onnx.Builder, _ onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	h, seen, classes := in[0].Value, in[1].Value, in[1].Shape[0]
	n := b.Reduce("ReduceSum", seen, 0, true)                  // [1]
	mean := b.MatMul(b.Reshape(b.Div(seen, n), 1, classes), h) // [1, D]
	row := b.Mul(b.Sub(h, mean), b.Reshape(seen, classes, 1))  // zero where not seen
	length := b.Reduce("ReduceSum", b.Mul(row, row), 1, true)  // [C, 1]
	length = b.Op("Max", []onnx.Value{b.Unary("Sqrt", length), b.Scalar(1e-12)})
	few := b.Op("Less", []onnx.Value{n, b.Scalar(2)})
	return b.Op("Where", []onnx.Value{few, b.Scalar(0), b.Div(row, length)}), nil
}
