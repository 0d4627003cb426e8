// Package pruning measures what pruning inside the image encoder is worth: images
// a second and arithmetic against accuracy.
package pruning

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/clip"
	"spotlighter/layers"
	"spotlighter/spotlight"
	"spotlighter/vit"
)

// Model is an image encoder to measure.
type Model struct {
	Name   string
	Vision vit.Config
	Tau    float64
	// scope opens a graph over its weights.
	scope func(p vit.Prune) (*graph.Scope, *vit.Encoder, error)
}

// Of is the image encoder of a CLIP.
func Of(name string, m *clip.Model) Model {
	return Model{Name: name, Vision: m.Vision, Tau: m.Scale, scope: func(p vit.Prune) (*graph.Scope, *vit.Encoder, error) {
		s, e, err := m.Pruned(p).Scope()
		return s, e.Vision, err
	}}
}

// Random is an image encoder of a published shape with random weights: its time
// does not depend on them.
func Random(name string) (Model, error) {
	shape, err := clip.ShapeOf(name)
	if err != nil {
		return Model{}, fmt.Errorf("shape %w", err)
	}
	v := shape.Vision
	store := graph.NewStore(nil)
	m := Model{Name: name, Vision: v, Tau: 100, scope: func(p vit.Prune) (*graph.Scope, *vit.Encoder, error) {
		v := v
		v.Prune = p
		s := graph.New(graph.NewStore(store), graph.Float32)
		var e *vit.Encoder
		err := graph.Try(func() { e = vit.New(s, layers.Weights{Kind: graph.Frozen}, v) })
		return s, e, err
	}}
	err = graph.Try(func() {
		vit.New(graph.New(store, graph.Float32), layers.Weights{Kind: graph.Frozen, Seed: 1, Init: true}, v)
	})
	return m, err
}

// Task is what is done with a batch of images: they are encoded, and classified
// among so many classes by zero-shot CLIP or by Spotlighter.
type Task struct {
	Prune       vit.Prune
	Classes     int // 0: encoded alone
	Spotlighter bool
	Config      spotlight.Config // of Spotlighter
}

// Speed is one task beside the one that it is compared with.
type Speed struct {
	Task
	FLOPs           int64   // an image
	Arithmetic      float64 // share of the other's
	ImagesPerSecond float64 // median of the rounds
	Gain            float64 // images a second, as a multiple of the other's: median of the rounds' ratios
}

// job is a compiled task.
type job struct {
	program *graph.Program
	feeds   map[string]graph.Tensor
	batch   int
	seconds []float64 // of each round
}

func (m Model) compile(t Task, batch int, pool *cpu.Pool) (*job, error) {
	s, e, err := m.scope(t.Prune)
	if err != nil {
		return nil, err
	}
	var out *graph.Node
	err = graph.Try(func() {
		side := m.Vision.ImageSize
		o := e.Forward(s.Input("images", graph.Float32, batch, 3, side, side))
		out = layers.L2Normalize(o.Feature, 0)
		if t.Classes == 0 {
			return
		}
		text := unitRows(t.Classes, m.Vision.Embed)
		if !t.Spotlighter {
			out = layers.Scale(layers.MatMul(out, s.Const(text), false, true), m.Tau)
			return
		}
		names := make([]string, t.Classes)
		for i := range names {
			names[i] = fmt.Sprint(i)
		}
		model := spotlight.New(s, t.Config, e, m.Tau, spotlight.Start(text, names, t.Config.Prototypes, 1))
		out = model.Forward(spotlight.Encode(t.Config, e, o), s.Const(text)).Logits
	})
	if err != nil {
		return nil, err
	}
	j := &job{batch: batch}
	// As a trained model is evaluated: what depends on no image is computed once.
	if j.program, err = s.CompileWith(graph.Options{Fixed: true}, pool, map[string]*graph.Node{"out": out}); err != nil {
		return nil, err
	}
	j.feeds = j.program.Feeds()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range j.feeds["images"].F32 {
		j.feeds["images"].F32[i] = float32(r.NormFloat64())
	}
	return j, nil
}

// unitRows are random texts [n, d].
func unitRows(n, d int) graph.Tensor {
	t, r := graph.NewTensor(graph.Float32, n, d), rand.New(rand.NewPCG(3, 4))
	for i := range n {
		for k := range d {
			t.F32[i*d+k] = float32(r.NormFloat64())
		}
		clip.Unit(t.Row(i))
	}
	return t
}

// run makes the program's next run of a batch, timed.
func (j *job) run(ctx context.Context) error {
	start := time.Now()
	if err := j.program.Run(ctx, j.feeds); err != nil {
		return err
	}
	j.seconds = append(j.seconds, time.Since(start).Seconds())
	return nil
}

func (j *job) imagesPerSecond() float64 {
	return float64(j.batch) / median(j.seconds)
}

// gain is how many times as fast as a b was, in the same rounds.
func gain(a, b *job) float64 {
	var ratios []float64
	for i, s := range a.seconds {
		ratios = append(ratios, s/b.seconds[i])
	}
	return median(ratios)
}

func median(x []float64) float64 {
	return stat.Quantile(.5, stat.LinInterp, sorted(x), nil)
}

// Rounds is how a comparison is timed: each round runs a batch by one program and
// then by the other, so that what else the machine does slows both. Ratios are taken
// within rounds: from one to another a machine may change its pace.
type Rounds struct {
	Count, Batch int
	Pool         *cpu.Pool
}

// Compare times tasks, one after the other, each in turns with the base (A B A
// B...). The first result is the base's, over all its rounds.
func (m Model) Compare(ctx context.Context, r Rounds, base Task, tasks []Task, say func(share float64)) ([]Speed, error) {
	a, err := m.compile(base, r.Batch, r.Pool)
	if err != nil {
		return nil, err
	}
	flops := a.program.FLOPs()
	out := []Speed{{Task: base, FLOPs: flops / int64(r.Batch), Arithmetic: 1, Gain: 1}}
	if err := a.run(ctx); err != nil { // the first run of a program prepares it
		return nil, err
	}
	var all []float64
	for i, t := range tasks {
		b, err := m.compile(t, r.Batch, r.Pool)
		if err != nil {
			return nil, err
		}
		if err := b.run(ctx); err != nil {
			return nil, err
		}
		a.seconds, b.seconds = nil, nil
		for n := range r.Count {
			if err := a.run(ctx); err != nil {
				return nil, err
			}
			if err := b.run(ctx); err != nil {
				return nil, err
			}
			say((float64(i) + float64(n+1)/float64(r.Count)) / float64(len(tasks)))
		}
		all = append(all, a.seconds...)
		out = append(out, Speed{
			Task: t, FLOPs: b.program.FLOPs() / int64(r.Batch), Arithmetic: float64(b.program.FLOPs()) / float64(flops),
			ImagesPerSecond: b.imagesPerSecond(), Gain: gain(a, b),
		})
	}
	a.seconds = all
	out[0].ImagesPerSecond = a.imagesPerSecond()
	return out, nil
}

func sorted(x []float64) []float64 { return slices.Sorted(slices.Values(x)) }
