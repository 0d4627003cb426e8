package kernels

// Reduction is what an axis is reduced to, in the order of reduce.cuh.
type Reduction int

// The reductions.
const (
	Sum Reduction = iota
	Max
	Squares // the sum of squares
)

// Chunks of longer axes are reduced side by side, and joined in their order.
const (
	rowChunk    = 4096
	columnChunk = 128
)

// Reduce reduces the middle axis of x [outer, n, inner] to y [outer, inner], whose
// elements are then multiplied with scale where inner is 1 (elsewhere it must be).
func (l *List) Reduce(fn Reduction, y, x Ptr, outer, n, inner int, scale float64) error {
	chunk := columnChunk
	if inner == 1 {
		chunk = rowChunk
	}
	chunks := max(1, (n+chunk-1)/chunk)
	to, by := y, scale
	if chunks > 1 {
		to, by = l.floats(outer*chunks*inner), 1
	}
	var err error
	if inner == 1 {
		err = l.warps("reduce_rows", outer*chunks, min(n, chunk), []any{int(fn), x, to, outer, n, chunk, chunks, by})
	} else {
		all := outer * chunks * inner
		err = l.launch("reduce_columns", (all+threads-1)/threads, threads, outer*n*inner, []any{int(fn), x, to, outer, n, inner, chunk, chunks})
	}
	if err != nil || chunks == 1 {
		return err
	}
	if fn == Squares {
		fn = Sum
	}
	return l.Reduce(fn, y, to, outer, chunks, inner, scale)
}

// CrossEntropy is the mean over rows of x of the negative log-likelihood of their
// labels.
func (l *List) CrossEntropy(y, x, labels Tensor) error {
	rows := x.rows()
	each := l.floats(rows)
	if err := l.Rows("cross_entropy", x, []Tensor{x, labels, {Ptr: each}}); err != nil {
		return err
	}
	return l.Reduce(Sum, y.Ptr, each, 1, rows, 1, 1/float64(rows))
}

// LayerNormScaleGrad is the gradient of LayerNorm's gamma.
func (l *List) LayerNormScaleGrad(dgamma, x, dy Tensor, eps float64) error {
	rows, n := x.rows(), x.last()
	means, inverses := l.floats(rows), l.floats(rows)
	if err := l.Rows("row_moments", x, []Tensor{x, {Ptr: means}, {Ptr: inverses}}, eps); err != nil {
		return err
	}
	chunks := max(1, (rows+columnChunk-1)/columnChunk)
	to := dgamma.Ptr
	if chunks > 1 {
		to = l.floats(chunks * n)
	}
	if err := l.Each("layernorm_scale_grad", chunks*n, x, dy, means, inverses, to, rows, n, columnChunk, chunks); err != nil || chunks == 1 {
		return err
	}
	return l.Reduce(Sum, dgamma.Ptr, to, 1, chunks, n, 1)
}

// ClipFactor is min(1, limit/(norm + 1e-6)), of the joint L2 norm of xs.
func (l *List) ClipFactor(y Tensor, xs []Tensor, limit float64) error {
	parts, total := l.floats(len(xs)), l.floats(1)
	for i, x := range xs {
		if err := l.Reduce(Squares, parts.Plus(i, floatSize), x.Ptr, 1, x.Len(), 1, 1); err != nil {
			return err
		}
	}
	if err := l.Reduce(Sum, total, parts, 1, len(xs), 1, 1); err != nil {
		return err
	}
	return l.Each("clip_factor", 1, total, y, limit)
}
