package spotlight

import (
	"fmt"
	"math"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/vit"
)

// What is read of the contributions' factors is what is read of all of them, of a
// pruned encoder too.
func TestContributionsByParts(t *testing.T) {
	for _, p := range []vit.Prune{{}, {Block: 1, Keep: .5}, {Block: 2, Keep: .4, By: vit.Deviation}} {
		for _, blocks := range [][]int{{2}, {1, 3}} {
			s := graph.New(graph.NewStore(nil), graph.Float64)
			v := toyVision
			v.Prune = p
			e := newToyEncoder(s, v)
			o := e.Forward(s.Const(draw("images", toyImages, 3, 12, 12)))
			c := newContributions(e, o, blocks, Head{Feature: o.Feature})
			all := given{c.all()}
			var asked []vectors // of more classes than candidates, and of fewer
			candidates := s.Const(graph.Ints([]int{2, 0, 1, 2, 0, 0}, toyImages, 2))
			for _, classes := range []int{9, 3} {
				asked = append(asked, vectors{of: candidates, tables: []*Node{s.Const(draw("texts", classes, 1, 16)), s.Const(draw("prototypes", classes, 3, 16))}})
			}
			index := s.Const(graph.Ints([]int{0, 3, 5, 15, 2, 2, 7, 1, 0, 4, 9, 11}, toyImages, 4))
			nodes := map[string]*Node{}
			for name, x := range map[string]source{"parts": c, "all": all} {
				nodes["of of "+name], nodes["sums of "+name] = x.of(index), x.sums(index, 2)
				nodes["dot, many of "+name], nodes["dot, few of "+name] = x.dot(asked[0]), x.dot(asked[1])
			}
			program, err := s.Compile(cpu.NewPool(1), nodes)
			if err != nil {
				t.Fatal(err)
			}
			if err := program.Run(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			for _, what := range []string{"dot, many", "dot, few", "of", "sums"} {
				got, want := program.Output(what+" of parts"), program.Output(what+" of all")
				if fmt.Sprint(got.Shape) != fmt.Sprint(want.Shape) {
					t.Fatalf("%+v: %s is %v, want %v", p, what, got.Shape, want.Shape)
				}
				size := 0.
				for i := range want.F64 {
					size = max(size, math.Abs(want.F64[i]))
					if math.Abs(got.F64[i]-want.F64[i]) > 1e-12 {
						t.Fatalf("%+v, blocks %v: %s is %g at %d, want %g", p, blocks, what, got.F64[i], i, want.F64[i])
					}
				}
				if size < 1e-3 {
					t.Errorf("%s is nothing but %g", what, size)
				}
			}
		}
	}
}

// The class-wise mode gives the same whether the tokens' factors are at hand or
// the tokens alone, and so do its gradients.
func TestCandidatesOfGivenTokens(t *testing.T) {
	c := oneReading()
	c.Candidates, c.Keep, c.Level1, c.Prototypes, c.Evidence, c.Centre = 2, 3, 2, 2, .7, .4
	for _, contrast := range []bool{false, true} {
		c.Contrast = contrast
		x, y := newToy(t, c, graph.Float64), newToyOf(t, c, graph.Float64, func(f Features) Features {
			f.tokens, f.evidence = nil, nil
			return f
		})
		got, want := x.run(), y.run()
		for name := range want {
			for i := range want[name].F64 {
				if math.Abs(got[name].F64[i]-want[name].F64[i]) > 1e-10 {
					t.Fatalf("contrast %v: %s is %g at %d, want %g", contrast, name, got[name].F64[i], i, want[name].F64[i])
				}
			}
		}
	}
}
