package layers

import (
	"math"

	"spotlighter/graph"
)

// Weights says what becomes of a model's variables: frozen ones that a
// checkpoint fills, or trainable ones that start from CLIP's initialisation.
type Weights struct {
	Kind graph.Kind
	Seed uint64 // of the initialisation
	Init bool   // start from it; otherwise the values must be loaded
}

// Normal starts a variable at normal draws; like its siblings it gives no
// initialisation where weights are loaded.
func (w Weights) Normal(std float64) graph.Init { return w.init(graph.Normal(w.Seed, std)) }

// Zeros starts a variable at 0.
func (w Weights) Zeros() graph.Init { return w.init(graph.Zeros) }

// Ones starts a variable at 1.
func (w Weights) Ones() graph.Init { return w.Start(1) }

// Start starts every element of a variable at v.
func (w Weights) Start(v float64) graph.Init { return w.init(graph.Fill(float32(v))) }

func (w Weights) init(f graph.Init) graph.Init {
	if !w.Init {
		return nil
	}
	return f
}

// Eps is the epsilon of CLIP's LayerNorms.
const Eps = 1e-5

// Norm is a LayerNorm with its two variables.
type Norm struct {
	scope       *graph.Scope
	Gamma, Beta *Node
}

// NewNorm declares weight and bias [width].
func NewNorm(s *graph.Scope, w Weights, width int) Norm {
	return Norm{s, s.Var("weight", w.Kind, w.Ones(), width), s.Var("bias", w.Kind, w.Zeros(), width)}
}

// Forward normalises the rows of x [..., W].
func (n Norm) Forward(x *Node) *Node {
	defer n.scope.Enter()()
	return LayerNorm(x, n.Gamma, n.Beta, Eps)
}

// Block is one residual block of CLIP's transformers, pre-LayerNorm, with the
// variables' names as OpenAI's checkpoints have them.
type Block struct {
	scope        *graph.Scope
	Heads        int
	Norm1, Norm2 Norm
	InW, InB     *Node // [3W, W], [3W]: queries, keys and values
	OutW, OutB   *Node // [W, W], [W]
	FcW, FcB     *Node // [4W, W], [4W]
	ProjW, ProjB *Node // [W, 4W], [W]
	activation   func(*Node) *Node
}

// BlockConfig sizes a Block.
type BlockConfig struct {
	Width, Heads, Hidden int
	Layers               int  // of the transformer: its initialisation depends on it
	ExactGELU            bool // GELU in place of QuickGELU (some open_clip models)
}

// NewBlock declares the block's variables.
func NewBlock(s *graph.Scope, w Weights, c BlockConfig) *Block {
	width := float64(c.Width)
	attn, residual, fc := math.Pow(width, -.5), math.Pow(width, -.5)*math.Pow(2*float64(c.Layers), -.5), math.Pow(2*width, -.5)
	b := &Block{scope: s, Heads: c.Heads, activation: QuickGELU}
	if c.ExactGELU {
		b.activation = GELU
	}
	v := func(scope, name string, init graph.Init, shape ...int) *Node {
		return s.Sub(scope).Var(name, w.Kind, init, shape...)
	}
	b.Norm1, b.Norm2 = NewNorm(s.Sub("ln_1"), w, c.Width), NewNorm(s.Sub("ln_2"), w, c.Width)
	b.InW = v("attn", "in_proj_weight", w.Normal(attn), 3*c.Width, c.Width)
	b.InB = v("attn", "in_proj_bias", w.Zeros(), 3*c.Width)
	b.OutW = v("attn", "out_proj.weight", w.Normal(residual), c.Width, c.Width)
	b.OutB = v("attn", "out_proj.bias", w.Zeros(), c.Width)
	b.FcW = v("mlp", "c_fc.weight", w.Normal(fc), c.Hidden, c.Width)
	b.FcB = v("mlp", "c_fc.bias", w.Zeros(), c.Hidden)
	b.ProjW = v("mlp", "c_proj.weight", w.Normal(residual), c.Width, c.Hidden)
	b.ProjB = v("mlp", "c_proj.bias", w.Zeros(), c.Width)
	return b
}

// Forward runs the block on x [B, N, W]. It returns the result and the packed
// queries, keys and values [B, N, 3W], which views of the attention need.
func (b *Block) Forward(x *Node, causal bool) (out, qkv *Node) {
	qkv = b.QKV(x)
	return b.Finish(x, b.Attend(qkv, causal)), qkv
}

// QKV maps x [..., W] to packed queries, keys and values [..., 3W].
func (b *Block) QKV(x *Node) *Node {
	x = b.Norm1.Forward(x)
	defer b.scope.Sub("attn").Enter()()
	return Linear(x, b.InW, b.InB)
}

// Attend mixes the values of packed qkv [B, N, 3W] to [B, N, W].
func (b *Block) Attend(qkv *Node, causal bool) *Node {
	defer b.scope.Sub("attn").Enter()()
	return Attention(qkv, b.Heads, causal)
}

// AttendCounted is Attend, not causal, where a token counts several times: qkv
// [B, N, 3W] to [B, N, W]; see ProportionalAttention.
func (b *Block) AttendCounted(qkv *Node, c Count) *Node {
	defer b.scope.Sub("attn").Enter()()
	return ProportionalAttention(qkv, b.Heads, c)
}

// AttendShared is Attend for prompts that share their first n positions: qkv
// [..., R, 3W] to [..., R, W]; see SharedAttention.
func (b *Block) AttendShared(qkv *Node, n int, lengths []int) *Node {
	defer b.scope.Sub("attn").Enter()()
	return SharedAttention(qkv, b.Heads, n, lengths)
}

// Finish adds the mixed values [..., W] and then the MLP to the residual x.
func (b *Block) Finish(x, mixed *Node) *Node {
	leave := b.scope.Sub("attn").Enter()
	x = Add(x, Linear(mixed, b.OutW, b.OutB))
	leave()
	y := b.Norm2.Forward(x)
	defer b.scope.Sub("mlp").Enter()()
	return Add(x, Linear(b.activation(Linear(y, b.FcW, b.FcB)), b.ProjW, b.ProjB))
}
