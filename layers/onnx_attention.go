package layers

import (
	"math"
	"slices"

	"spotlighter/graph/onnx"
)

// onnxHeads takes packed qkv [..., 3W] of heads apart: queries, keys and values
// [..., H, N, d] of x [..., N, 3W], where lead are its sizes before the last axis, N
// the last of these.
func onnxHeads(b *onnx.Builder, x onnx.Value, lead []int, w, heads int) (q, k, v onnx.Value) {
	n := len(lead)
	x = b.Reshape(x, append(slices.Clone(lead), 3, heads, w/heads)...) // [..., N, 3, H, d]
	perm := make([]int, n+3)
	for i := range n - 1 {
		perm[i+1] = i
	}
	perm[0], perm[n], perm[n+1], perm[n+2] = n, n+1, n-1, n+2
	x = b.Transpose(x, perm...) // [3, ..., H, N, d]
	part := func(i int) onnx.Value { return b.Gather(x, b.Ints([]int{i}), 0) }
	return part(0), part(1), part(2)
}

// onnxScores is q kT/sqrt(d) of q [..., N, d] and k [..., M, d], with so many axes.
func onnxScores(b *onnx.Builder, q, k onnx.Value, axes, d int) onnx.Value {
	q = b.Mul(q, b.Scalar(1/math.Sqrt(float64(d))))
	return b.MatMul(q, b.Swap(k, axes))
}

func (o attention) ONNX(b *onnx.Builder, out onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	n, w := out.Shape[1], out.Last()
	q, k, v := onnxHeads(b, in[0].Value, out.Shape[:2], w, o.Heads) // [B, H, N, d]
	s := onnxScores(b, q, k, 4, w/o.Heads)
	if o.Causal {
		s = b.Add(s, onnxCausal(b, n))
	}
	s = o.Count.onnx(b, s, n)
	y := b.MatMul(b.Softmax(s), v) // [B, H, N, d]
	return b.Reshape(b.Transpose(y, 0, 2, 1, 3), out.Shape...), nil
}

// onnx adds a token's count to scores [..., n].
func (c Count) onnx(b *onnx.Builder, scores onnx.Value, n int) onnx.Value {
	if c.Times <= 1 {
		return scores
	}
	row := make([]float32, n)
	row[c.Token] = float32(c.bias())
	return b.Add(scores, b.Floats(row, n))
}

// onnxCausal hides what follows: [n, n], 0 up to the diagonal and -Inf after it.
func onnxCausal(b *onnx.Builder, n int) onnx.Value {
	mask := make([]float32, n*n)
	for i := range mask {
		if i%n > i/n {
			mask[i] = float32(math.Inf(-1))
		}
	}
	return b.Floats(mask, n, n)
}

func (o firstAttention) ONNX(b *onnx.Builder, out onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	w := in[0].Last() / 3
	q, k, _ := onnxHeads(b, in[0].Value, in[0].Shape[:2], w, o.Heads) // [B, H, N, d]
	s := onnxScores(b, b.Slice(q, 2, 0, 1), k, 4, w/o.Heads)          // [B, H, 1, N]
	s = o.Count.onnx(b, s, in[0].Shape[1])
	return b.Reshape(b.Softmax(s), out.Shape...), nil
}

func (o firstValues) ONNX(b *onnx.Builder, out onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	w := in[0].Last() / 3
	n := out.Shape[1]
	q, k, v := onnxHeads(b, in[0].Value, in[0].Shape[:2], w, o.Heads)                         // [B, H, N, d]
	a := b.Softmax(o.Count.onnx(b, onnxScores(b, b.Slice(q, 2, 0, 1), k, 4, w/o.Heads), n+1)) // [B, H, 1, N]
	y := b.Mul(b.Swap(b.Slice(a, 3, 1, n+1), 4), b.Slice(v, 2, 1, n+1))                       // [B, H, N-1, d]
	return b.Reshape(b.Transpose(y, 0, 2, 1, 3), out.Shape...), nil
}

func (o splitHeads) ONNX(b *onnx.Builder, out onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	w := in[0].Last() / 3
	x := b.Slice(in[0].Value, 2, o.Part*w, (o.Part+1)*w)
	x = b.Reshape(x, out.Shape[0], out.Shape[2], out.Shape[1], out.Shape[3])
	return b.Transpose(x, 0, 2, 1, 3), nil
}

// onnxCache takes a part of rows' own, packed [B, M, 3W], and of a cache apart by head:
// own [B, M, H, d] and kept [B, H, N, d].
func onnxCache(b *onnx.Builder, p part, heads int, rows, cache onnx.Operand) (own, kept onnx.Value) {
	s, _ := cachedOf(rows.Shape, cache.Shape)
	own = b.Reshape(b.Slice(rows.Value, 2, (3-int(p))*s.w, (4-int(p))*s.w), s.b, s.m, heads, s.w/heads)
	kept = b.Slice(cache.Value, 2, s.ld-int(p)*s.w, s.ld-int(p)*s.w+s.w)
	if s.first > 0 {
		kept = b.Slice(kept, 1, 1, s.n+1)
	}
	kept = b.Reshape(kept, s.b, s.n, heads, s.w/heads)
	return own, b.Transpose(kept, 0, 2, 1, 3)
}

func (o cacheWeights) ONNX(b *onnx.Builder, out onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	own, kept := onnxCache(b, keys, o.Heads, in[0], in[1])
	n, w, r := last(out.Shape)-1, in[0].Last()/3, in[2].Last()
	q := b.Reshape(b.Slice(in[0].Value, 2, 0, w), out.Shape[0], out.Shape[1], o.Heads, w/o.Heads) // [B, M, H, d]
	q = b.Mul(q, b.Scalar(1/math.Sqrt(float64(w/o.Heads))))
	others := b.Transpose(b.MatMul(b.Transpose(q, 0, 2, 1, 3), b.Swap(kept, 4)), 0, 2, 1, 3) // [B, M, H, N]
	biased := b.Add(b.Slice(others, 3, 0, r), b.Reshape(in[2].Value, out.Shape[0], out.Shape[1], 1, r))
	parts := []onnx.Value{b.Reduce("ReduceSum", b.Mul(q, own), 3, true), biased}
	if r < n {
		parts = append(parts, b.Slice(others, 3, r, n))
	}
	return b.Softmax(b.Concat(3, parts...)), nil
}

func (o cacheMix) ONNX(b *onnx.Builder, out onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	a := in[0]
	own, kept := onnxCache(b, o.Part, a.Shape[2], in[1], in[2])
	others := b.MatMul(b.Transpose(b.Slice(a.Value, 3, 1, a.Last()), 0, 2, 1, 3), kept) // [B, H, M, d]
	y := b.Add(b.Mul(b.Slice(a.Value, 3, 0, 1), own), b.Transpose(others, 0, 2, 1, 3))  // [B, M, H, d]
	return b.Reshape(y, out.Shape...), nil
}

// ONNX has the prefix attend to itself, and the texts, each padded to the longest,
// to the prefix and to themselves.
func (o sharedAttention) ONNX(b *onnx.Builder, out onnx.Type, in []onnx.Operand) (onnx.Value, error) {
	s, w, p, lengths := out.Shape, out.Last(), o.Prefix, decode(o.Lengths)
	items, rows, texts, longest := count(s[:len(s)-2]), s[len(s)-2], len(lengths), slices.Max(lengths)
	x := b.Reshape(in[0].Value, items, rows, 3*w)

	q, k, v := onnxHeads(b, b.Slice(x, 1, 0, p), []int{items, p}, w, o.Heads) // [B, H, P, d]
	y := b.MatMul(b.Softmax(b.Add(onnxScores(b, q, k, 4, w/o.Heads), onnxCausal(b, p))), v)
	first := b.Reshape(b.Transpose(y, 0, 2, 1, 3), items, p, w)
	one := []int{items, 1, o.Heads, p, w / o.Heads}
	k, v = b.Reshape(k, one...), b.Reshape(v, one...) // [B, 1, H, P, d]

	take, back := padded(p, lengths)
	own := b.Gather(x, b.Ints(take, len(take)), 1)                                         // [B, T*L, 3W]
	q, k2, v2 := onnxHeads(b, own, []int{items, texts, longest}, w, o.Heads)               // [B, T, H, L, d]
	to := b.Add(onnxScores(b, q, k2, 5, w/o.Heads), onnxCausal(b, longest))                // [B, T, H, L, L]
	a := b.Softmax(b.Concat(4, onnxScores(b, q, k, 5, w/o.Heads), to))                     // [B, T, H, L, P+L]
	y = b.Add(b.MatMul(b.Slice(a, 4, 0, p), v), b.MatMul(b.Slice(a, 4, p, p+longest), v2)) // [B, T, H, L, d]
	rest := b.Reshape(b.Transpose(y, 0, 1, 3, 2, 4), items, texts*longest, w)              // [B, T*L, W]
	all := b.Concat(1, first, b.Gather(rest, b.Ints(back, len(back)), 1))                  // [B, P+R, W]
	return b.Reshape(all, s...), nil
}

// padded is which rows make texts of equal lengths, of texts that lie without gaps
// after a prefix, and which of those rows are the texts' own. A row is hidden from
// those before it, so that what a text is padded with, its last row, changes nothing.
func padded(prefix int, lengths []int) (take, back []int) {
	longest, row := slices.Max(lengths), prefix
	for t, n := range lengths {
		for i := range longest {
			take = append(take, row+min(i, n-1))
		}
		for i := range n {
			back = append(back, t*longest+i)
		}
		row += n
	}
	return take, back
}
