package spotlight

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/fixture"
)

// literalWrite is the design's words, one prototype at a time.
func literalWrite(bank, z, score graph.Tensor, labels []int, mu float64) graph.Tensor {
	p, d, k := bank.Shape[1], bank.Shape[2], score.Shape[1]
	m, v, s := bank.Convert(graph.Float64).F64, z.Convert(graph.Float64).F64, score.Convert(graph.Float64).F64
	res := clone(bank.Convert(graph.Float64))
	for y := range bank.Shape[0] {
		for j := range p {
			var assigned []int // tokens whose nearest prototype of their class is j
			for t := range s {
				if labels[t/k] != y {
					continue
				}
				nearest, best := 0, math.Inf(-1)
				for i := range p {
					if sim := cpu.Dot(v[t*d:(t+1)*d], m[(y*p+i)*d:(y*p+i+1)*d]); sim > best {
						nearest, best = i, sim
					}
				}
				if nearest == j {
					assigned = append(assigned, t)
				}
			}
			if len(assigned) == 0 {
				continue
			}
			var total, most float64
			u := map[int]float64{} // softmax of the scores, then over its maximum
			for _, t := range assigned {
				total += math.Exp(s[t])
			}
			for _, t := range assigned {
				u[t] = math.Exp(s[t]) / total
				most = max(most, u[t])
			}
			row := res.F64[(y*p+j)*d : (y*p+j+1)*d]
			for i := range row {
				var sum float64
				for _, t := range assigned {
					sum += u[t] / most * v[t*d+i]
				}
				row[i] = mu*row[i] + (1-mu)*sum
			}
			normalise(row)
		}
	}
	return res
}

func TestBankWrite(t *testing.T) {
	for _, c := range []struct {
		name                  string
		classes, p, d, images int
		kept                  int
		labels                []int
	}{
		{"many", 4, 5, 16, 6, 5, []int{0, 1, 1, 3, 0, 1}},
		{"one class", 1, 5, 8, 3, 5, []int{0, 0, 0}},
		{"one token", 3, 2, 8, 2, 1, []int{2, 2}},
		{"one prototype", 3, 1, 8, 4, 3, []int{0, 2, 2, 0}},
		{"one of all", 1, 1, 4, 1, 1, []int{0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bank, z := unitDraw("bank "+c.name, c.classes, c.p, c.d), unitDraw("z "+c.name, c.images, c.kept, c.d)
			score, labels := draw("score "+c.name, c.images, c.kept), graph.Ints(c.labels, c.images)
			for dtype, tol := range map[graph.Dtype]float64{graph.Float64: 1e-12, graph.Float32: 1e-5} {
				b := bank.Convert(dtype)
				got, err := apply(t, bankWrite{Momentum: .8}, b, z.Convert(dtype), score.Convert(dtype), labels)
				if err != nil {
					t.Fatal(err)
				}
				want := literalWrite(b, z, score, c.labels, .8)
				fixture.Near(t, "bank", got, want, tol)
				if dtype == graph.Float32 {
					continue
				}
				moved := 0
				for r := range c.classes * c.p {
					row, before := got.F64[r*c.d:(r+1)*c.d], b.F64[r*c.d:(r+1)*c.d]
					if n := cpu.Dot(row, row); math.Abs(n-1) > 1e-6 {
						t.Errorf("prototype %d has square length %v", r, n)
					}
					switch {
					case !slices.Equal(row, before):
						moved++
					case slices.Contains(c.labels, r/c.p) && c.p == 1:
						t.Errorf("prototype %d of a class of the batch stays", r)
					}
					if !slices.Contains(c.labels, r/c.p) && !slices.Equal(row, before) {
						t.Errorf("prototype %d of a class without images moves", r)
					}
				}
				if moved == 0 || c.name == "many" && moved == c.classes*c.p {
					t.Errorf("%d prototypes move", moved)
				}
			}
		})
	}
}

// Two tokens, one prototype, by hand: m = (1, 0), z = (0, 1) of score 2 and
// (1, 0) of score 2 - ln 4, whose weight is 1/4; mu = .5:
// .5 (1, 0) + .5 ((0, 1) + (1/4, 0)) = (.625, .5).
func TestBankWriteByHand(t *testing.T) {
	bank := graph.Floats([]float32{1, 0, 0, -1}, 1, 2, 2) // no token is nearer to the second
	z := graph.Floats([]float32{0, 1, 1, 0}, 1, 2, 2)
	score := graph.Floats([]float32{2, 2 - float32(math.Log(4))}, 1, 2)
	got, err := apply(t, bankWrite{Momentum: .5}, bank, z, score, graph.Ints([]int{0}, 1))
	if err != nil {
		t.Fatal(err)
	}
	n := float32(math.Hypot(.625, .5))
	fixture.Near(t, "bank", got, graph.Floats([]float32{.625 / n, .5 / n, 0, -1}, 1, 2, 2), 1e-6)
}

func TestReadingWrite(t *testing.T) {
	h := graph.Floats([]float32{1, 2, 3, 4, 5, 6}, 3, 2)
	seen := graph.Floats([]float32{1, 0, 1}, 3)
	read := graph.Floats([]float32{10, 0, 0, 10, 2, 2}, 3, 2)
	// Class 0 was seen and has two images of mean (6, 1); class 1 meets its first.
	got, err := apply(t, readingWrite{Momentum: .9}, h, seen, read, graph.Ints([]int{0, 1, 0}, 3))
	if err != nil {
		t.Fatal(err)
	}
	fixture.Near(t, "reading", got, graph.Floats([]float32{.9*1 + .1*6, .9*2 + .1*1, 0, 10, 5, 6}, 3, 2), 1e-6)
	if got, err = apply(t, seenWrite{}, seen, graph.Ints([]int{1, 1}, 2)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.F32, []float32{1, 1, 1}) {
		t.Errorf("seen %v", got.F32)
	}
	if got, err = apply(t, seenWrite{}, graph.NewTensor(graph.Float64, 3), graph.Ints([]int{2}, 1)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.F64, []float64{0, 0, 1}) {
		t.Errorf("seen %v", got.F64)
	}
}

func TestClassReading(t *testing.T) {
	h := graph.Floats([]float32{3, 1, 1, 1, 9, 9, 2, 7}, 4, 2)
	for seen, want := range map[[4]float32][]float32{
		{0, 0, 0, 0}: {0, 0, 0, 0, 0, 0, 0, 0},
		{1, 0, 0, 0}: {0, 0, 0, 0, 0, 0, 0, 0}, // one class has nothing to differ from
		{1, 1, 0, 0}: {1, 0, -1, 0, 0, 0, 0, 0},
		// mean (2, 3): (1, -2), (-1, -2), (0, 4)
		{1, 1, 0, 1}: {1 / sqrt5, -2 / sqrt5, -1 / sqrt5, -2 / sqrt5, 0, 0, 0, 1},
	} {
		for _, dtype := range []graph.Dtype{graph.Float32, graph.Float64} {
			got, err := apply(t, classReading{}, h.Convert(dtype), graph.Floats(seen[:], 4).Convert(dtype))
			if err != nil {
				t.Fatal(err)
			}
			fixture.Near(t, fmt.Sprint("seen ", seen), got, graph.Floats(want, 4, 2), 1e-6)
		}
	}
}

const sqrt5 = 2.2360679774997896964

// Labels outside the bank would write to other memory: they are an error of the
// run.
func TestLabelsOutsideTheBank(t *testing.T) {
	bank, z, score := unitDraw("bank", 2, 3, 4), unitDraw("z", 2, 1, 4), draw("s", 2, 1)
	h, seen, read := draw("h", 2, 4), graph.NewTensor(graph.Float32, 2), draw("f", 2, 4)
	for _, c := range []struct {
		op graph.Op
		in []graph.Tensor
	}{{bankWrite{}, []graph.Tensor{bank, z, score}}, {readingWrite{}, []graph.Tensor{h, seen, read}}, {seenWrite{}, []graph.Tensor{seen}}} {
		for _, label := range []int{2, -1} {
			_, err := apply(t, c.op, append(slices.Clone(c.in), graph.Ints([]int{0, label}, 2))...)
			want := fmt.Sprintf("label %d of image 1, the bank has 2 classes", label)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error is %v, want %s", c.op.Name(), err, want)
			}
		}
	}
}

// A class starts the same whatever stands beside it: prototypes of a class that
// training never saw are those of every other process.
func TestStart(t *testing.T) {
	text := unitDraw("text", 3, 64)
	all := Start(text, []string{"cat", "dog", "cup"}, 4, 7)
	if !slices.Equal(all.Shape, []int{3, 4, 64}) {
		t.Fatalf("prototypes of %v", all.Shape)
	}
	reversed := graph.Floats(append(append(slices.Clone(text.Row(2)), text.Row(1)...), text.Row(0)...), 3, 64)
	other := Start(reversed, []string{"cup", "dog", "cat"}, 4, 7)
	for i := range 3 {
		if !slices.Equal(all.Row(i), other.Row(2-i)) {
			t.Errorf("class %d starts elsewhere beside other classes", i)
		}
	}
	if alone := Start(graph.Floats(text.Row(1), 1, 64), []string{"dog"}, 4, 7); !slices.Equal(alone.F32, all.Row(1)) {
		t.Error("a class alone starts elsewhere")
	}
	if slices.Equal(Start(text, []string{"cat", "dog", "cup"}, 4, 8).F32, all.F32) {
		t.Error("another seed gives the same start")
	}
	for r := range 12 {
		row := all.F32[r*64 : (r+1)*64]
		if n := cpu.Dot(row, row); math.Abs(float64(n)-1) > 1e-5 {
			t.Errorf("prototype %d has square length %v", r, n)
		}
		if c := cpu.Dot(row, text.Row(r/4)); c < .97 || c > .9999 {
			t.Errorf("prototype %d has a cosine of %v with its text", r, c)
		}
		for q := range r {
			if slices.Equal(row, all.F32[q*64:(q+1)*64]) {
				t.Errorf("prototypes %d and %d are one", q, r)
			}
		}
	}
}
