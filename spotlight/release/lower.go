package release

import "spotlighter/graph/cuda/kernels"

// Lower is how the write is computed on a CUDA device.
func (o bankWrite) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Rows("release_bank_write", out, []kernels.Tensor{in[0], in[1], in[2], in[3], out}, in[1].Shape[0], o.Momentum, o.Sum)
}
