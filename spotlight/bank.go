package spotlight

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
)

// Start returns the prototypes of classes before training: each class's unit
// text feature [C, D] plus small noise of a generator of the seed and the
// class's name, so that a class has the same start whatever stands beside it.
func Start(text graph.Tensor, names []string, prototypes int, seed uint64) graph.Tensor {
	c, d := text.Shape[0], text.Shape[1]
	t := graph.NewTensor(graph.Float32, c, prototypes, d)
	for i := range c {
		h := fnv.New64a()
		h.Write([]byte(names[i]))
		r := rand.New(rand.NewPCG(seed, h.Sum64()))
		for j := range prototypes {
			row := t.F32[(i*prototypes+j)*d:][:d]
			for k, x := range text.Row(i) {
				row[k] = x + float32(.02*r.NormFloat64())
			}
			normalise(row)
		}
	}
	return t
}

// shared is the start of prototypes that belong to no class, [1, P, D] of those
// of the classes [C, P, D]: one of each class in turn.
func shared(classes graph.Tensor) graph.Tensor {
	c, p, d := classes.Shape[0], classes.Shape[1], classes.Shape[2]
	t := graph.NewTensor(graph.Float32, 1, p, d)
	for j := range p {
		copy(t.F32[j*d:(j+1)*d], classes.F32[((j%c)*p+j/c)*d:][:d])
	}
	return t
}

func normalise[T cpu.Float](row []T) {
	cpu.Scale(row, T(1/max(math.Sqrt(float64(cpu.Dot(row, row))), 1e-12)), row)
}

// Updates returns the bank's part of a training step, for labels [B]: the kept
// tokens are written to their class's prototypes, what was read to the class's
// reading and to the mean of all. No gradient passes.
func (m *Model) Updates(o Output, labels *Node) []graph.Update {
	if m.Bank == "frozen" || m.Bank == "off" {
		return nil
	}
	defer m.stage("bank")()
	find := m.scope.Find
	z, score, reading := m.ofClass(o, labels)
	updates := []graph.Update{
		{Var: find("bank"), Value: graph.Apply(bankWrite{Momentum: m.Momentum, Global: m.Bank == "global"}, m.bank, z, score, labels)},
		{Var: find("reading"), Value: graph.Apply(readingWrite{Momentum: m.ReadingMomentum}, m.reading, m.seen, reading, labels)},
		{Var: find("seen"), Value: graph.Apply(seenWrite{}, m.seen, labels)},
	}
	if m.mean != nil {
		now := layers.StopGradient(layers.Mean(reading, 0))
		next := layers.Add(layers.Scale(m.mean, m.ReadingMomentum), layers.Scale(now, 1-m.ReadingMomentum))
		updates = append(updates, graph.Update{Var: find("mean"), Value: next})
	}
	return updates
}

// bankWrite moves prototypes [C, P, D] towards the tokens z [B, K, D] assigned
// to them: token (b, i) goes to j* = argmax_j z.m[y,j] of its image's class y;
// m[y,j*] <- normalise(mu m + (1-mu) sum u z), u the softmax of the scores over
// the tokens of that prototype, divided by its greatest. Global writes the tokens
// of every class to the prototypes [1, P, D] that all share.
type bankWrite struct {
	graph.NoGrad
	Momentum float64
	Global   bool
}

func (bankWrite) Name() string                              { return "bank write" }
func (bankWrite) Loops()                                    {}
func (bankWrite) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (o bankWrite) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	labels := in[3].Int
	if o.Global {
		labels = make([]int, len(labels))
	}
	cell := make([]int, in[2].Len()) // class*P + prototype of each token
	return c.Do(func() error {
		if err := checkLabels(labels, out.Shape[0]); err != nil {
			return err
		}
		if out.Dtype == graph.Float64 {
			bankWriteKernel(o.Momentum, out.Shape, out.F64, in[0].F64, in[1].F64, in[2].F64, labels, cell)
		} else {
			bankWriteKernel(o.Momentum, out.Shape, out.F32, in[0].F32, in[1].F32, in[2].F32, labels, cell)
		}
		return nil
	})
}

func checkLabels(labels []int, classes int) error {
	for i, y := range labels {
		if y < 0 || y >= classes {
			return fmt.Errorf("label %d of image %d, the bank has %d classes", y, i, classes)
		}
	}
	return nil
}

func bankWriteKernel[T cpu.Float](mu float64, s graph.Shape, out, bank, z, score []T, labels, cell []int) {
	p, d := s[1], s[2]
	copy(out, bank)
	k := len(score) / len(labels)
	greatest := map[int]T{} // score by cell
	for t := range score {
		y, best := labels[t/k], T(math.Inf(-1))
		for j := range p {
			if v := cpu.Dot(z[t*d:t*d+d], bank[(y*p+j)*d:(y*p+j)*d+d]); v > best {
				best, cell[t] = v, y*p+j
			}
		}
		if g, ok := greatest[cell[t]]; !ok || score[t] > g {
			greatest[cell[t]] = score[t]
		}
	}
	first := map[int]bool{}
	for t, c := range cell { // in the order of the tokens: one order of sums
		row := out[c*d : c*d+d]
		if !first[c] {
			first[c] = true
			cpu.Scale(row, T(mu), row)
		}
		u := math.Exp(float64(score[t] - greatest[c]))
		cpu.AddScaled(row, T((1-mu)*u), z[t*d:t*d+d])
	}
	for c := range greatest {
		normalise(out[c*d : c*d+d])
	}
}

// readingWrite moves a class's reading h [C, D] towards the mean of what was
// read of its images f [B, D]: h <- mu h + (1-mu) mean, the mean itself for a
// class not seen before.
type readingWrite struct {
	graph.NoGrad
	Momentum float64
}

func (readingWrite) Name() string                              { return "reading write" }
func (readingWrite) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (o readingWrite) Run(_ *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if err := checkLabels(in[3].Int, out.Shape[0]); err != nil {
		return err
	}
	if out.Dtype == graph.Float64 {
		readingWriteKernel(o.Momentum, out.Shape[1], out.F64, in[0].F64, in[1].F64, in[2].F64, in[3].Int)
	} else {
		readingWriteKernel(o.Momentum, out.Shape[1], out.F32, in[0].F32, in[1].F32, in[2].F32, in[3].Int)
	}
	return nil
}

func readingWriteKernel[T cpu.Float](mu float64, d int, out, h, seen, f []T, labels []int) {
	copy(out, h)
	images := map[int]int{}
	for _, y := range labels {
		images[y]++
	}
	for c := range images {
		keep := mu
		if seen[c] == 0 {
			keep = 0
		}
		cpu.Scale(out[c*d:c*d+d], T(keep), out[c*d:c*d+d])
	}
	for i, y := range labels {
		step := 1 - mu
		if seen[y] == 0 {
			step = 1
		}
		cpu.AddScaled(out[y*d:y*d+d], T(step/float64(images[y])), f[i*d:i*d+d])
	}
}

// seenWrite marks the classes of a batch in seen [C].
type seenWrite struct{ graph.NoGrad }

func (seenWrite) Name() string                              { return "seen write" }
func (seenWrite) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (seenWrite) Run(_ *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if err := checkLabels(in[1].Int, out.Shape[0]); err != nil {
		return err
	}
	copy(out.F32, in[0].F32)
	copy(out.F64, in[0].F64)
	for _, y := range in[1].Int {
		if out.Dtype == graph.Float64 {
			out.F64[y] = 1
		} else {
			out.F32[y] = 1
		}
	}
	return nil
}
