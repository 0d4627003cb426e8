package spotlight

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/fixture"
	"spotlighter/layers"
	"spotlighter/vit"
)

// encoded runs a function of the toy's encoder, in Float64.
func encoded(t *testing.T, build func(s *graph.Scope, e *vit.Encoder, o vit.Output) map[string]*Node) (*graph.Program, *graph.Store) {
	t.Helper()
	store := graph.NewStore(nil)
	s := graph.New(store, graph.Float64)
	e, o := toyEncoder(s)
	p, err := s.Compile(cpu.NewPool(1), build(s, e, o))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	return p, store
}

// The CLS row is a sum, so the image feature is what each patch adds to it and
// a rest: g = rest + sum c. Here patches' parts are added up by loops, taken out
// of the row, and what is left goes through ln_post and the projection.
func TestContributions(t *testing.T) {
	for _, blocks := range [][]int{{1, 2, 3}, {3}, {1, 3}} {
		t.Run(fmt.Sprint(blocks), func(t *testing.T) {
			p, store := encoded(t, func(s *graph.Scope, e *vit.Encoder, o vit.Output) map[string]*Node {
				c := oneReading()
				c.Blocks = blocks
				f := Encode(c, e, o)
				out := map[string]*Node{"tokens": f.Tokens, "image": f.Image, "raw": o.Feature, "last": o.Tokens[e.Layers], "attention": f.Attention}
				for l, qkv := range o.QKV {
					out[fmt.Sprint("qkv.", l)] = qkv
				}
				return out
			})
			const n, w, h, d = 16, 12, 2, 16
			weight := func(name string) []float64 { return store.Find("visual." + name).Value.F64 }
			gamma, beta, proj := weight("ln_post.weight"), weight("ln_post.bias"), weight("proj")
			attention := graph.NewTensor(graph.Float64, toyImages, n)
			want, rest := graph.NewTensor(graph.Float64, toyImages, n, d), graph.NewTensor(graph.Float64, toyImages, d)
			for b := range toyImages {
				parts := make([][]float64, n) // in the width
				for i := range parts {
					parts[i] = make([]float64, w)
				}
				for _, l := range blocks {
					out := weight(fmt.Sprintf("transformer.resblocks.%d.attn.out_proj.weight", l-1))
					qkv := p.Output(fmt.Sprint("qkv.", l-1)).F64[b*(n+1)*3*w:]
					at := func(token, part, i int) float64 { return qkv[token*3*w+part*w+i] }
					for head := range h {
						var a [n + 1]float64
						var sum float64
						for k := range a {
							for i := head * w / h; i < (head+1)*w/h; i++ {
								a[k] += at(0, 0, i) * at(k, 1, i)
							}
							a[k] = math.Exp(a[k] / math.Sqrt(float64(w/h)))
							sum += a[k]
						}
						for k := range n {
							share := a[k+1] / sum
							attention.F64[b*n+k] += share / float64(h*len(blocks))
							for o := range w {
								for i := head * w / h; i < (head+1)*w/h; i++ {
									parts[k][o] += out[o*w+i] * share * at(k+1, 2, i)
								}
							}
						}
					}
				}
				row := slices.Clone(p.Output("last").F64[b*(n+1)*w:][:w])
				_, deviation := moments(row)
				length := math.Sqrt(cpu.Dot(p.Output("raw").F64[b*d:(b+1)*d], p.Output("raw").F64[b*d:(b+1)*d]))
				joint := func(dst, x []float64, bias bool) {
					m, _ := moments(x)
					for i := range x {
						v := (x[i] - m) / deviation * gamma[i]
						if bias {
							v += beta[i]
						}
						for k := range d {
							dst[k] += v * proj[i*d+k] / length
						}
					}
				}
				for k := range n {
					joint(want.F64[(b*n+k)*d:(b*n+k+1)*d], parts[k], false)
					for i := range row {
						row[i] -= parts[k][i]
					}
				}
				joint(rest.F64[b*d:(b+1)*d], row, true)
			}
			fixture.Near(t, "attention", p.Output("attention"), attention, 1e-12)
			fixture.Near(t, "contributions", p.Output("tokens"), want, 1e-10)
			sum := rest
			for b := range toyImages {
				for k := range n {
					for i := range d {
						sum.F64[b*d+i] += p.Output("tokens").F64[(b*n+k)*d+i]
					}
				}
			}
			fixture.Near(t, "rest and contributions", sum, p.Output("image"), 1e-10)
		})
	}
}

// moments are the mean and LayerNorm's deviation of a row.
func moments(x []float64) (mean, deviation float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		deviation += (v - mean) * (v - mean) / float64(len(x))
	}
	return mean, math.Sqrt(deviation + layers.Eps)
}

// A reading without a bias is the first pass, whatever the number of blocks and
// of readings; one with a bias is another.
func TestRereadWithoutBias(t *testing.T) {
	for blocks := 1; blocks <= 3; blocks++ {
		const m = 2
		p, _ := encoded(t, func(s *graph.Scope, e *vit.Encoder, o vit.Output) map[string]*Node {
			c := oneReading()
			c.RereadBlocks = blocks
			f := Encode(c, e, o)
			if len(f.Caches) != blocks {
				t.Errorf("%d blocks are read again, want %d", len(f.Caches), blocks)
			}
			bias := graph.NewTensor(graph.Float64, toyImages, m, 16)
			bias.F64[(0*m+1)*16+3] = 2 // the second reading of the first image
			return map[string]*Node{"image": f.Image, "read": Reread(e, f, s.Const(bias))}
		})
		read := p.Output("read")
		if !slices.Equal(read.Shape, []int{toyImages, m, 16}) {
			t.Fatalf("readings of %v", read.Shape)
		}
		for b := range toyImages {
			want := p.Output("image").F64[b*16 : (b+1)*16]
			for i := range m {
				got := read.F64[(b*m+i)*16 : (b*m+i+1)*16]
				var worst float64
				for k := range want {
					worst = max(worst, math.Abs(got[k]-want[k]))
				}
				if biased := b == 0 && i == 1; biased != (worst > 1e-3) || !biased && worst > 1e-12 {
					t.Errorf("%d blocks: reading %d of image %d is off by %.2g", blocks, i, b, worst)
				}
			}
		}
	}
}

// A bias that hides all patches but one gives what CLS reads of that one.
func TestRereadOfOnePatch(t *testing.T) {
	p, store := encoded(t, func(s *graph.Scope, e *vit.Encoder, o vit.Output) map[string]*Node {
		c := oneReading()
		c.RereadBlocks = 1
		f := Encode(c, e, o)
		bias := graph.NewTensor(graph.Float64, toyImages, 1, 16)
		for b := range toyImages {
			bias.F64[b*16+5+b] = 1e4
		}
		return map[string]*Node{"read": Reread(e, f, s.Const(bias)), "class": f.Class, "qkv": f.Caches[0]}
	})
	// The attention is then one on that patch: its value alone is mixed in.
	again := graph.New(store, graph.Float64)
	e := vit.New(again.Sub("visual"), layers.Weights{Kind: graph.Frozen}, toyVision)
	mixed := graph.NewTensor(graph.Float64, toyImages, 1, 12)
	for b := range toyImages {
		copy(mixed.F64[b*12:][:12], p.Output("qkv").F64[(b*17+1+5+b)*36+24:])
	}
	class := p.Output("class")
	class.Shape = graph.Shape{toyImages, 1, 12}
	want := unit(e.Head(e.Blocks[2].Finish(again.Const(class), again.Const(mixed))))
	q, err := again.Compile(cpu.NewPool(1), map[string]*Node{"want": want})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	fixture.Near(t, "reading", p.Output("read"), q.Output("want"), 1e-12)
}

// Features that are fed from a cache have the names and shapes of those of the
// encoder.
func TestInputs(t *testing.T) {
	for inputs, c := range map[int]Config{3 + 1 + 2: oneReading(), 3: {Read: "tokens", Tokens: "plain"}} {
		p, _ := encoded(t, func(_ *graph.Scope, e *vit.Encoder, o vit.Output) map[string]*Node { return Encode(c, e, o).Named() })
		s := graph.New(graph.NewStore(nil), graph.Float64)
		named := Inputs(c, s, toyVision, toyImages).Named()
		if len(named) != inputs {
			t.Errorf("%s: %d inputs, want %d", c.Read, len(named), inputs)
		}
		for n, x := range named {
			if got, want := shape(x), p.Output(n).Shape; !slices.Equal(got, want) {
				t.Errorf("%s: input %s is %v, the encoder gives %v", c.Read, n, got, want)
			}
		}
	}
}

func TestBlocksByDepth(t *testing.T) {
	for depth, want := range map[int]string{1: "[1]", 2: "[2]", 3: "[2]", 5: "[3 4]", 12: "[6 7 8 9 10]", 24: "[11 12 13 14 15 16 17 18 19]"} {
		if got := fmt.Sprint(Config{}.blocks(depth)); got != want {
			t.Errorf("depth %d: blocks %s, want %s", depth, got, want)
		}
	}
	for depth, want := range map[int]int{1: 1, 2: 1, 3: 2, 5: 4, 12: 4} {
		if got := (Config{}).rereadBlocks(depth); got != want {
			t.Errorf("depth %d: %d blocks are read again, want %d", depth, got, want)
		}
	}
	if err := graph.Try(func() { Config{Blocks: []int{2, 4}}.blocks(3) }); err == nil || !strings.Contains(err.Error(), "spotlight.blocks: 4, the image encoder has blocks 1 to 3") {
		t.Errorf("block 4 of 3: error is %v", err)
	}
	if err := graph.Try(func() { Config{RereadBlocks: 4}.rereadBlocks(3) }); err == nil || !strings.Contains(err.Error(), "spotlight.reread_blocks: 4, the image encoder has 3") {
		t.Errorf("4 blocks of 3: error is %v", err)
	}
}
