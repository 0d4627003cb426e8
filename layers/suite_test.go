package layers_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

// Short names that keep a case on one line.
type (
	Case  = optest.Case
	Input = optest.Input
	Node  = graph.Node
)

var normal, positive, indices = optest.Normal, optest.Positive, optest.Indices

// spread makes floats that lie from -scale to scale, none near another.
func spread(scale float64, shape ...int) Input {
	n := 1
	for _, d := range shape {
		n *= d
	}
	values := make([]float64, n)
	for i := range values {
		values[i] = scale * math.Sin(float64(1+i)*1.7)
	}
	return optest.Floats(values, shape...)
}

// one makes a Build of a function of one operand.
func one(f func(*Node) *Node) func(*graph.Scope, []*Node) *Node {
	return func(_ *graph.Scope, in []*Node) *Node { return f(in[0]) }
}

// two makes a Build of a function of two operands.
func two(f func(a, b *Node) *Node) func(*graph.Scope, []*Node) *Node {
	return func(_ *graph.Scope, in []*Node) *Node { return f(in[0], in[1]) }
}

// three makes a Build of a function of three operands.
func three(f func(a, b, c *Node) *Node) func(*graph.Scope, []*Node) *Node {
	return func(_ *graph.Scope, in []*Node) *Node { return f(in[0], in[1], in[2]) }
}

// forward runs a graph of one op on given values, in Float32.
func forward(t *testing.T, in []graph.Tensor, build func(in []*Node) *Node) (graph.Tensor, error) {
	t.Helper()
	s := graph.New(graph.NewStore(nil), graph.Float32)
	var nodes []*Node
	feeds := map[string]graph.Tensor{}
	for i, v := range in {
		name := string(rune('a' + i))
		nodes = append(nodes, s.Input(name, v.Dtype, v.Shape...))
		feeds[name] = v
	}
	p, err := s.Compile(cpu.NewPool(1), map[string]*Node{"out": build(nodes)})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background(), feeds); err != nil {
		return graph.Tensor{}, err
	}
	return p.Output("out"), nil
}

// refuses checks that a graph cannot be built, and that the error has all words.
func refuses(t *testing.T, name string, build func(s *graph.Scope), words ...string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Helper()
		err := graph.Try(func() { build(graph.New(graph.NewStore(nil), graph.Float32)) })
		if err == nil {
			t.Fatal("no error")
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("error %q does not say %q", err, w)
			}
		}
	})
}

func x(s *graph.Scope, shape ...int) *Node {
	return s.Var("x"+strings.Repeat("'", len(s.Variables())), graph.Trainable, graph.Zeros, shape...)
}

func ints(s *graph.Scope, shape ...int) *Node { return s.Input("ints", graph.Int, shape...) }

// Every builder names its op and the shapes it was given.
func TestShapesThatDoNotFit(t *testing.T) {
	refuses(t, "add", func(s *graph.Scope) { layers.Add(x(s, 2, 3), x(s, 2, 4)) }, "add of [2,3] and [2,4]", "3 and 4")
	refuses(t, "div", func(s *graph.Scope) { layers.Div(x(s, 2, 3), x(s, 2)) }, "div of [2,3] and [2]")
	refuses(t, "matmul inner", func(s *graph.Scope) { layers.MatMul(x(s, 2, 3), x(s, 2, 4), false, false) }, "matmul of [2,3] and [2,4]", "3 and 2")
	refuses(t, "matmul batch", func(s *graph.Scope) { layers.MatMul(x(s, 2, 3, 4), x(s, 3, 4, 3), false, false) }, "matmul of", "leading")
	refuses(t, "matmul vector", func(s *graph.Scope) { layers.MatMul(x(s, 3), x(s, 3), false, false) }, "matmul of [3] and [3]")
	refuses(t, "matmul axes", func(s *graph.Scope) { layers.MatMul(x(s, 1, 2, 3), x(s, 3, 2), false, false) }, "matmul of")
	refuses(t, "linear", func(s *graph.Scope) { layers.Linear(x(s, 2, 3), x(s, 4, 2), nil) }, "linear of [2,3] and [4,2]")
	refuses(t, "linear bias", func(s *graph.Scope) { layers.Linear(x(s, 2, 3), x(s, 4, 3), x(s, 3)) }, "linear of", "bias of 4")
	refuses(t, "linear bias column", func(s *graph.Scope) { layers.Linear(x(s, 2, 3), x(s, 4, 3), x(s, 4, 1)) }, "bias of 4")
	refuses(t, "layernorm", func(s *graph.Scope) { layers.LayerNorm(x(s, 2, 3), x(s, 3), x(s, 2), 1e-5) }, "layernorm of [2,3] and [3] and [2]")
	refuses(t, "layernorm row", func(s *graph.Scope) { layers.LayerNorm(x(s, 2, 3), x(s, 1, 3), x(s, 3), 1e-5) }, "layernorm of")
	refuses(t, "softmax scalar", func(s *graph.Scope) { layers.Softmax(x(s)) }, "softmax", "1 axes")
	refuses(t, "log-softmax scalar", func(s *graph.Scope) { layers.LogSoftmax(x(s)) }, "log-softmax")
	refuses(t, "cross-entropy", func(s *graph.Scope) { layers.CrossEntropy(x(s, 2, 3), ints(s, 3)) }, "cross-entropy of [2,3] and [3]")
	refuses(t, "cross-entropy floats", func(s *graph.Scope) { layers.CrossEntropy(x(s, 2, 3), x(s, 2)) }, "cross-entropy", "Int")
	refuses(t, "attention", func(s *graph.Scope) { layers.Attention(x(s, 2, 3, 10), 2, false) }, "attention of [2,3,10]", "2 heads")
	refuses(t, "attention no heads", func(s *graph.Scope) { layers.Attention(x(s, 2, 3, 12), 0, false) }, "attention of")
	refuses(t, "embedding", func(s *graph.Scope) { layers.Embedding(x(s, 5), ints(s, 2)) }, "embedding of [5] and [2]")
	refuses(t, "embedding floats", func(s *graph.Scope) { layers.Embedding(x(s, 5, 2), x(s, 2)) }, "embedding", "Int")
	refuses(t, "gather", func(s *graph.Scope) { layers.Gather(x(s, 2, 3), ints(s, 3, 1)) }, "gather of [2,3] and [3,1]")
	refuses(t, "gather vector", func(s *graph.Scope) { layers.Gather(x(s, 2), ints(s, 2, 1)) }, "gather of")
	refuses(t, "scatter", func(s *graph.Scope) { layers.Scatter(x(s, 2, 3), ints(s, 2, 2), 5) }, "scatter of [2,3] and [2,2]")
	refuses(t, "scatter vector", func(s *graph.Scope) { layers.Scatter(x(s, 3, 1), ints(s, 3), 5) }, "scatter of [3,1] and [3]")
	refuses(t, "top-k", func(s *graph.Scope) { layers.TopK(x(s, 2, 3), 4) }, "top-k of [2,3]", "k = 4")
	refuses(t, "top-0", func(s *graph.Scope) { layers.TopK(x(s, 2, 3), 0) }, "top-k of [2,3]")
	refuses(t, "argmax", func(s *graph.Scope) { layers.ArgMax(x(s, 2, 3, 4)) }, "top-k of [2,3,4]")
	refuses(t, "reshape", func(s *graph.Scope) { layers.Reshape(x(s, 2, 3), 4, -1) }, "reshape of [2,3]", "6 elements")
	refuses(t, "reshape two free", func(s *graph.Scope) { layers.Reshape(x(s, 2, 3), -1, -1) }, "reshape", "-1")
	refuses(t, "reshape negative", func(s *graph.Scope) { layers.Reshape(x(s, 2, 3), -2, -3) }, "reshape", "-2")
	refuses(t, "transpose", func(s *graph.Scope) { layers.Transpose(x(s, 2, 3), 0, 0) }, "transpose", "2 axes", "[0 0]")
	refuses(t, "transpose short", func(s *graph.Scope) { layers.Transpose(x(s, 2, 3), 0) }, "transpose")
	refuses(t, "transpose of nothing", func(s *graph.Scope) { layers.Transpose(x(s, 2, 3)) }, "transpose")
	refuses(t, "broadcast", func(s *graph.Scope) { layers.Broadcast(x(s, 2, 3), 2, 2) }, "broadcast of [2,3]")
	refuses(t, "broadcast to less", func(s *graph.Scope) { layers.Broadcast(x(s, 2, 3), 1, 3) }, "broadcast of [2,3]", "[1 3]")
	refuses(t, "concat", func(s *graph.Scope) { layers.Concat(0, x(s, 2, 3), x(s, 2, 4)) }, "concat of [2,3] and [2,4]", "axis 1")
	refuses(t, "concat axes", func(s *graph.Scope) { layers.Concat(0, x(s, 2, 3), x(s, 2)) }, "concat of [2,3] and [2]")
	refuses(t, "slice", func(s *graph.Scope) { layers.Slice(x(s, 2, 3), 1, 1, 4) }, "slice of [2,3]", "[1,4)")
	refuses(t, "empty slice", func(s *graph.Scope) { layers.Slice(x(s, 2, 3), 1, 1, 1) }, "slice of [2,3]")
	refuses(t, "axis", func(s *graph.Scope) { layers.Sum(x(s, 2, 3), 2) }, "axis 2", "2 axes")
	refuses(t, "negative axis", func(s *graph.Scope) { layers.Max(x(s, 2, 3), -3) }, "2 axes")
	refuses(t, "patches", func(s *graph.Scope) { layers.PatchEmbed(x(s, 1, 3, 8, 8), x(s, 4, 3, 3, 3)) }, "patches of [1,3,8,8]", "3")
	refuses(t, "patch channels", func(s *graph.Scope) { layers.PatchEmbed(x(s, 1, 1, 8, 8), x(s, 4, 3, 4, 4)) }, "linear of")
	refuses(t, "patch kernel", func(s *graph.Scope) { layers.PatchEmbed(x(s, 1, 3, 8, 8), x(s, 4, 3, 4, 2)) }, "[4,3,4,2]")
	refuses(t, "batchnorm", func(s *graph.Scope) { layers.StandardiseColumns(x(s, 1, 3), 1e-5) }, "batchnorm of [1,3]", "two rows")
	refuses(t, "dropout", func(s *graph.Scope) { layers.DropoutMask(x(s), 1, 1, 2, 3) }, "dropout mask", "1, want 0 <= p < 1")
	refuses(t, "dropout step", func(s *graph.Scope) { layers.DropoutMask(x(s, 2), .5, 1, 2, 3) }, "dropout mask of [2]", "scalar step")
	refuses(t, "sum to", func(s *graph.Scope) { layers.SumTo(x(s, 2, 3), graph.Shape{2, 4}) }, "[2 3] is no broadcast of [2 4]")
}

// Ops compute with floats: Ints where floats belong are refused when the graph
// is built, not read as nothing when it runs.
func TestIntsWhereFloatsBelong(t *testing.T) {
	refuses(t, "add", func(s *graph.Scope) { layers.Add(ints(s, 2), x(s, 2)) }, "add", "float")
	refuses(t, "add second", func(s *graph.Scope) { layers.Add(x(s, 2), ints(s, 2)) }, "add", "float")
	refuses(t, "exp", func(s *graph.Scope) { layers.Exp(ints(s, 2)) }, "exp", "float")
	refuses(t, "softmax", func(s *graph.Scope) { layers.Softmax(ints(s, 2)) }, "softmax", "float")
	refuses(t, "gather", func(s *graph.Scope) {
		i := ints(s, 2, 3)
		layers.Gather(i, i)
	}, "gather", "float")
	refuses(t, "sum", func(s *graph.Scope) { layers.Sum(ints(s, 2), 0) }, "sum", "float")
	refuses(t, "slice", func(s *graph.Scope) { layers.Slice(ints(s, 2), 0, 0, 1) }, "slice", "float")
	refuses(t, "transpose", func(s *graph.Scope) { layers.Transpose(ints(s, 2, 1), 1, 0) }, "transpose", "float")
	refuses(t, "two float types", func(s *graph.Scope) {
		layers.Add(x(s, 2), s.Input("double", graph.Float64, 2))
	}, "add", "float32", "float64")
}

// An index outside its range reads no other memory: it is an error of the run.
func TestIndicesOutOfRange(t *testing.T) {
	floats := func(shape ...int) graph.Tensor { return graph.NewTensor(graph.Float32, shape...) }
	for _, c := range []struct {
		name, want string
		in         []graph.Tensor
		build      func(in []*Node) *Node
	}{
		{"label", "cross-entropy of [2,3] and [2]: label 3 at position 1, want 0 to 2",
			[]graph.Tensor{floats(2, 3), graph.Ints([]int{0, 3}, 2)},
			func(in []*Node) *Node { return layers.CrossEntropy(in[0], in[1]) }},
		{"negative label", "label -1 at position 0",
			[]graph.Tensor{floats(2, 3), graph.Ints([]int{-1, 2}, 2)},
			func(in []*Node) *Node { return layers.CrossEntropy(in[0], in[1]) }},
		{"id", "embedding of [5,2] and [3]: id 5 at position 2, want 0 to 4",
			[]graph.Tensor{floats(5, 2), graph.Ints([]int{0, 4, 5}, 3)},
			func(in []*Node) *Node { return layers.Embedding(in[0], in[1]) }},
		{"gather", "gather of [2,3,1] and [2,1]: index 3 at position 0, want 0 to 2",
			[]graph.Tensor{floats(2, 3, 1), graph.Ints([]int{3, 0}, 2, 1)},
			func(in []*Node) *Node { return layers.Gather(in[0], in[1]) }},
		{"scatter", "scatter of [2,1] and [2,1]: index -2 at position 1, want 0 to 3",
			[]graph.Tensor{floats(2, 1), graph.Ints([]int{3, -2}, 2, 1)},
			func(in []*Node) *Node { return layers.Scatter(in[0], in[1], 4) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := forward(t, c.in, c.build)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one that says %q", err, c.want)
			}
		})
	}
}

// A gradient may run where the value itself is not needed, so it checks its
// indices too.
func TestIndicesOutOfRangeInGradients(t *testing.T) {
	for _, c := range []struct {
		name, want string
		shape      []int
		idx        graph.Tensor
		build      func(x, idx *Node) *Node
	}{
		{"cross-entropy", "label 3 at position 0", []int{2, 3}, graph.Ints([]int{3, 0}, 2), layers.CrossEntropy},
		{"embedding", "id 4 at position 1", []int{4, 2}, graph.Ints([]int{0, 4}, 2),
			func(x, idx *Node) *Node { return layers.SumAll(layers.Embedding(x, idx)) }},
		{"gather", "index 3 at position 1", []int{2, 3}, graph.Ints([]int{0, 3}, 2, 1),
			func(x, idx *Node) *Node { return layers.SumAll(layers.Gather(x, idx)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := graph.New(graph.NewStore(nil), graph.Float32)
			v := x(s, c.shape...)
			grads, err := s.Grad(c.build(v, s.Input("idx", graph.Int, c.idx.Shape...)), s.Trainables())
			if err != nil {
				t.Fatal(err)
			}
			p, err := s.Compile(cpu.NewPool(1), map[string]*Node{"grad": grads[0]})
			if err != nil {
				t.Fatal(err)
			}
			err = p.Run(context.Background(), map[string]graph.Tensor{"idx": c.idx})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one that says %q", err, c.want)
			}
		})
	}
}
