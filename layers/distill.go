package layers

import "spotlighter/graph"

// Distillation is the Kullback-Leibler divergence of a student's classes from its
// teacher's, as PromptKD (arXiv 2403.02781) computes it: with q and P the softmaxes
// of the teacher's and the student's logits divided by temperature T, the sum of
// q (log q - log P), times T², divided by the number of elements of the student's
// logits, not of its rows. student is [B, ..., C], teacher [B, C], whose gradient
// is not taken.
func Distillation(student, teacher *Node, temperature float64) *Node {
	rows := ShapeOf(student)
	logits := StopGradient(Scale(teacher, 1/temperature))
	q, logQ := Softmax(logits), LogSoftmax(logits)
	if n := len(rows); n > 2 {
		each := graph.Shape{rows[0]}
		for range n - 2 {
			each = append(each, 1)
		}
		each = append(each, rows[n-1])
		q, logQ = Reshape(q, each...), Reshape(logQ, each...)
	}
	logP := LogSoftmax(Scale(student, 1/temperature))
	return Scale(MeanAll(Mul(q, Sub(logQ, logP))), temperature*temperature)
}
