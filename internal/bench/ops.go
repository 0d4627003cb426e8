package bench

import (
	"context"
	"fmt"
	"strings"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
)

// OpResult is one hot operation of ViT-B/16 at 8 images or of its text tower.
type OpResult struct {
	Name   string  `json:"name"`
	GFLOPs float64 `json:"gflops,omitempty"` // a second; of operations that arithmetic bounds
	Share  float64 `json:"share,omitempty"`  // of the limit, at the best times
	GBs    float64 `json:"gbytes,omitempty"` // read and written a second; of the others
	Times
}

// The images that the hot operations' sizes come from, and their tokens.
const opImages, opTokens = 8, 197

// hot are the operations, as the encoders use them: frozen weights, fused ends.
var hot = []struct {
	name  string
	build func(s *graph.Scope) *graph.Node
}{
	{"sgemm 1576x768x3072", func(s *graph.Scope) *graph.Node {
		return layers.MatMul(input(s, "x", 1576, 768), weight(s, "w", 768, 3072), false, false)
	}},
	{"linear 768 to 2304 (queries, keys, values)", func(s *graph.Scope) *graph.Node {
		return layers.Linear(input(s, "x", opImages*opTokens, 768), weight(s, "w", 2304, 768), weight(s, "b", 2304))
	}},
	{"linear 768 to 3072 with QuickGELU", func(s *graph.Scope) *graph.Node {
		return layers.QuickGELU(layers.Linear(input(s, "x", opImages*opTokens, 768), weight(s, "w", 3072, 768), weight(s, "b", 3072)))
	}},
	{"linear 3072 to 768 with residual", func(s *graph.Scope) *graph.Node {
		x := layers.Linear(input(s, "x", opImages*opTokens, 3072), weight(s, "w", 768, 3072), weight(s, "b", 768))
		return layers.Add(input(s, "residual", opImages*opTokens, 768), x)
	}},
	{"sgemm transposed 3072x1576x768 (gradient of a weight)", func(s *graph.Scope) *graph.Node {
		return layers.MatMul(input(s, "dy", 1576, 3072), input(s, "x", 1576, 768), true, false)
	}},
	{"attention 8x197, 12 heads of 64", func(s *graph.Scope) *graph.Node {
		return layers.Attention(input(s, "qkv", opImages, opTokens, 3*768), 12, false)
	}},
	{"shared attention, 50 prompts of 5+6, 8 heads of 64", func(s *graph.Scope) *graph.Node {
		lengths := make([]int, 50)
		for i := range lengths {
			lengths[i] = 6
		}
		return layers.SharedAttention(input(s, "qkv", 5+50*6, 3*512), 8, 5, lengths)
	}},
	{"layer norm 1576x768", func(s *graph.Scope) *graph.Node {
		return layers.LayerNorm(input(s, "x", 1576, 768), weight(s, "g", 768), weight(s, "b", 768), layers.Eps)
	}},
	{"softmax 18912x197", func(s *graph.Scope) *graph.Node {
		return layers.Softmax(input(s, "x", opImages*12*opTokens, opTokens))
	}},
	{"QuickGELU 1576x3072", func(s *graph.Scope) *graph.Node { return layers.QuickGELU(input(s, "x", 1576, 3072)) }},
	{"add 1576x768", func(s *graph.Scope) *graph.Node {
		return layers.Add(input(s, "x", 1576, 768), input(s, "y", 1576, 768))
	}},
}

func input(s *graph.Scope, name string, shape ...int) *graph.Node {
	return s.Input(name, graph.Float32, shape...)
}

func weight(s *graph.Scope, name string, shape ...int) *graph.Node {
	return s.Var(name, graph.Frozen, graph.Normal(1, .05), shape...)
}

// Ops measures the hot operations whose names begin so.
func Ops(ctx context.Context, on On, begin string, e Effort) ([]OpResult, error) {
	path, _ := cpu.Path()
	var all []OpResult
	for _, op := range hot {
		if !strings.HasPrefix(op.name, begin) {
			continue
		}
		store := graph.NewStore(nil)
		store.On(on.Device)
		s := graph.New(store, graph.Float32)
		s.Called(op.name)
		for _, w := range on.Watch {
			s.Watch(w)
		}
		var out *graph.Node
		if err := graph.Try(func() { out = op.build(s) }); err != nil {
			return nil, err
		}
		p, err := s.Compile(on.Pool, map[string]*graph.Node{"out": out})
		if err != nil {
			return nil, err
		}
		feeds := p.Feeds()
		moved := 4 * int64(p.OutputType("out").Shape.TotalSize())
		for name, t := range feeds {
			graph.Normal(1, 1)(name, t.F32)
			moved += 4 * int64(t.Len())
		}
		for range 3 { // memory gets its size, weights are packed, loops are kept
			if err := p.Run(ctx, feeds); err != nil {
				return nil, err
			}
		}
		// The limit is measured in turn, and the best of both compared: others may
		// use the machine.
		r, most := OpResult{Name: op.name}, 0.
		const turns = 4
		for range turns {
			t, err := measure(ctx, Effort{(e.Repeat + turns - 1) / turns, e.For / turns}, func() error { return p.Run(ctx, feeds) })
			if err != nil {
				return nil, err
			}
			r.All, most = append(r.All, t.All...), max(most, limit(on.Pool, path))
		}
		r.sum()
		if n := p.FLOPs(); n > 0 {
			r.GFLOPs = float64(n) / r.Median / 1e9
			if most > 0 {
				r.Share = float64(n) / r.Best / 1e9 / most
			}
		} else {
			r.GBs = float64(moved) / r.Median / 1e9
		}
		all = append(all, r)
	}
	if path == "go" && strings.HasPrefix(gonumName, begin) {
		g, err := gonum(ctx, e)
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	if len(all) == 0 {
		var names []string
		for _, op := range hot {
			names = append(names, op.name)
		}
		return nil, fmt.Errorf("no operation's name begins with %q: they are %s", begin, strings.Join(names, ", "))
	}
	return all, nil
}

const gonumName = "gonum's sgemm 1576x768x3072"

// gonum is what the portable path is held against: its product of the first
// operation's size, which takes all cores.
func gonum(ctx context.Context, e Effort) (OpResult, error) {
	matrix := func(r, c int) blas32.General {
		m := blas32.General{Rows: r, Cols: c, Stride: c, Data: make([]float32, r*c)}
		graph.Normal(1, 1)("gonum", m.Data)
		return m
	}
	a, b, c := matrix(1576, 768), matrix(768, 3072), matrix(1576, 3072)
	r := OpResult{Name: gonumName}
	var err error
	r.Times, err = measure(ctx, e, func() error {
		blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, a, b, 0, c)
		return nil
	})
	r.GFLOPs = 2 * 1576 * 768 * 3072 / r.Median / 1e9
	return r, err
}
