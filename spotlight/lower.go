package spotlight

import (
	"fmt"

	"spotlighter/graph/cuda/kernels"
)

// How the method's own operations are computed on a CUDA device.

// checkBankLabels is checkLabels there.
func checkBankLabels(l *kernels.List, labels kernels.Tensor, classes int) error {
	return l.CheckIndices(labels, classes, func(position, found, limit int) error {
		return fmt.Errorf("label %d of image %d, the bank has %d classes", found, position, limit)
	})
}

func (o bankWrite) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	if err := checkBankLabels(l, in[3], out.Shape[0]); err != nil {
		return err
	}
	return l.BankWrite(out, in[0], in[1], in[2], in[3], o.Momentum)
}

func (o readingWrite) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	if err := checkBankLabels(l, in[3], out.Shape[0]); err != nil {
		return err
	}
	return l.Rows("reading_write", out, []kernels.Tensor{in[0], in[1], in[2], in[3], out}, in[3].Len(), o.Momentum)
}

func (seenWrite) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	if err := checkBankLabels(l, in[1], out.Shape[0]); err != nil {
		return err
	}
	return l.Each("seen_write", out.Len(), in[0], in[1], out, out.Len(), in[1].Len())
}

func (candidateOf) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Each("candidate_of", out.Len(), in[0], in[1], out, out.Len(), in[0].Shape[1])
}

func (classReading) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.ClassReading(out, in[0], in[1])
}

func (o keep) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	n := o.Grid * o.Grid
	if err := l.CheckNumbers(in[0], func(position int) error {
		return fmt.Errorf("score of token %d of image %d is not a number", position%n, position/n)
	}); err != nil {
		return err
	}
	if len(in) == 1 {
		return l.KeepTokens(out, in[0], nil, 1, o.Grid, o.Window, o.K)
	}
	return l.KeepTokens(out, in[0], &in[1], in[0].Shape[0]/in[1].Shape[0], o.Grid, o.Window, o.K)
}

func (scramble) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Each("scramble", out.Len(), in[0], out, out.Len(), last(out.Shape))
}
