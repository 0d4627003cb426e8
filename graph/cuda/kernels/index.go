package kernels

import "fmt"

// CheckIndices reports the first of index outside [0, limit), as fail puts it.
func (l *List) CheckIndices(index Tensor, limit int, fail func(position, found, limit int) error) error {
	return l.launch("check_indices", 1, threads, index.Len(), []any{index, index.Len(), limit, Ptr{Slot: Status}, l.tag(fail)})
}

// InRange is CheckIndices with the words of the CPU's ops.
func (l *List) InRange(what string, index Tensor, limit int) error {
	return l.CheckIndices(index, limit, func(position, found, limit int) error {
		return fmt.Errorf("%s %d at position %d, want 0 to %d", what, found, position, limit-1)
	})
}

// CheckNumbers reports the first element of x that is not a number, as fail puts it.
func (l *List) CheckNumbers(x Tensor, fail func(position int) error) error {
	return l.launch("check_numbers", 1, threads, x.Len(), []any{x, x.Len(), Ptr{Slot: Status},
		l.tag(func(position, _, _ int) error { return fail(position) })})
}

// Gather takes rows of x [B, N, ...] by index [B, K] to y [B, K, ...].
func (l *List) Gather(y, x, index Tensor, n, k, width int) error {
	return l.Each("gather", y.Len(), x, index, y, y.Len(), n, k, width)
}

// Scatter adds rows of x [B, K, ...] by index [B, K] into zeros y [B, N, ...].
func (l *List) Scatter(y, x, index Tensor, n, k, width int) error {
	if err := l.Fill(y, 0); err != nil || k == 0 {
		return err
	}
	columns := x.Len() / k
	return l.Each("scatter", columns, x, index, y, columns, n, k, width)
}

// TopK finds the k greatest of each row of x.
func (l *List) TopK(y, x Tensor, k int) error { return l.Rows("topk", x, []Tensor{x, y}, k) }

// KeepTokens finds the k best tokens of a window of each row of scores, among
// those of may, if it is not nil, which share rows of scores have in common.
func (l *List) KeepTokens(y, score Tensor, may *Tensor, share, grid, window, k int) error {
	barred := Null
	if may != nil {
		barred = may.Ptr
	}
	rows := score.rows()
	return l.warps("keep_tokens", rows, score.last(), []any{score, barred, y, rows, share, grid, window, k})
}
