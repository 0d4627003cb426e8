package experiments

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"spotlighter/experiments/methods"
	"spotlighter/graph"
	"spotlighter/optim"
	"spotlighter/spotlight"
)

// optimScope holds the optimiser's momenta.
const optimScope = "optim"

// trainer is one cell's training: a program whose Run is one step, and the state
// that a checkpoint holds.
type trainer struct {
	cfg     Config
	store   *graph.Store // trainables, bank, optimiser
	vars    []*graph.Variable
	program *graph.Program
	feeds   map[string]graph.Tensor
	lr      graph.Tensor
	labels  graph.Tensor
	clock   struct{ epoch, epochOver, trainingOver graph.Tensor }
	batch   int
	at      position
	Seconds float64 // spent in steps
	steps   int     // taken by this process
}

// position is how far training has come: the next step of an epoch, and the
// epoch's losses so far.
type position struct {
	Epoch, Step int
	LossSum     float64
	LastLoss    float64 // mean of the last whole epoch
}

// hooks are what the loop tells to others.
type hooks struct {
	epoch func(e int, loss, lr float64) error // at the end of each, counted from 1
	step  func(s Step, loss float64) error
}

// newTrainer builds a method's step for n training images.
func (l *Lab) newTrainer(c Config, m methods.Method, cl methods.Classes, n int) (*trainer, error) {
	s, enc, err := l.model.Scope()
	if err != nil {
		return nil, err
	}
	s.Called("step")
	t := &trainer{cfg: c, store: s.Store(), batch: min(c.Train.Batch, n)}
	var out methods.Outputs
	var updates []graph.Update
	err = graph.Try(func() {
		mc := methods.CLIP{Model: l.model, Scope: s, Encoders: enc}
		out = l.build(c, m, mc, cl, t.batch)
		lr := s.Input("lr", s.Dtype())
		if out.Groups, err = withoutFixed(out.Groups, c.Train.Fixed); err != nil {
			graph.Failf("%v", err)
		}
		if updates, err = optim.Step(s.Sub(optimScope), out.Loss, lr, out.Groups...); err != nil {
			graph.Failf("%v", err)
		}
		if out.After != nil {
			updates = out.After(s.Sub(optimScope), updates)
		}
	})
	if err != nil {
		return nil, err
	}
	for _, g := range out.Groups {
		t.vars = append(t.vars, g.Vars...)
	}
	t.program, err = s.Compile(l.pool, map[string]*graph.Node{"loss": out.Loss}, append(updates, out.Updates...)...)
	if err != nil {
		return nil, err
	}
	t.feeds, t.lr, t.labels = t.program.Feeds(), graph.NewTensor(graph.Float32), graph.NewTensor(graph.Int, t.batch)
	t.feeds["lr"], t.feeds["labels"] = t.lr, t.labels
	t.clock.epoch, t.clock.epochOver, t.clock.trainingOver = graph.NewTensor(graph.Int, 1), graph.NewTensor(graph.Float32), graph.NewTensor(graph.Float32)
	t.feeds["epoch"], t.feeds["epoch.over"], t.feeds["training.over"] = t.clock.epoch, t.clock.epochOver, t.clock.trainingOver
	return t, nil
}

// build is a method's training step of b images, without its optimiser: all that it
// declares is declared.
func (l *Lab) build(c Config, m methods.Method, mc methods.CLIP, cl methods.Classes, b int) methods.Outputs {
	s := mc.Scope
	batch, frozen := l.inputs(c, m, mc, cl, b)
	batch.Frozen, batch.Labels = frozen, s.Input("labels", graph.Int, b)
	if methods.Taught(c.Method[0]) {
		batch.Teacher = s.Input(teacherInput, s.Dtype(), b, len(cl.Names))
	}
	batch.Clock = methods.Clock{Epoch: s.Input("epoch", graph.Int, 1), EpochOver: s.Input("epoch.over", s.Dtype()), TrainingOver: s.Input("training.over", s.Dtype())}
	batch.Text = m.Text(mc, cl)
	return m.Build(mc, cl, batch)
}

// inputs declares what a method reads of b images: features of the frozen encoder,
// or the images, of which it makes its own. frozen [B, D] is the frozen encoder's
// unit feature in either case.
func (l *Lab) inputs(c Config, m methods.Method, mc methods.CLIP, cl methods.Classes, b int) (batch methods.Batch, frozen *graph.Node) {
	v := l.model.Vision
	if !methods.ReadsImages(c.Method[0]) {
		f := spotlight.Inputs(c.features(), mc.Scope, v, b)
		return methods.Batch{Features: f}, f.Image
	}
	images := mc.Scope.Input(imagesInput, mc.Scope.Dtype(), b, 3, v.ImageSize, v.ImageSize)
	pass := m.Image(mc, cl, images)
	f := spotlight.Encode(c.features(), mc.Vision, pass)
	return methods.Batch{Features: f, Images: images, Pass: pass}, mc.Scope.Input("image", mc.Scope.Dtype(), b, v.Embed)
}

// run trains from t.at to the end, or until the context ends between two steps.
// Everything random is drawn from generators of the seed and the epoch, so that
// training resumes to the same bits.
func (t *trainer) run(ctx context.Context, l *Lab, h hooks) error {
	c := t.cfg.Train
	schedule := optim.Cosine{LR: c.LR, Epochs: c.Epochs, Warmup: c.WarmupEpochs, WarmupLR: c.WarmupLR}
	steps := len(l.labels) / t.batch // the last partial batch is left out
	for ; t.at.Epoch < c.Epochs; t.at.Epoch++ {
		e := t.at.Epoch
		rate := schedule.At(float64(e))
		order := rand.New(rand.NewPCG(uint64(t.cfg.Seed[0]), uint64(e))).Perm(len(l.labels))
		view := l.train[e%len(l.train)]
		var lesson *features
		if len(l.lessons) > 0 {
			lesson = l.lessons[e%len(l.lessons)]
		}
		for ; t.at.Step < steps; t.at.Step++ {
			if c.Schedule == eachStep {
				rate = schedule.At(float64(e) + float64(t.at.Step)/float64(steps))
			}
			t.lr.F32[0] = float32(rate)
			t.setClock(c.Epochs, steps)
			idx := order[t.at.Step*t.batch : (t.at.Step+1)*t.batch]
			loss, err := t.step(ctx, view, lesson, idx, l.labels)
			if err != nil {
				return err
			}
			t.at.LossSum += loss
			t.steps++
			err = h.step(Step{
				Epoch: e + 1, Epochs: c.Epochs, Step: t.at.Step + 1, Steps: steps, EpochOver: t.at.Step+1 == steps,
				Done: (float64(e) + float64(t.at.Step+1)/float64(steps)) / float64(c.Epochs),
				Loss: t.at.LossSum / float64(t.at.Step+1), LR: rate,
				ImagesPerSecond: t.speed(),
			}, loss)
			if err != nil {
				t.at.Step++ // this step is taken
				return err
			}
		}
		t.at.LastLoss = t.at.LossSum / float64(steps)
		if err := h.epoch(e+1, t.at.LastLoss, rate); err != nil {
			return err
		}
		t.at.Step, t.at.LossSum = 0, 0
	}
	return nil
}

// setClock tells the program which step is next.
func (t *trainer) setClock(epochs, steps int) {
	flag := func(x graph.Tensor, on bool) {
		x.F32[0] = 0
		if on {
			x.F32[0] = 1
		}
	}
	over := t.at.Step+1 == steps
	t.clock.epoch.Int[0] = t.at.Epoch
	flag(t.clock.epochOver, over)
	flag(t.clock.trainingOver, over && t.at.Epoch+1 == epochs)
}

// speed is the images a second that this process trained on.
func (t *trainer) speed() float64 { return float64(t.steps*t.batch) / t.Seconds }

// step takes a step by images idx of a view, of which lesson, if it is not nil, has
// the teacher's logits.
func (t *trainer) step(ctx context.Context, f, lesson *features, idx, labels []int) (float64, error) {
	if err := f.fill(ctx, idx, t.feeds); err != nil {
		return 0, err
	}
	if lesson != nil {
		if err := lesson.fill(ctx, idx, t.feeds); err != nil {
			return 0, err
		}
	}
	if err := f.check(idx, t.feeds); err != nil {
		return 0, err
	}
	for b, i := range idx {
		t.labels.Int[b] = labels[i]
	}
	start := time.Now()
	if err := t.program.Run(ctx, t.feeds); err != nil {
		return 0, err
	}
	t.Seconds += time.Since(start).Seconds()
	loss := float64(t.program.Output("loss").F32[0])
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return 0, fmt.Errorf("epoch %d step %d: the loss is %v", t.at.Epoch+1, t.at.Step+1, loss)
	}
	return loss, nil
}

// Trainables lists what a cell's method trains, and the program of one step of its
// training: nil where the method learns nothing, or is fitted without steps.
func (l *Lab) Trainables(ctx context.Context, c Config) ([]*graph.Variable, *graph.Program, error) {
	if !methods.Learns(c.Method[0]) {
		return nil, nil, nil
	}
	l.use(c)
	m, err := methods.New(c.Method[0], options(c))
	if err != nil {
		return nil, nil, err
	}
	b, err := OpenBenchmark(c)
	if err != nil {
		return nil, nil, err
	}
	cl, err := l.classes(ctx, c, c.learned(b.Classes, b.Base))
	if err != nil {
		return nil, nil, err
	}
	if methods.ReadsSupport(c.Method[0]) {
		cl.Support = l.blank(c, len(cl.Names))
	}
	if f, ok := m.(methods.Fitter); ok {
		_, mc, err := l.scope(nil)
		if err != nil {
			return nil, nil, err
		}
		vars, err := f.Fit(ctx, l.pool, mc, cl)
		return vars, nil, err
	}
	if err := l.stand(c, &cl); err != nil {
		return nil, nil, err
	}
	t, err := l.newTrainer(c, m, l.unread(cl), c.Train.Batch)
	if err != nil {
		return nil, nil, err
	}
	return t.vars, t.program, nil
}
