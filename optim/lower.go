package optim

import "spotlighter/graph/cuda/kernels"

// How the updates are computed on a CUDA device.

func (o moment) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Each("moment", out.Len(), in[0], in[1], out, out.Len(), o.Beta, 1-o.Beta, o.Square)
}

func (o adamW) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Each("adamw", out.Len(), in[0], in[1], in[2], in[3], in[4], out, out.Len(),
		kernels.Double(o.Of.Beta1), kernels.Double(o.Of.Beta2), kernels.Double(o.Of.WeightDecay), kernels.Double(o.Of.Eps))
}

func (o clipFactor) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.ClipFactor(out, in, o.Max)
}
