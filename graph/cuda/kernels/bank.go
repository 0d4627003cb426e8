package kernels

// BankWrite moves prototypes bank [C, P, D] by tokens z [B, K, D] with scores
// [B, K] and labels [B].
func (l *List) BankWrite(y, bank, z, score, labels Tensor, momentum float64) error {
	classes, p, d := bank.Shape[0], bank.Shape[1], bank.Shape[2]
	tokens := score.Len()
	cell := l.floats(tokens) // of 32-bit ints, as large
	if err := l.warps("bank_assign", tokens, d, []any{bank, z, labels, cell, tokens, tokens / max(labels.Len(), 1), classes, p, d}); err != nil {
		return err
	}
	return l.warps("bank_write", classes*p, d, []any{bank, z, score, cell, y, classes * p, d, tokens, momentum, 1 - momentum})
}

// ClassReading is normalise(h - mean of h over the classes seen): h [C, D].
func (l *List) ClassReading(y, h, seen Tensor) error {
	classes, d := h.Shape[0], h.Shape[1]
	n, mean := l.floats(1), l.floats(d)
	if err := l.Reduce(Sum, n, seen.Ptr, 1, classes, 1, 1); err != nil {
		return err
	}
	if err := l.Each("class_mean", d, h, seen, n, mean, classes, d); err != nil {
		return err
	}
	return l.Rows("class_reading", h, []Tensor{h, seen, {Ptr: n}, {Ptr: mean}, y})
}
