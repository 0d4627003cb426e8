package kernels

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Heads says how packed queries, keys and values [Items, Tokens, 3W] attend.
type Heads struct {
	Items, Tokens, Width, Heads int
	Causal                      bool

	Token int     // whose logits
	Bias  float64 // have this added

	// Lengths, if not nil, are of texts that share their first Prefix tokens, one
	// after the other after those, in each item: see layers.SharedAttention.
	Prefix  int
	Lengths []int
}

// Tiles of the kernels: see attention.cuh.
const (
	queries  = 16
	maxWidth = 128
	// queryTiles is how many tiles of queries a block takes that sums the
	// gradients of a shared prefix.
	queryTiles = 32
)

func (h Heads) check() error {
	if h.Width/h.Heads > maxWidth {
		return fmt.Errorf("heads of width %d, CUDA kernels take %d at most", h.Width/h.Heads, maxWidth)
	}
	return nil
}

func (h Heads) scale() float64 { return 1 / math.Sqrt(float64(h.Width/h.Heads)) }
func (h Heads) blocks() int    { return h.Items * h.Heads * ((h.Tokens + queries - 1) / queries) }
func (h Heads) size() int      { return h.Items * h.Tokens * 3 * h.Width }

// begin is where the text of each token begins, 0 in the prefix.
func (h Heads) begin(l *List) Ptr {
	if h.Lengths == nil {
		return Null
	}
	b := make([]byte, h.Prefix*intSize)
	at := h.Prefix
	for _, n := range h.Lengths {
		for range n {
			b = binary.LittleEndian.AppendUint64(b, uint64(at))
		}
		at += n
	}
	l.Consts = append(l.Consts, b)
	return Ptr{Slot: ConstSlot(len(l.Consts) - 1)}
}

// Attention is softmax(q kᵀ/sqrt(d)) v [Items, Tokens, W].
func (l *List) Attention(h Heads, y, qkv Tensor) error {
	if err := h.check(); err != nil {
		return err
	}
	return l.launch("attention", h.blocks(), rowThreads, h.size(),
		[]any{qkv, h.begin(l), y, h.Tokens, h.Heads, h.Width, h.Prefix, h.Causal, h.Token, h.Bias, h.scale()})
}

// AttentionGrad is the gradient of packed qkv, given the result's.
func (l *List) AttentionGrad(h Heads, dqkv, qkv, dy Tensor) error {
	if err := h.check(); err != nil {
		return err
	}
	begin, stats := h.begin(l), h.Items*h.Heads*h.Tokens
	sums, deltas := l.floats(stats), l.floats(stats)
	if err := l.launch("attention_grad_queries", h.blocks(), rowThreads, h.size(),
		[]any{qkv, begin, dy, dqkv, sums, deltas, h.Tokens, h.Heads, h.Width, h.Prefix, h.Causal, h.Token, h.Bias, h.scale()}); err != nil {
		return err
	}
	keys := func(first, n, splits int, dk, dv Ptr, ld, item, part int) error {
		blocks := h.Items * splits * h.Heads * ((n + queries - 1) / queries)
		return l.launch("attention_grad_keys", blocks, rowThreads, h.size(), []any{qkv, begin, dy, sums, deltas, dk, dv,
			h.Tokens, n, h.Heads, h.Width, h.Prefix, h.Causal, h.Token, h.Bias, h.scale(), first, splits, ld, item, part})
	}
	w, ld, item := h.Width, 3*h.Width, h.Tokens*3*h.Width
	at := func(row, part int) Ptr { return dqkv.Ptr.Plus(row*ld+part*w, floatSize) }
	splits := (h.Tokens/queries + queryTiles - 1) / queryTiles
	if h.Lengths == nil || splits < 2 {
		return keys(0, h.Tokens, 1, at(0, 1), at(0, 2), ld, item, 0)
	}
	// All texts read the prefix: its keys' gradients are summed in parts.
	part := h.Items * h.Prefix * w
	dk, dv := l.floats(splits*part), l.floats(splits*part)
	if err := keys(0, h.Prefix, splits, dk, dv, w, h.Prefix*w, part); err != nil {
		return err
	}
	if err := keys(h.Prefix, h.Tokens-h.Prefix, 1, at(h.Prefix, 1), at(h.Prefix, 2), ld, item, 0); err != nil {
		return err
	}
	for i, parts := range []Ptr{dk, dv} {
		sum := l.floats(part)
		if err := l.Reduce(Sum, sum, parts, 1, splits, part, 1); err != nil {
			return err
		}
		to, from := Layout{at(0, 1+i), []int{item, ld, 1}}, Layout{sum, []int{h.Prefix * w, w, 1}}
		if err := l.Copy([]int{h.Items, h.Prefix, w}, to, from); err != nil {
			return err
		}
	}
	return nil
}

// AttentionFirst is how the first token attends [Items, Heads, Tokens].
func (l *List) AttentionFirst(h Heads, y, qkv Tensor) error {
	rows := h.Items * h.Heads
	return l.warps("attention_first", rows, h.Tokens, []any{qkv, y, rows, h.Tokens, h.Heads, h.Width, h.Token, h.Bias, h.scale()})
}

// FirstValues is what the first token takes from each other [Items, Tokens-1, W].
func (l *List) FirstValues(h Heads, y, qkv Tensor) error {
	n, d := h.Tokens-1, h.Width/h.Heads
	a := Tensor{Ptr: l.floats(h.Items * h.Heads * h.Tokens), Shape: []int{h.Items, h.Heads, h.Tokens}}
	if err := l.AttentionFirst(h, a, qkv); err != nil {
		return err
	}
	by := Tensor{Ptr: l.floats(h.Items * n * h.Heads), Shape: []int{h.Items, n, h.Heads, 1}}
	if err := l.Copy(by.Shape, Dense(by), Part(a, 1, h.Heads*h.Tokens, 1, h.Tokens, 1)); err != nil {
		return err
	}
	out := Tensor{Ptr: y.Ptr, Shape: []int{h.Items, n, h.Heads, d}}
	if err := l.Copy(out.Shape, Dense(out), Part(qkv, 5*h.Width, h.Tokens*3*h.Width, 3*h.Width, d, 1)); err != nil {
		return err
	}
	return l.Binary('*', out, out, by)
}
