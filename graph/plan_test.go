package graph_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
)

// randomGraph adds n ops to nodes whose values have 6 or 12 elements, views and
// values that many ops read among them; with stops also StopGradients.
func randomGraph(r *rand.Rand, nodes []*Node, n int, stops bool) []*Node {
	for range n {
		x := nodes[r.IntN(len(nodes))]
		if r.IntN(2) == 0 {
			x = nodes[len(nodes)-1-r.IntN(min(3, len(nodes)))]
		}
		s := layers.ShapeOf(x)
		size := 1
		for _, d := range s {
			size *= d
		}
		var y *Node
		switch r.IntN(10) {
		case 0, 1:
			shapes := [][]int{{size}, {2, size / 2}, {size / 3, 3}, {1, size / 2, 2}}
			y = layers.Reshape(x, shapes[r.IntN(len(shapes))]...)
		case 2:
			y = layers.Tanh(x)
		case 3:
			y = layers.Scale(x, r.NormFloat64())
		case 4:
			y = layers.Softmax(x)
		case 5:
			perm := r.Perm(len(s))
			y = layers.Transpose(x, perm...)
		case 6:
			y = layers.Reshape(x, size)
			if stops {
				y = layers.StopGradient(y)
			}
			y = layers.Add(y, layers.Reshape(x, size))
		case 7:
			half := layers.Slice(layers.Reshape(x, size), 0, 0, size/2)
			y = layers.Concat(0, half, layers.Sigmoid(layers.Slice(layers.Reshape(x, size), 0, size/2, size)))
		default:
			for _, z := range nodes { // the first of as many elements
				if m := layers.ShapeOf(z); product(m) == size && z != x {
					y = layers.Mul(layers.Reshape(x, size), layers.Reshape(layers.Tanh(z), size))
				}
			}
			if y == nil {
				y = layers.Square(layers.Tanh(x))
			}
		}
		nodes = append(nodes, y)
	}
	return nodes
}

func product(s graph.Shape) int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Memory that is used again never loses a value that is still needed: a program
// of few outputs computes what one that keeps every node does.
func TestPlanKeepsWhatIsRead(t *testing.T) {
	smaller := 0
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 9))
		s := newScope()
		in := s.Input("in", graph.Float32, 2, 6)
		leaves := []*Node{in, s.Var("a", graph.Trainable, graph.Normal(seed, 1), 3, 2), s.Var("b", graph.Trainable, graph.Normal(seed, 1), 12)}
		nodes := randomGraph(r, leaves, 30, true)
		loss := layers.MeanAll(nodes[0])
		for _, n := range nodes[1:] {
			loss = layers.Add(loss, layers.MeanAll(n))
		}
		grads, err := s.Grad(loss, s.Trainables())
		if err != nil {
			t.Fatal(err)
		}
		few := map[string]*Node{}
		all := map[string]*Node{}
		for i, n := range append(slices.Clone(nodes), grads...) {
			name := fmt.Sprint(i)
			all[name] = n
			if i >= len(nodes) || r.IntN(6) == 0 {
				few[name] = n
			}
		}
		for i, n := range s.Graph().AllNodes() { // every node that lies between, too
			if n.Name() != "" && n.Op() != nil && graph.TypeOf(n).Dtype == graph.Float32 {
				all[fmt.Sprintf("inner %d", i)] = n
			}
		}
		a, b := compile(t, s, few), compile(t, s, all)
		if a.Bytes() < b.Bytes() {
			smaller++
		}
		feed := graph.NewTensor(graph.Float32, 2, 6)
		for range 2 {
			for i := range feed.F32 {
				feed.F32[i] = float32(r.NormFloat64())
			}
			feeds := map[string]graph.Tensor{"in": feed}
			run(t, a, feeds)
			run(t, b, feeds)
			sameBits(t, seed, a, b, few)
		}
	}
	if smaller < 140 {
		t.Errorf("memory was used again in %d of 150 graphs", smaller)
	}
}

// sameBits wants the named outputs of two programs to be the same.
func sameBits(t *testing.T, seed uint64, got, want *graph.Program, names map[string]*Node) {
	t.Helper()
	for name := range names {
		x, y := got.Output(name), want.Output(name)
		for i := range y.F32 {
			if math.Float32bits(x.F32[i]) != math.Float32bits(y.F32[i]) {
				t.Fatalf("seed %d: value %s is %v, want %v", seed, name, x.F32, y.F32)
			}
		}
	}
}

// With fixed variables, what depends on no input outlives the first Run, and the
// bits are those of a program that computes all each time.
func TestFixedVariables(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 17))
		s := newScope()
		in := s.Input("in", graph.Float32, 2, 6)
		a, b := s.Var("a", graph.Trainable, graph.Normal(seed, 1), 3, 2), s.Var("b", graph.State, graph.Normal(seed, 1), 12)
		fixed := randomGraph(r, []*Node{a, b}, 10, true)
		nodes := randomGraph(r, append([]*Node{in}, fixed...), 20, true)
		some := map[string]*Node{}
		for i, n := range nodes {
			if i > 0 && r.IntN(4) == 0 {
				some[fmt.Sprint(i)] = n
			}
		}
		x := compile(t, s, some)
		y, err := s.CompileWith(graph.Options{Fixed: true}, cpu.NewPool(2), some)
		if err != nil {
			t.Fatal(err)
		}
		feed := graph.NewTensor(graph.Float32, 2, 6)
		for range 3 {
			for i := range feed.F32 {
				feed.F32[i] = float32(r.NormFloat64())
			}
			feeds := map[string]graph.Tensor{"in": feed}
			run(t, x, feeds)
			run(t, y, feeds)
			sameBits(t, seed, y, x, some)
		}
	}
}

func TestFixedVariablesAreReadOnce(t *testing.T) {
	s := newScope()
	a := s.Var("a", graph.Trainable, graph.Normal(1, 1), 4, 4)
	square := layers.MatMul(a, a, false, false)
	y := layers.MatMul(s.Input("x", graph.Float32, 2, 4), layers.Tanh(square), false, false)
	c := &opList{}
	s.Watch(c)
	fixed := graph.Options{Fixed: true}
	p, err := s.CompileWith(fixed, cpu.NewPool(1), map[string]*Node{"y": y})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.FLOPs(), int64(2*2*4*4); got != want {
		t.Errorf("%d FLOPs a Run, want %d", got, want)
	}
	for range 3 {
		run(t, p, map[string]graph.Tensor{"x": graph.NewTensor(graph.Float32, 2, 4)})
	}
	if want := []string{"matmul", "tanh", "matmul", "matmul", "matmul"}; !slices.Equal(c.ops, want) {
		t.Errorf("%v were computed, want %v", c.ops, want)
	}
	v := s.Trainables()[0]
	_, err = s.CompileWith(fixed, cpu.NewPool(1), nil, graph.Update{Var: v, Value: square})
	if err == nil || err.Error() != "variable a is updated by a program that holds variables to be fixed" {
		t.Errorf("an update of a fixed variable: %v", err)
	}
}

// opList lists the ops that are computed.
type opList struct{ ops []string }

func (*opList) Begin(*graph.Program, []graph.Leaf) error { return nil }
func (c *opList) Step(_ *graph.Program, s *graph.Step, _ graph.Tensor, _ []graph.Tensor, _ time.Time, _ time.Duration) error {
	c.ops = append(c.ops, s.Op)
	return nil
}

// A chain needs one buffer, however long it is; two as it stands.
func TestChainNeedsOneBuffer(t *testing.T) {
	s := newScope()
	x := s.Input("x", graph.Float32, 1024)
	y := layers.Tanh(x)
	for range 50 {
		y = layers.Tanh(layers.Reshape(y, 32, 32))
		y = layers.Reshape(y, 1024)
	}
	for plain, want := range map[bool]int64{false: 4096, true: 2 * 4096} {
		p, err := s.CompileWith(graph.Options{Plain: plain}, cpu.NewPool(1), map[string]*Node{"y": y})
		if err != nil {
			t.Fatal(err)
		}
		if n := p.Bytes(); n != want {
			t.Errorf("plain %v: a chain of 51 ops over 4096 bytes has %d bytes, want %d", plain, n, want)
		}
	}
}

// Only what the outputs need is run.
func TestUnneededOpsDoNotRun(t *testing.T) {
	s := newScope()
	x := vector(s, "x", 1)
	op, ran := counter(t)
	graph.Apply(op, x)
	run(t, compile(t, s, map[string]*Node{"y": layers.Square(x)}), nil)
	if ran.Load() != 0 {
		t.Error("an op that no output needs has run")
	}
}

func TestEqualOpsRunOnce(t *testing.T) {
	s := newScope()
	x := vector(s, "x", 1)
	op, ran := counter(t)
	leave := s.Sub("other").Enter()
	b := graph.Apply(op, layers.Square(x))
	leave()
	a := graph.Apply(op, layers.Square(x))
	if a == b {
		t.Fatal("the graph itself merged two nodes")
	}
	p := compile(t, s, map[string]*Node{"y": layers.Mul(a, b), "a": a, "b": b})
	run(t, p, nil)
	if n := ran.Load(); n != 1 {
		t.Errorf("two equal ops on equal operands ran %d times", n)
	}
	wantValues(t, "y", p.Output("y").F32, 4)
	wantValues(t, "a", p.Output("a").F32, 2)
	wantValues(t, "b", p.Output("b").F32, 2)
}

// Ops that differ in one field, or in the order of their operands, are two.
func TestDifferentOpsDoNotMerge(t *testing.T) {
	s := newScope()
	x, y := vector(s, "x", 1, 2, 3, 4), vector(s, "y", 5, 6, 7, 8)
	m := layers.Reshape(x, 2, 2)
	out := map[string]*Node{
		"scale 2": layers.Scale(x, 2), "scale 2+": layers.Scale(x, math.Nextafter(2, 3)), "shift": layers.Shift(x, 2),
		"add": layers.Add(x, y), "sub": layers.Sub(x, y), "sub back": layers.Sub(y, x), "mul": layers.Mul(x, y),
		"sum 0": layers.Sum(m, 0), "sum 1": layers.Sum(m, 1), "max 0": layers.Max(m, 0),
		"exp": layers.Exp(x), "tanh": layers.Tanh(x), "square": layers.Square(x),
		"softmax": layers.Softmax(x), "log-softmax": layers.LogSoftmax(x),
		"nn": layers.MatMul(m, m, false, false), "nt": layers.MatMul(m, m, false, true), "tn": layers.MatMul(m, m, true, false),
		"transpose": layers.Transpose(m, 1, 0), "slice": layers.Slice(x, 0, 0, 2), "slice 1": layers.Slice(x, 0, 1, 3),
		"l2": layers.L2Normalize(x, 1), "l2 eps": layers.L2Normalize(x, 2), "standard": layers.Standardise(x, 1),
	}
	p := compile(t, s, out)
	ops := 0
	for _, r := range p.Summary() {
		ops += r.Ops
	}
	if want := len(out) + 1; ops != want { // and the reshape
		t.Errorf("%d different ops became %d steps", want, ops)
	}
}

// What a program computes does not depend on the number of threads.
func TestThreadsDoNotChangeABit(t *testing.T) {
	s := newScope()
	x := s.Var("x", graph.Trainable, graph.Normal(1, 1), 37, 129)
	w := s.Var("w", graph.Trainable, graph.Normal(2, 1), 131, 129)
	y := layers.Softmax(layers.Linear(layers.GELU(x), w, nil))
	loss := layers.MeanAll(layers.Mul(y, layers.LogSoftmax(y)))
	grads, err := s.Grad(loss, s.Trainables())
	if err != nil {
		t.Fatal(err)
	}
	var want [][]float32
	for threads := 1; threads <= 4; threads++ {
		p, err := s.Compile(cpu.NewPool(threads), map[string]*Node{"loss": loss, "dx": grads[0], "dw": grads[1]})
		if err != nil {
			t.Fatal(err)
		}
		run(t, p, nil)
		got := [][]float32{p.Output("loss").F32, p.Output("dx").F32, p.Output("dw").F32}
		if want == nil {
			want = got
		}
		for i := range got {
			if !slices.Equal(got[i], want[i]) {
				t.Errorf("%d threads change value %d", threads, i)
			}
		}
	}
}
