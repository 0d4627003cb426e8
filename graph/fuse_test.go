package graph_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"testing"
	"unsafe"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
	"spotlighter/optim"
)

// trainingStep is a step of AdamW for a small transformer over patches and
// tokens, its first block frozen, with a contrastive loss: most ops there are.
func trainingStep(t *testing.T, o graph.Options, threads int) (*graph.Program, *graph.Scope) {
	t.Helper()
	s := newScope()
	w := layers.Weights{Kind: graph.Trainable, Seed: 7, Init: true}
	frozen := w
	frozen.Kind = graph.Frozen
	block := layers.BlockConfig{Width: 32, Heads: 4, Hidden: 128, Layers: 2}
	const batch, tokens = 6, 9

	images := s.Input("images", graph.Float32, batch, 3, 12, 12)
	x := layers.PatchEmbed(images, s.Var("conv", graph.Frozen, w.Normal(.1), 32, 3, 4, 4))
	x = layers.Add(x, s.Var("positions", graph.Trainable, w.Normal(.1), tokens, 32))
	x, _ = layers.NewBlock(s.Sub("frozen"), frozen, block).Forward(x, false)
	x, _ = layers.NewBlock(s.Sub("trained"), w, block).Forward(x, true)
	x = layers.NewNorm(s.Sub("norm"), w, 32).Forward(x)
	x = layers.L2Normalize(layers.Mean(x, 1), 0)

	table := s.Var("table", graph.Trainable, w.Normal(.1), 11, 32)
	y := layers.Embedding(table, s.Input("ids", graph.Int, batch, 5))
	y, _ = layers.NewBlock(s.Sub("text"), w, block).Forward(y, true)
	y = layers.Reshape(layers.Gather(y, s.Input("ends", graph.Int, batch, 1)), batch, 32)
	y = layers.Standardise(layers.GELU(y), 1e-5)

	logits := layers.Mul(layers.MatMul(x, y, false, true), layers.Exp(s.Var("scale", graph.Trainable, graph.Fill(1))))
	labels := s.Input("labels", graph.Int, batch)
	loss := layers.Add(layers.CrossEntropy(logits, labels), layers.CrossEntropy(layers.Transpose(logits, 1, 0), labels))
	updates, err := optim.Step(s.Sub("optim"), loss, s.Input("lr", graph.Float32), optim.Group{
		Optimizer: optim.AdamW{Beta1: .9, Beta2: .98, Eps: 1e-6, WeightDecay: .1}, LRScale: 1, Vars: s.Trainables(),
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.CompileWith(o, cpu.NewPool(threads), map[string]*Node{"loss": loss}, updates...)
	if err != nil {
		t.Fatal(err)
	}
	return p, s
}

// feedsOf are feeds of step i.
func feedsOf(p *graph.Program, feeds map[string]graph.Tensor, i int) {
	r := rand.New(rand.NewPCG(uint64(i), 3))
	for k := range feeds["images"].F32 {
		feeds["images"].F32[k] = float32(r.NormFloat64())
	}
	for k := range feeds["ids"].Int {
		feeds["ids"].Int[k] = r.IntN(11)
	}
	for k := range feeds["ends"].Int {
		feeds["ends"].Int[k] = r.IntN(5)
		feeds["labels"].Int[k] = k
	}
	feeds["lr"].F32[0] = float32(.01 / float64(i+1))
}

// What is fused, kept, packed or laid over an operand changes no bit of many
// steps of training, on any number of threads.
func TestPlainAndFusedTrainAlike(t *testing.T) {
	var want []*graph.Variable
	var steps int
	for _, c := range []struct {
		plain   bool
		threads int
	}{{true, 1}, {false, 1}, {false, 2}, {false, 3}} {
		p, s := trainingStep(t, graph.Options{Plain: c.plain}, c.threads)
		feeds := p.Feeds()
		for i := range 6 {
			feedsOf(p, feeds, i)
			if i == 4 { // memory of another place
				feeds = p.Feeds()
				feedsOf(p, feeds, i)
			}
			run(t, p, feeds)
		}
		ops := 0
		for _, r := range p.Summary() {
			ops += r.Ops
		}
		if c.plain {
			want, steps = s.Store().Variables(), ops
			continue
		}
		if ops >= steps {
			t.Errorf("%d ops, %d as they stand", ops, steps)
		}
		for i, v := range s.Store().Variables() {
			for k, x := range v.Value.F32 {
				if math.Float32bits(x) != math.Float32bits(want[i].Value.F32[k]) {
					t.Fatalf("%d threads: %s is %v at %d, plain %v", c.threads, v.Name, x, k, want[i].Value.F32[k])
				}
			}
		}
	}
}

func TestPlainAndFusedAgreeOnRandomGraphs(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 17))
		s := newScope()
		leaves := []*Node{s.Var("a", graph.Trainable, graph.Normal(seed, 1), 3, 2), s.Var("b", graph.Trainable, graph.Normal(seed, 1), 12)}
		nodes := randomGraph(r, leaves, 30, true)
		outputs := map[string]*Node{}
		for i, n := range nodes {
			if i == len(nodes)-1 || r.IntN(6) == 0 {
				outputs[fmt.Sprint(i)] = n
			}
		}
		fused := compile(t, s, outputs)
		plain, err := s.CompileWith(graph.Options{Plain: true}, cpu.NewPool(1), outputs)
		if err != nil {
			t.Fatal(err)
		}
		run(t, plain, nil)
		for i := range 3 {
			run(t, fused, nil)
			for name := range outputs {
				x, y := fused.Output(name).F32, plain.Output(name).F32
				for k := range x {
					if math.Float32bits(x[k]) != math.Float32bits(y[k]) {
						t.Fatalf("seed %d run %d: value %s is %v, plain %v", seed, i, name, x, y)
					}
				}
			}
		}
	}
}

// A step of training allocates nothing once it has its memory.
func TestStepsAllocateNothing(t *testing.T) {
	p, _ := trainingStep(t, graph.Options{}, 2)
	feeds := p.Feeds()
	feedsOf(p, feeds, 0)
	if name, _ := cpu.Path(); name == "go" {
		t.Skip("products without SIMD kernels allocate a closure each")
	}
	for range 9 {
		run(t, p, feeds)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // collections allocate, too
	// A thread that had no work in a product until now still makes its memory: some
	// step has none of these.
	least := uint64(math.MaxUint64)
	for range 30 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := p.Run(context.Background(), feeds)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		least = min(least, after.Mallocs-before.Mallocs)
	}
	if least != 0 {
		t.Errorf("a step makes %d allocations", least)
	}
}

// A frozen weight is arranged for products once, for all programs, and again
// when its memory is another.
func TestFrozenWeightsArePackedOnce(t *testing.T) {
	if name, _ := cpu.Path(); name == "go" {
		t.Skip("products without SIMD kernels pack nothing")
	}
	s := newScope()
	w := s.Var("w", graph.Frozen, graph.Normal(1, 1), 40, 30)
	x := s.Var("x", graph.Trainable, graph.Normal(2, 1), 20, 30)
	y := layers.Linear(x, w, nil)
	back := layers.MatMul(y, w, false, false)
	outputs := map[string]*Node{"y": y, "back": back}
	a, b := compile(t, s, outputs), compile(t, s, outputs)
	check := func(p *graph.Program) {
		t.Helper()
		run(t, p, nil)
		v, u := s.Find("w").Value.F32, s.Find("x").Value.F32
		for _, at := range [][2]int{{0, 0}, {19, 39}, {7, 33}} {
			var want float64
			for k := range 30 {
				want += float64(u[at[0]*30+k]) * float64(v[at[1]*30+k])
			}
			if got := p.Output("y").F32[at[0]*40+at[1]]; math.Abs(float64(got)-want) > 1e-4 {
				t.Errorf("y%v is %v, want %v", at, got, want)
			}
		}
	}
	if n := a.PackedBytes(); n != 0 {
		t.Errorf("%d packed bytes before the first run", n)
	}
	check(a)
	size := a.PackedBytes()
	if size < 2*4*40*30 {
		t.Errorf("%d packed bytes, want two copies of 4800", size)
	}
	check(b)
	if n := b.PackedBytes(); n != size {
		t.Errorf("%d packed bytes after another program, were %d", n, size)
	}
	values := map[string]graph.Tensor{"w": graph.NewTensor(graph.Float32, 40, 30), "x": s.Find("x").Value}
	for i := range values["w"].F32 {
		values["w"].F32[i] = float32(i % 7)
	}
	if err := s.Store().Load(values); err != nil {
		t.Fatal(err)
	}
	if unsafe.SliceData(s.Find("w").Value.F32) != unsafe.SliceData(values["w"].F32) {
		t.Fatal("a frozen variable has a copy of what was loaded")
	}
	check(a)
	check(b)
	if n := a.PackedBytes(); n != size {
		t.Errorf("%d packed bytes of other values, were %d", n, size)
	}
}
