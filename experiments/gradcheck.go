package experiments

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"spotlighter/experiments/methods"
	"spotlighter/graph"
	"spotlighter/graph/inspect"
	"spotlighter/internal/clip"
	"spotlighter/optim"
)

// Gradcheck says how a method's gradients are checked.
type Gradcheck struct {
	inspect.Check
	Images int // of the batch
	Steps  int // of training before the check: a bank that is empty hides its gradients
}

// GradcheckResult is what was found of one method.
type GradcheckResult struct {
	Images, Classes int
	Loss            float64 // at the point of the check
	Rows            []inspect.GradientRow
	Held            []string // ops whose results have no gradient and were held
}

// ErrNoStep is that a method is not trained step by step: it has no gradient to check.
var ErrNoStep = errors.New("no training step to check")

// Gradcheck compares the gradients of all that a cell's method trains with finite
// differences of its loss, the whole model in Float64: the image encoder on the
// run's own training images, the text encoder, the method. The point is reached
// by a few steps of training and then moved at random, by a tenth of each
// variable's size or of 1, so that no scalar stands where it starts, at zero. A method
// that learns nothing, or is fitted at once, is ErrNoStep.
func (l *Lab) Gradcheck(ctx context.Context, c Config, g Gradcheck) (r GradcheckResult, err error) {
	l.use(c)
	m, err := methods.New(c.Method[0], options(c))
	if err != nil {
		return r, err
	}
	if !methods.Learns(c.Method[0]) {
		return r, fmt.Errorf("method %s learns nothing: %w", c.Method[0], ErrNoStep)
	}
	if _, ok := m.(methods.Fitter); ok {
		return r, fmt.Errorf("method %s is fitted at once: %w", c.Method[0], ErrNoStep)
	}
	b, err := OpenBenchmark(c)
	if err != nil {
		return r, err
	}
	cl, err := l.classes(ctx, c, b.Classes[:b.Base])
	if err != nil {
		return r, err
	}
	if methods.Taught(c.Method[0]) {
		cl.Teacher = cl.Text // gradients do not ask who teaches
	}
	feeds, err := l.doubleFeeds(ctx, c, b, g.Images)
	if err != nil {
		return r, err
	}
	if methods.ReadsSupport(c.Method[0]) {
		cl.Support = supportOf(feeds["image"], feeds["labels"])
	}
	r.Images, r.Classes = feeds["labels"].Len(), b.Base
	double := l.model.Double()
	vars, err := l.doubleSteps(ctx, c, m, double, cl, feeds, g.Steps)
	if err != nil {
		return r, err
	}
	random := rand.New(rand.NewPCG(uint64(c.Seed[0]), 11))
	for _, v := range vars {
		if v.Kind == graph.Trainable {
			shake(random, v.Value.F64)
		}
	}
	s, out, err := l.doubleLoss(c, m, double, cl, r.Images, vars)
	if err != nil {
		return r, err
	}
	var trained []*graph.Variable
	for _, group := range out.Groups {
		trained = append(trained, group.Vars...)
	}
	r.Rows, r.Held, err = inspect.Gradients(ctx, s, l.pool, out.Loss, trained, feeds, g.Check)
	if err != nil {
		return r, err
	}
	r.Loss, err = l.lossAt(ctx, c, m, double, cl, feeds, vars)
	return r, err
}

// supportOf is a support of the check's own images: unit features [B, D] and labels
// [B].
func supportOf(features, labels graph.Tensor) *methods.Support {
	x := features.Convert(graph.Float32)
	return &methods.Support{Plain: x, Views: []graph.Tensor{x}, Labels: labels.Int}
}

// doubleLoss builds a method's loss over a Float64 model, with copies of the
// given variables.
func (l *Lab) doubleLoss(c Config, m methods.Method, double *clip.Model, cl methods.Classes, images int, vars []*graph.Variable) (*graph.Scope, methods.Outputs, error) {
	s, enc, err := double.Scope()
	if err != nil {
		return nil, methods.Outputs{}, err
	}
	for _, v := range vars {
		s.Store().Set(v.Name, v.Kind, v.Value)
	}
	s.Called("gradcheck")
	var out methods.Outputs
	err = graph.Try(func() {
		out = l.build(c, m, methods.CLIP{Model: double, Scope: s, Encoders: enc}, cl, images)
		if out.Groups, err = withoutFixed(out.Groups, c.Train.Fixed); err != nil {
			graph.Failf("%v", err)
		}
	})
	return s, out, err
}

// doubleFeeds encodes training images, evenly spread, in Float64. Every other image
// has the label of the next class: where all are told rightly the loss and its
// gradients are too small for differences to see.
func (l *Lab) doubleFeeds(ctx context.Context, c Config, b *Benchmark, images int) (map[string]graph.Tensor, error) {
	pictures, _, err := b.Train(c.Shots, c.Seed[0], b.Base)
	if err != nil {
		return nil, err
	}
	n := min(images, len(pictures))
	idx := make([]int, n)
	labels := graph.NewTensor(graph.Int, n)
	for i := range idx {
		idx[i] = (2*i + 1) * len(pictures) / (2 * n)
		labels.Int[i] = (pictures[idx[i]].Label + 1 - i%2) % b.Base
	}
	score, err := l.pruneScore(ctx, c, b.Classes)
	if err != nil {
		return nil, err
	}
	e, err := newEncoder(l.model.Double(), c.features(), true, l.pool, score, n)
	if err != nil {
		return nil, err
	}
	if err := e.encode(ctx, pictures, idx, nil, nil); err != nil {
		return nil, err
	}
	feeds := map[string]graph.Tensor{
		"labels": labels, imagesInput: e.images,
		"epoch": graph.NewTensor(graph.Int, 1), "epoch.over": graph.NewTensor(graph.Float64), "training.over": graph.NewTensor(graph.Float64),
	}
	for _, name := range e.names {
		feeds[name] = e.program.Output(name)
	}
	if methods.Taught(c.Method[0]) {
		logits, random := graph.NewTensor(graph.Float64, n, b.Base), rand.New(rand.NewPCG(uint64(c.Seed[0]), 12))
		for i := range logits.F64 {
			logits.F64[i] = 3 * random.NormFloat64()
		}
		feeds[teacherInput] = logits
	}
	return feeds, nil
}

// doubleSteps takes steps of training and returns all variables.
func (l *Lab) doubleSteps(ctx context.Context, c Config, m methods.Method, double *clip.Model, cl methods.Classes, feeds map[string]graph.Tensor, steps int) ([]*graph.Variable, error) {
	s, out, err := l.doubleLoss(c, m, double, cl, feeds["labels"].Len(), nil)
	if err != nil {
		return nil, err
	}
	updates, err := optim.Step(s.Sub(optimScope), out.Loss, s.Input("lr", s.Dtype()), out.Groups...)
	if err != nil {
		return nil, err
	}
	p, err := s.Compile(l.pool, map[string]*graph.Node{"loss": out.Loss}, append(updates, out.Updates...)...)
	if err != nil {
		return nil, err
	}
	feeds["lr"] = graph.Floats([]float32{float32(c.Train.LR)})
	for i := range steps {
		if err := p.Run(ctx, feeds); err != nil {
			return nil, fmt.Errorf("step %d of training before the check: %w", i+1, err)
		}
	}
	return s.Store().Variables(), nil
}

// lossAt is the loss at the point of the check.
func (l *Lab) lossAt(ctx context.Context, c Config, m methods.Method, double *clip.Model, cl methods.Classes, feeds map[string]graph.Tensor, vars []*graph.Variable) (float64, error) {
	s, out, err := l.doubleLoss(c, m, double, cl, feeds["labels"].Len(), vars)
	if err != nil {
		return 0, err
	}
	p, err := s.Compile(l.pool, map[string]*graph.Node{"loss": out.Loss})
	if err != nil {
		return 0, err
	}
	err = p.Run(ctx, feeds)
	return p.Output("loss").F64[0], err
}

// shake moves values by a tenth of their root mean square; a few scalars, whose
// size is no measure, of 1 at least.
func shake(r *rand.Rand, x []float64) {
	var square float64
	for _, v := range x {
		square += v * v
	}
	size := math.Sqrt(square / float64(max(len(x), 1)))
	if len(x) <= 16 {
		size = max(size, 1)
	}
	for i := range x {
		x[i] += .1 * size * r.NormFloat64()
	}
}
