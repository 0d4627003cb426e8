//go:build cuda_backend

package experiments

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"spotlighter/experiments/methods"
	"spotlighter/graph"
	"spotlighter/graph/cuda"
)

// These tests run the programs of experiments on a card, a real one or the emulated
// driver's, beside the CPU. They want one when SPOTLIGHTER_CARD is set.

func wantCard(t *testing.T) {
	t.Helper()
	if err := cuda.Find().Err; err != nil {
		if os.Getenv("SPOTLIGHTER_CARD") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// stepped is what training steps leave behind.
type stepped struct {
	losses []float64
	values map[string]graph.Tensor // variables: parameters, optimiser, bank
}

// stepper takes steps of a method on random features, which are the same for every
// device.
type stepper struct {
	*trainer
	classes, taken int
}

func newStepper(t *testing.T, c Config) *stepper {
	t.Helper()
	l, err := NewLab(c)
	if err != nil {
		t.Fatal(err)
	}
	l.use(c)
	m, err := methods.New(c.Method[0], options(c))
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenBenchmark(c)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := l.classes(t.Context(), c, b.Classes[:b.Base])
	if err != nil {
		t.Fatal(err)
	}
	if methods.ReadsSupport(c.Method[0]) {
		cl.Support = l.blank(c, len(cl.Names))
		graph.Normal(3, .1)("support", cl.Support.Plain.F32)
	}
	if methods.Taught(c.Method[0]) {
		cl.Teacher = cl.Text // steps do not ask who teaches
	}
	tr, err := l.newTrainer(c, m, cl, c.Train.Batch)
	if err != nil {
		t.Fatal(err)
	}
	tr.lr.F32[0] = .01
	return &stepper{trainer: tr, classes: len(cl.Names)}
}

// next takes a step and returns its loss.
func (s *stepper) next(t *testing.T) float64 {
	t.Helper()
	for name, f := range s.feeds {
		if f.Dtype == graph.Float32 && len(f.Shape) > 0 {
			graph.Normal(uint64(s.taken), .3)(name, f.F32)
		}
	}
	for k := range s.labels.Int {
		s.labels.Int[k] = (s.taken + k) % s.classes
	}
	if err := s.program.Run(t.Context(), s.feeds); err != nil {
		t.Fatal(err)
	}
	s.taken++
	return float64(s.program.Output("loss").F32[0])
}

func trainSteps(t *testing.T, c Config, n int) stepped {
	t.Helper()
	by := newStepper(t, c)
	s := stepped{values: map[string]graph.Tensor{}}
	for range n {
		s.losses = append(s.losses, by.next(t))
	}
	if err := by.store.Sync(); err != nil {
		t.Fatal(err)
	}
	for _, v := range by.store.Variables() {
		s.values[v.Name] = v.Value
	}
	return s
}

// distance is the greatest difference of two tensors over the greatest element, or
// over least.
func distance(got, want graph.Tensor, least float64) float64 {
	worst := 0.
	for i, w := range want.F32 {
		d := math.Abs(float64(got.F32[i]) - float64(w))
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		worst = max(worst, d)
	}
	return worst / max(greatest(want), least)
}

func greatest(t graph.Tensor) (m float64) {
	for _, v := range t.F32 {
		m = max(m, math.Abs(float64(v)))
	}
	return m
}

// stepping are cells of the methods that are trained step by step.
func stepping(t *testing.T) (cells []Config) {
	t.Helper()
	for _, method := range methods.Names() {
		c, err := LoadEmbedded("debug.yaml", []string{"method=" + method, "shots=3", "train.batch=2", "maple.depth=2", "promptsrc.image_depth=2", "promptsrc.text_depth=2", "clip.unknown=random"})
		if err != nil {
			t.Fatal(err)
		}
		m, err := methods.New(method, options(c))
		if err != nil {
			t.Fatal(err)
		}
		if methods.Taught(method) || strings.HasSuffix(method, "textrefiner") {
			c.Train.Batch = 4 // normalised over two images, features are but signs
		}
		if _, whole := m.(methods.Fitter); methods.Learns(method) && !whole {
			cells = append(cells, c)
		}
	}
	return cells
}

// The training step of each method gives what it gives on the CPU: losses,
// velocities (which after the first step are the gradients), parameters, bank. A
// second time it gives the same bits.
func TestCardSteps(t *testing.T) {
	wantCard(t)
	for _, c := range stepping(t) {
		t.Run(c.Method[0], func(t *testing.T) {
			onCPU, onCard := c, c
			onCard.Device = "cuda"
			for _, n := range []int{1, 2} {
				got := trainSteps(t, onCard, n)
				agree(t, got, trainSteps(t, onCPU, n), tolerance{1e-5, 1e-4})
				sameBits(t, trainSteps(t, onCard, n), got)
			}
		})
	}
}

// Rounded operands give what exact ones give, but for the rounding: to 10 bits of
// fraction, and to 7.
func TestCardMath(t *testing.T) {
	wantCard(t)
	for _, c := range stepping(t) {
		if name := c.Method[0]; name != "coop+spotlighter" && name != "maple" { // which trains in the image encoder
			continue
		}
		want := trainSteps(t, c, 1)
		c.Device = "cuda"
		exact := trainSteps(t, c, 1)
		for math, within := range map[string]tolerance{cuda.TF32: {2e-3, 2e-2}, cuda.BF16: {3e-2, 1e-1}} {
			t.Run(c.Method[0]+" "+math, func(t *testing.T) {
				c.Cuda.Math = math
				got := trainSteps(t, c, 1)
				agree(t, got, want, within)
				if got.losses[0] == exact.losses[0] {
					t.Errorf("the loss is that in fp32, to the bit: %g", got.losses[0])
				}
				sameBits(t, trainSteps(t, c, 1), got)
			})
		}
	}
}

// tolerance is of losses, and of variables, relative to their greatest elements.
type tolerance struct{ loss, value float64 }

func agree(t *testing.T, got, want stepped, within tolerance) {
	t.Helper()
	for i, w := range want.losses {
		if math.Abs(got.losses[i]-w) > within.loss*max(1, math.Abs(w)) {
			t.Errorf("step %d: the loss is %g on the card, %g on the CPU", i+1, got.losses[i], w)
		}
	}
	if len(got.values) != len(want.values) || len(want.values) == 0 {
		t.Fatalf("%d variables on the card, %d on the CPU", len(got.values), len(want.values))
	}
	scalars := 0. // the greatest gradient of a scalar
	for name, w := range want.values {
		if len(w.Shape) == 0 && strings.HasSuffix(name, ".velocity") {
			scalars = max(scalars, greatest(w))
		}
	}
	for name, w := range want.values {
		// The gradient of a bias ahead of a batch normalisation is nothing but
		// rounding, of sums like those of its weight's.
		least := max(1e-3, greatest(want.values[strings.Replace(name, ".bias", ".weight", 1)]))
		if len(w.Shape) == 0 && strings.HasSuffix(name, ".velocity") {
			least = max(least, scalars) // a sum over all images and classes, which may cancel
		}
		if strings.HasSuffix(name, "head_log_temp.velocity") {
			// Differences that cancel to a thousandth of their size: on the CPU, too,
			// avx512 and portable code are 1e-4 of it apart.
			least = max(least, 1e-2)
		}
		if d := distance(got.values[name], w, least); d > within.value {
			t.Errorf("%s of %v after %d steps: off by %.1e of its greatest element", name, w.Shape, len(want.losses), d)
		}
	}
}

func sameBits(t *testing.T, got, want stepped) {
	t.Helper()
	if fmt.Sprint(got.losses) != fmt.Sprint(want.losses) {
		t.Errorf("losses %v the second time, %v the first", got.losses, want.losses)
	}
	for name, w := range want.values {
		for i := range w.F32 {
			if math.Float32bits(w.F32[i]) != math.Float32bits(got.values[name].F32[i]) {
				t.Errorf("%s has other bits the second time: %g, was %g (element %d)", name, got.values[name].F32[i], w.F32[i], i)
				break
			}
		}
	}
}

// A cell on the card goes on from where it was stopped to the same bits, and its
// numbers are the CPU's: of methods that learn nothing, by arithmetic, all at once, in
// the image encoder and beside it.
func TestCardCell(t *testing.T) {
	wantCard(t)
	for _, method := range []string{"clip", "tip-adapter", "linear-probe", "maple", "coop+spotlighter"} {
		t.Run(method, func(t *testing.T) { testCardCell(t, tinyCell(t, method, "maple.depth=2")) })
	}
}

func testCardCell(t *testing.T, c Config) {
	c.Train.Epochs, c.Train.WarmupEpochs = 2, 1
	onCPU, _, _, err := newLab(t, c).RunCell(t.Context(), c, func(Step) {})
	if err != nil {
		t.Fatal(err)
	}
	c.Device, c.Out = "cuda", t.TempDir()
	lab := newLab(t, c)
	whole, dir, _, err := lab.RunCell(t.Context(), c, func(Step) {})
	if err != nil {
		t.Fatal(err)
	}
	if whole.Base != onCPU.Base || whole.Novel != onCPU.Novel || math.Abs(whole.FinalLoss-onCPU.FinalLoss) > 1e-4 {
		t.Errorf("base %g, novel %g, loss %g on the card; %g, %g, %g on the CPU", whole.Base, whole.Novel, whole.FinalLoss, onCPU.Base, onCPU.Novel, onCPU.FinalLoss)
	}
	env, err := (&Run{Dir: dir}).readEnv()
	if card := cuda.Find().Cards[0].Name; err != nil || !strings.HasPrefix(env.Sessions[0].GPU, "cuda:0, "+card+", fp32 by ") {
		t.Errorf("env.json: computed by %q on %s (%v)", env.Sessions[0].GPU, card, err)
	}
	want := written(t, dir)
	c.Out = t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	_, _, _, err = lab.RunCell(ctx, c, func(s Step) {
		if s.Epoch == 2 && s.Step == 1 || s.Phase == "evaluate" { // which all come to
			stop()
		}
	})
	if err == nil {
		t.Fatal("not stopped")
	}
	again, dir, _, err := lab.RunCell(t.Context(), c, func(Step) {})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, again, whole)
	for i, text := range written(t, dir) {
		if !bytes.Equal(text, want[i]) {
			t.Errorf("file %d of the run that was stopped has other bits", i)
		}
	}
}
