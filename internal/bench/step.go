package bench

import (
	"context"
	"fmt"
	"time"

	"spotlighter/experiments"
	"spotlighter/experiments/methods"
	"spotlighter/graph"
	"spotlighter/internal/clip"
	"spotlighter/internal/prompts"
	"spotlighter/internal/tiny"
	"spotlighter/layers"
	"spotlighter/optim"
	"spotlighter/spotlight"
	"spotlighter/textenc"
)

// Task is a step of training or an evaluation: a method over ViT-B/16 with
// random weights, the image features random too.
type Task struct {
	Method  string          `json:"method"`
	Classes int             `json:"classes"`
	Batch   int             `json:"batch"`
	Text    textenc.Options `json:"text"`
	// Candidates are the classes that Spotlighter reads for; 0 is the default.
	Candidates int `json:"candidates,omitempty"`
}

// TaskResult is what a Task takes.
type TaskResult struct {
	Task
	Images  int     `json:"images,omitempty"`  // of an evaluation: the times are theirs
	Texts   float64 `json:"texts_s,omitempty"` // its texts, once
	Compile float64 `json:"compile_s"`
	GFLOP   float64 `json:"gflop"` // of one step
	Values  int64   `json:"values_bytes"`
	Peak    int64   `json:"peak_bytes"`
	Times
}

// built is a task's method over its model.
type built struct {
	model   *clip.Model
	options methods.Options
	method  methods.Method
	classes methods.Classes
}

func (t Task) build(ctx context.Context, on On, vision bool) (*built, error) {
	c := experiments.Default()
	if t.Candidates > 0 {
		c.Spotlight.Candidates = t.Candidates
	}
	b := &built{options: methods.Options{
		ContextWords: c.Train.Context, Momentum: c.Train.Momentum, WeightDecay: c.Train.WeightDecay,
		ScalarLR: c.Train.ScalarLR, Seed: 1, Spotlight: c.Spotlight, TextEncoder: t.Text,
	}}
	words, err := prompts.Of("imagenet")
	if err != nil {
		return nil, err
	}
	if t.Classes < 2 || t.Classes > len(words.Classes) {
		return nil, fmt.Errorf("classes: found %d, want 2 to %d", t.Classes, len(words.Classes))
	}
	if b.method, err = methods.New(t.Method, b.options); err != nil {
		return nil, err
	}
	if b.model, err = random("B/16", vision || methods.Plugged(t.Method), true); err != nil {
		return nil, err
	}
	b.model = on.over(b.model)
	cl := methods.Classes{Names: words.Classes[:t.Classes]}
	if cl.Prompts, err = b.model.Prompts(c.Train.Context, cl.Names); err != nil {
		return nil, err
	}
	cl.Text = graph.NewTensor(graph.Float32, t.Classes, b.model.Text.Embed)
	graph.Normal(1, 1)("text", cl.Text.F32)
	for i := range t.Classes {
		clip.Unit(cl.Text.Row(i))
	}
	b.classes = cl
	return b, nil
}

// Step measures one step of training.
func Step(ctx context.Context, on On, t Task, e Effort) (TaskResult, error) {
	r := TaskResult{Task: t}
	b, err := t.build(ctx, on, false)
	if err != nil {
		return r, err
	}
	start := time.Now()
	s, enc, err := b.model.Scope()
	if err != nil {
		return r, err
	}
	s.Called("step")
	var out methods.Outputs
	var updates []graph.Update
	if terr := graph.Try(func() {
		mc := methods.CLIP{Model: b.model, Scope: s, Encoders: enc}
		batch := methods.Batch{
			Features: spotlight.Inputs(b.options.Spotlight, s, b.model.Vision, t.Batch),
			Text:     b.method.Text(mc, b.classes), Labels: s.Input("labels", graph.Int, t.Batch),
		}
		out = b.method.Build(mc, b.classes, batch)
		updates, err = optim.Step(s.Sub("optim"), out.Loss, s.Input("lr", graph.Float32), out.Groups...)
	}); terr != nil {
		return r, terr
	}
	if err != nil {
		return r, err
	}
	p, err := s.Compile(on.Pool, map[string]*graph.Node{"loss": out.Loss}, append(updates, out.Updates...)...)
	if err != nil {
		return r, err
	}
	r.Compile = time.Since(start).Seconds()
	feeds := drawn(p.Feeds())
	feeds["lr"].F32[0] = 1e-4
	for i := range feeds["labels"].Int {
		feeds["labels"].Int[i] = i % t.Classes
	}
	if r.Times, err = measure(ctx, e, func() error { return p.Run(ctx, feeds) }); err != nil {
		return r, err
	}
	r.GFLOP, r.Values, r.Peak = float64(p.FLOPs())/1e9, p.Bytes(), on.peak()
	return r, nil
}

// Evaluate measures the evaluation of so many images, pixels given: the texts,
// once, and then, batch by batch, the image encoder and the method.
func Evaluate(ctx context.Context, on On, t Task, images int, e Effort) (TaskResult, error) {
	r := TaskResult{Task: t, Images: images}
	b, err := t.build(ctx, on, true)
	if err != nil {
		return r, err
	}
	start := time.Now()
	text, err := program(b, on, "text", func(mc methods.CLIP) map[string]*graph.Node {
		return map[string]*graph.Node{"text": b.method.Text(mc, b.classes)}
	})
	if err != nil {
		return r, err
	}
	side := b.model.Vision.ImageSize
	encode, err := program(b, on, "encode", func(mc methods.CLIP) map[string]*graph.Node {
		pass := mc.Vision.Forward(mc.Scope.Input("pixels", graph.Float32, t.Batch, 3, side, side))
		all := spotlight.Encode(b.options.Spotlight, mc.Vision, pass).Named()
		if !methods.KeepsTokens(t.Method, b.options.Spotlight) {
			return map[string]*graph.Node{"image": all["image"]}
		}
		return all
	})
	if err != nil {
		return r, err
	}
	classify, err := program(b, on, "classify", func(mc methods.CLIP) map[string]*graph.Node {
		batch := methods.Batch{
			Features: spotlight.Inputs(b.options.Spotlight, mc.Scope, b.model.Vision, t.Batch),
			Text:     mc.Scope.Input("text", graph.Float32, t.Classes, b.model.Vision.Embed),
		}
		return map[string]*graph.Node{"class": layers.ArgMax(b.method.Build(mc, b.classes, batch).Logits)}
	})
	if err != nil {
		return r, err
	}
	r.Compile = time.Since(start).Seconds()
	pixels, feeds := drawn(encode.Feeds()), classify.Feeds()
	texts, err := measure(ctx, e, func() error { return text.Run(ctx, nil) })
	if err != nil {
		return r, err
	}
	r.Texts = texts.Median
	feeds["text"] = text.Output("text")
	r.Times, err = measure(ctx, e, func() error {
		for at := 0; at < images; at += t.Batch {
			if err := encode.Run(ctx, pixels); err != nil {
				return err
			}
			for name := range feeds {
				if encode.Has(name) {
					feeds[name] = encode.Output(name)
				}
			}
			if err := classify.Run(ctx, feeds); err != nil {
				return err
			}
		}
		return nil
	})
	r.GFLOP, r.Values, r.Peak = float64(encode.FLOPs()+classify.FLOPs())/1e9, encode.Bytes()+classify.Bytes(), on.peak()
	return r, err
}

// program compiles one part of an evaluation in a graph of its own.
func program(b *built, on On, title string, build func(methods.CLIP) map[string]*graph.Node) (*graph.Program, error) {
	s, enc, err := b.model.Scope()
	if err != nil {
		return nil, err
	}
	s.Called(title)
	var out map[string]*graph.Node
	if err := graph.Try(func() { out = build(methods.CLIP{Model: b.model, Scope: s, Encoders: enc}) }); err != nil {
		return nil, err
	}
	return s.Compile(on.Pool, out)
}

// Pretrain measures a step of training the small CLIP, every weight of it, the
// rendering of its pictures included.
func Pretrain(ctx context.Context, on On, batch int, e Effort) (TaskResult, error) {
	r := TaskResult{Task: Task{Method: "pretrain", Batch: batch}}
	cfg := tiny.Recipe()
	cfg.Batch = batch
	start := time.Now()
	p, err := tiny.NewPretrainer(cfg, on.Pool, on.Device, on.Watch...)
	if err != nil {
		return r, err
	}
	r.Compile = time.Since(start).Seconds()
	r.Times, err = measure(ctx, e, func() error {
		_, err := p.Train(ctx)
		return err
	})
	r.Peak = on.peak()
	return r, err
}
