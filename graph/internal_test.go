package graph

import (
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"

	"gorgonia.org/gorgonia"
)

// plus is the plainest op with a gradient.
type plus struct{}

func (plus) Name() string                              { return "plus" }
func (plus) Infer(in []Type) (Type, error)             { return in[0], nil }
func (plus) Grad(_ []*Node, _, dout *Node) []*Node     { return []*Node{dout, dout} }
func (plus) Run(c *Ctx, out Tensor, in []Tensor) error { return sum{}.Run(c, out, in) }

// A gradient sum that Gorgonia merged with another one is found.
func TestCheckSumFindsAWrongSum(t *testing.T) {
	s := New(NewStore(nil), Float32)
	x := s.Var("x", Trainable, Zeros)
	a, b, c := s.Input("a", Float32), s.Input("b", Float32), s.Input("c", Float32)
	if _, err := s.Grad(Apply(plus{}, x, x), s.Trainables()); err != nil {
		t.Fatal(err)
	}
	right := operands(s.graph, x.Deriv())
	if len(right) != 2 {
		t.Fatalf("the gradient of x+x is no sum: %v", x.Deriv())
	}
	if err := checkSum(s.graph, x, right); err != nil {
		t.Errorf("a right sum is refused: %v", err)
	}
	for name, terms := range map[string][]*Node{
		"other": {a, b}, "other first": {a, right[1]}, "other last": {right[0], b}, "one more": {right[0], right[1], c}, "one less": {right[0]}, "sum of another": {b, c, a},
	} {
		if err := checkSum(s.graph, x, terms); err == nil || !strings.Contains(err.Error(), "hash") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

// Gorgonia's own ops are refused by name, but for the sum of gradients.
func TestStockOpsAreRefused(t *testing.T) {
	s := New(NewStore(nil), Float32)
	a, b := s.Input("a", Float32, 2), s.Input("b", Float32, 2)
	for name, y := range map[string]*Node{
		"tanh": gorgonia.Must(gorgonia.Tanh(a)), "mul": gorgonia.Must(gorgonia.HadamardProd(a, b)), "softmax": gorgonia.Must(gorgonia.SoftMax(a)),
	} {
		if _, err := s.Compile(nil, map[string]*Node{"y": y}); err == nil || !strings.Contains(err.Error(), "Gorgonia's own op") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	if _, err := s.Compile(nil, map[string]*Node{"y": gorgonia.Must(gorgonia.Add(a, b))}); err != nil {
		t.Errorf("the sum is refused: %v", err)
	}
	foreign := gorgonia.NewScalar(gorgonia.NewGraph(), Float32, gorgonia.WithName("f"))
	if err := Try(func() { Apply(plus{}, foreign, foreign) }); err == nil || !strings.Contains(err.Error(), "graph.New") {
		t.Errorf("error is %v", err)
	}
}

// A graph that nobody holds is collected, and its builder with it.
func TestBuildersDoNotLeak(t *testing.T) {
	count := func() int {
		builders.Lock()
		defer builders.Unlock()
		return len(builders.of)
	}
	collected := func(done func() bool) bool {
		for range 100 {
			runtime.GC()
			if done() {
				return true
			}
			time.Sleep(5 * time.Millisecond)
		}
		return false
	}
	collected(func() bool { return count() == 0 }) // graphs of other tests
	before := count()
	var last weak.Pointer[gorgonia.ExprGraph]
	func() {
		for range 50 {
			s := New(NewStore(nil), Float32)
			x := s.Var("x", Trainable, Zeros)
			y := Apply(plus{}, x, x)
			if _, err := s.Grad(Apply(plus{}, y, x), s.Trainables()); err != nil {
				t.Fatal(err)
			}
			last = weak.Make(s.graph)
		}
	}()
	if !collected(func() bool { return count() <= before }) {
		t.Errorf("%d builders, were %d before", count(), before)
	}
	if last.Value() != nil {
		t.Error("a graph was not collected")
	}
}

// The arena never hands out memory that is taken, and takes back all of it.
func TestArena(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		a := &arena{}
		owner := map[int]int{} // element -> piece
		pieces := map[int][2]int{}
		live, peak := 0, 0
		for id := range 300 {
			if r.IntN(2) == 0 && len(pieces) > 0 {
				for k, p := range pieces { // any
					a.release(p[0], p[1])
					for i := p[0]; i < p[0]+p[1]; i++ {
						delete(owner, i)
					}
					delete(pieces, k)
					live -= p[1]
					break
				}
				continue
			}
			n := r.IntN(5) * alignment
			off := a.take(n)
			if off < 0 || off+n > a.size || off%alignment != 0 {
				t.Fatalf("piece [%d,%d) of an arena of %d", off, off+n, a.size)
			}
			for i := off; i < off+n; i++ {
				if o, ok := owner[i]; ok {
					t.Fatalf("element %d is of piece %d and %d", i, o, id)
				}
				owner[i] = id
			}
			pieces[id] = [2]int{off, n}
			live += n
			peak = max(peak, live)
		}
		for _, p := range pieces {
			a.release(p[0], p[1])
		}
		if a.size > 0 && (len(a.free) != 1 || a.free[0] != piece{0, a.size}) {
			t.Fatalf("free are %v of %d", a.free, a.size)
		}
		if a.size > 2*peak {
			t.Errorf("an arena of %d for a peak of %d", a.size, peak)
		}
	}
}

// An Op's fields are its identity: no two print alike.
func TestKeysOfOps(t *testing.T) {
	type op struct {
		plus
		Axis  int
		Label string
	}
	keys := map[string]bool{}
	for _, o := range []Op{plus{}, op{}, op{Axis: 1}, op{Label: "1"}, sum{}} {
		k := (&symbol{Op: o}).key()
		if keys[k] {
			t.Errorf("two ops have the key %s", k)
		}
		keys[k] = true
	}
}
