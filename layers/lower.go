package layers

import "spotlighter/graph/cuda/kernels"

// How the operations are computed on a CUDA device.

func (o unary) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	fn, err := kernels.FunctionOf(o.Fn)
	if err != nil {
		return err
	}
	return l.Unary(fn, out, in[0])
}

func (o unaryGrad) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	fn, err := kernels.FunctionOf(o.Fn)
	if err != nil {
		return err
	}
	return l.UnaryGrad(fn, out, in[0], in[1], in[2])
}

func (quickGELU) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Unary(kernels.QuickGELU, out, in[0])
}

func (quickGELUGrad) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.UnaryGrad(kernels.QuickGELU, out, in[0], kernels.Tensor{Ptr: kernels.Null}, in[1])
}

func (o scale) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Affine(out, in[0], o.A, o.B)
}

func (o binary) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Binary(o.Op, out, in[0], in[1])
}

func (o concat) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	at := 0
	for _, x := range in {
		if err := l.Copy(x.Shape, kernels.From(out, o.Axis, at), kernels.Dense(x)); err != nil {
			return err
		}
		at += x.Shape[o.Axis]
	}
	return nil
}

func (o slice) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Copy(out.Shape, kernels.Dense(out), kernels.From(in[0], o.Axis, o.Lo))
}

func (o pad) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	if err := l.Fill(out, 0); err != nil {
		return err
	}
	return l.Copy(in[0].Shape, kernels.From(out, o.Axis, o.Lo), kernels.Dense(in[0]))
}

func (o transpose) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Copy(out.Shape, kernels.Dense(out), kernels.Permute(in[0], decode(o.Perm)))
}

func (broadcast) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Copy(out.Shape, kernels.Dense(out), kernels.Repeat(in[0], out.Shape))
}

func (o patches) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	s := in[0].Shape
	return l.Each("patches", out.Len(), in[0], out, out.Len(), s[1], s[2], s[3], o.Size, false)
}

func (o unpatch) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Each("patches", out.Len(), in[0], out, out.Len(), o.C, o.H, o.W, o.Size, true)
}

func (o dropoutMask) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Each("dropout_mask", out.Len(), in[0], out, out.Len(), uint32(o.Seed), uint32(o.Seed>>32), uint32(o.P*(1<<32)), 1/(1-o.P))
}

func (o reduce) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	fn := kernels.Sum
	if o.Fn == "max" {
		fn = kernels.Max
	}
	outer, n, inner := split(in[0].Shape, o.Axis)
	return l.Reduce(fn, out.Ptr, in[0].Ptr, outer, n, inner, 1)
}

func (o maxGrad) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	outer, n, inner := split(in[0].Shape, o.Axis)
	return l.Each("max_grad", outer*inner, in[0], in[1], out, outer, n, inner)
}

func (o matmul) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	a, b := in[0], in[1]
	m, k, n, _ := o.dims(a.Shape, b.Shape)
	return l.Gemm(kernels.Product{
		A: a.Ptr, B: b.Ptr, C: out.Ptr, M: m, N: n, K: k,
		LDA: last(a.Shape), LDB: last(b.Shape), LDC: n, TransA: o.TransA, TransB: o.TransB,
		Batch: count(a.Shape[:len(a.Shape)-2]), StrideA: m * k, StrideB: k * n, StrideC: m * n, Alpha: 1,
	}, kernels.Plain)
}

func (o linear) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	n, k := in[1].Shape[0], in[1].Shape[1]
	e := kernels.Epilogue{Bias: kernels.Null, Residual: kernels.Null, QuickGELU: o.QuickGELU}
	if o.Bias {
		e.Bias = in[2].Ptr
	}
	if o.Residual {
		e.Residual = in[len(in)-1].Ptr
	}
	return l.Gemm(kernels.Product{
		A: in[0].Ptr, B: in[1].Ptr, C: out.Ptr, M: out.Len() / max(n, 1), N: n, K: k,
		LDA: k, LDB: k, LDC: n, TransB: true, Batch: 1, Alpha: 1,
	}, e)
}

func (embedding) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	table, ids := in[0], in[1]
	if err := l.InRange("id", ids, table.Shape[0]); err != nil {
		return err
	}
	return l.Gather(out, table, ids, table.Shape[0], ids.Len(), table.Shape[1])
}

func (o embeddingGrad) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	if err := l.InRange("id", in[0], o.Rows); err != nil {
		return err
	}
	return l.Scatter(out, in[1], in[0], o.Rows, in[0].Len(), out.Shape[1])
}

func (gather) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	x, idx := in[0], in[1]
	if err := l.InRange("index", idx, x.Shape[1]); err != nil {
		return err
	}
	return l.Gather(out, x, idx, x.Shape[1], idx.Shape[1], count(x.Shape[2:]))
}

func (o scatter) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	x, idx := in[0], in[1]
	if err := l.InRange("index", idx, o.N); err != nil {
		return err
	}
	return l.Scatter(out, x, idx, o.N, idx.Shape[1], count(x.Shape[2:]))
}

func (o topK) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.TopK(out, in[0], o.K)
}

func (o attention) heads(s []int) kernels.Heads {
	return kernels.Heads{Items: s[0], Tokens: s[1], Width: s[2] / 3, Heads: o.Heads, Causal: o.Causal, Token: o.Count.Token, Bias: o.Count.bias()}
}

func (o attention) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Attention(o.heads(in[0].Shape), out, in[0])
}

func (o attentionGrad) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.AttentionGrad(o.Of.heads(in[0].Shape), out, in[0], in[1])
}

func (o firstAttention) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.AttentionFirst(attention{Heads: o.Heads, Count: o.Count}.heads(in[0].Shape), out, in[0])
}

func (o firstValues) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.FirstValues(attention{Heads: o.Heads, Count: o.Count}.heads(in[0].Shape), out, in[0])
}

func (o splitHeads) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	n, w := in[0].Shape[1], in[0].Shape[2]/3
	return l.Copy(out.Shape, kernels.Dense(out), kernels.Part(in[0], o.Part*w, n*3*w, w/o.Heads, 3*w, 1))
}

// cacheOf is a part of rows' own, packed, and of a cache.
func cacheOf(p part, heads int, own, cache kernels.Tensor) kernels.Cache {
	s, _ := cachedOf(own.Shape, cache.Shape)
	return kernels.Cache{
		Items: s.b, Rows: s.m, Tokens: s.n, Width: s.w, Heads: heads,
		Own: kernels.From(own, 2, (3-int(p))*s.w), Kept: kernels.Part(cache, s.at(p), s.tokens(), s.ld, 1),
	}
}

func (o cacheWeights) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	s, _ := cachedOf(in[0].Shape, in[1].Shape)
	return l.CacheWeights(cacheOf(keys, o.Heads, in[0], in[1]), out, kernels.Dense(in[0]), in[2], o.scale(s))
}

func (o cacheProducts) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.CacheProducts(cacheOf(o.Part, o.Heads, in[1], in[2]), out, kernels.Dense(in[0]), 1)
}

func (o cacheMix) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.CacheMix(cacheOf(o.Part, in[0].Shape[2], in[1], in[2]), out, in[0])
}

func (o sharedAttention) heads(s []int) kernels.Heads {
	n := len(s) - 2 // leading axes
	return kernels.Heads{Items: count(s[:n]), Tokens: s[n], Width: s[n+1] / 3, Heads: o.Heads, Causal: true, Prefix: o.Prefix, Lengths: decode(o.Lengths)}
}

func (o sharedAttention) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Attention(o.heads(in[0].Shape), out, in[0])
}

func (o sharedAttentionGrad) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.AttentionGrad(o.Of.heads(in[0].Shape), out, in[0], in[1])
}

func (softmax) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Rows("softmax", out, []kernels.Tensor{in[0], out})
}

func (softmaxGrad) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Rows("softmax_grad", out, []kernels.Tensor{in[0], in[1], out})
}

func (logSoftmax) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Rows("log_softmax", out, []kernels.Tensor{in[0], out})
}

func (logSoftmaxGrad) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Rows("log_softmax_grad", out, []kernels.Tensor{in[0], in[1], out})
}

func (crossEntropy) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	if err := l.InRange("label", in[1], last(in[0].Shape)); err != nil {
		return err
	}
	return l.CrossEntropy(out, in[0], in[1])
}

func (crossEntropyGrad) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	if err := l.InRange("label", in[1], last(in[0].Shape)); err != nil {
		return err
	}
	return l.Rows("cross_entropy_grad", out, []kernels.Tensor{in[0], in[1], in[2], out})
}

func (o layerNorm) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Rows("layernorm", out, []kernels.Tensor{in[0], in[1], in[2], out}, o.Eps)
}

func (o layerNormGrad) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	residual := kernels.Tensor{Ptr: kernels.Null}
	if o.Residual {
		residual = in[3]
	}
	return l.Rows("layernorm_grad", out, []kernels.Tensor{in[0], in[1], in[2], residual, out}, o.Eps)
}

func (o layerNormScaleGrad) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.LayerNormScaleGrad(out, in[0], in[1], o.Eps)
}

func (o l2) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Rows("l2", out, []kernels.Tensor{in[0], out}, o.Eps)
}

func (o l2Grad) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Rows("l2_grad", out, []kernels.Tensor{in[0], in[1], out}, o.Eps)
}

func (o standardise) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Rows("standardise", out, []kernels.Tensor{in[0], out}, o.Eps)
}

func (o standardiseGrad) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Rows("standardise_grad", out, []kernels.Tensor{in[0], in[1], out}, o.Of.Eps)
}

func (o standardiseColumns) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Columns("standardise_columns", out, []kernels.Tensor{in[0], out}, o.Eps)
}

func (o standardiseColumnsGrad) Lower(l *kernels.List, out kernels.Tensor, in []kernels.Tensor) error {
	return l.Columns("standardise_columns_grad", out, []kernels.Tensor{in[0], in[1], out}, o.Of.Eps)
}
