package experiments

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"spotlighter/experiments/methods"
	"spotlighter/experiments/runfmt"
	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/graph/cuda"
	"spotlighter/internal/device"
	"spotlighter/internal/weights"
	"spotlighter/vit/preprocess"
)

// Trained is what a finished run learned, at work on images of any origin, a
// batch at a time.
type Trained struct {
	Config  Config
	Classes []string // that images are told apart by
	Batch   int      // the most images at a time

	lab     *Lab
	learned []string // classes that training saw
	method  methods.Method
	vars    []*graph.Variable
	program *graph.Program
	images  graph.Tensor // [Batch, 3, S, S]
	text    graph.Tensor // unit class texts [C, D]; the zero Tensor where they depend on the image
	known   methods.Classes
	score   pruneScore
	views   bool
}

// Use says how a run is put to work.
type Use struct {
	Classes []string // to tell apart; nil: those of the run
	Batch   int
	Threads int
	// Device is what computes, as Config.Device has it; "" is the CPU.
	Device string
	Views  bool // the method's intermediates are wanted too
}

// Note is what a user should be told of the device; "" is nothing.
func (t *Trained) Note() string { return t.lab.say }

// OpenTrained opens the run folder dir. It fails with one line if the run is not
// finished, was made with another CLIP, or its checkpoint does not fit.
func OpenTrained(ctx context.Context, dir string, u Use) (*Trained, error) {
	t := &Trained{Batch: u.Batch}
	if err := t.open(ctx, dir, u); err != nil {
		return nil, fmt.Errorf("run %s: %w", dir, err)
	}
	return t, nil
}

func (t *Trained) open(ctx context.Context, dir string, u Use) error {
	var err error
	if _, err := os.Stat(filepath.Join(dir, runfmt.ConfigFile)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no %s in it, want the folder of a run", runfmt.ConfigFile)
	}
	if t.Config, err = Load(filepath.Join(dir, runfmt.ConfigFile), nil); err != nil {
		return err
	}
	c := t.Config
	res, err := runfmt.ReadResult(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("not finished: it has no result; the command that began it goes on with it")
	}
	if err != nil {
		return err
	}
	if len(res.Classes) < res.BaseClasses || len(res.Classes) == 0 {
		return errors.New("its result does not name the classes; it was made by an older program")
	}
	var names []string
	for _, class := range res.Classes {
		names = append(names, class.Name)
	}
	t.learned, t.Classes = c.learned(names, res.BaseClasses), names
	if u.Classes != nil {
		t.Classes = u.Classes
		if why := methods.Closed(c.Method[0], options(c)); why != "" && !slices.Equal(t.Classes, t.learned) {
			return fmt.Errorf("%s: want the classes of the run", why)
		}
	}
	if methods.Alone(c.Method[0]) && !slices.Equal(t.Classes, t.learned) {
		return fmt.Errorf("method %s tells apart the %d classes that it learned and no others: want --classes FILE with %s", c.Method[0], len(t.learned), strings.Join(t.learned, ", "))
	}
	c.Threads, c.Device = u.Threads, cmp.Or(u.Device, device.CPU)
	if c.Device == device.CPU {
		c.Cuda.Math = cuda.FP32 // what a card trained the CPU can use
	}
	if t.lab, err = openLab(c); err != nil {
		return err
	}
	if err := t.checkWeights(dir); err != nil {
		return err
	}
	texts, err := t.lab.texts(c, slices.Concat(t.learned, t.Classes))
	if err != nil {
		return err
	}
	if err := t.lab.know(c, texts); err != nil {
		return err
	}
	if methods.Taught(c.Method[0]) {
		if t.lab.teacher, err = readTeacher(dir); err != nil {
			return err
		}
	}
	t.lab.use(c)
	if t.method, err = methods.New(c.Method[0], options(c)); err != nil {
		return err
	}
	if err := t.load(ctx, filepath.Join(dir, runfmt.CheckpointFile)); err != nil {
		return err
	}
	t.views = u.Views
	return t.compile(ctx)
}

// checkWeights refuses another CLIP than the run's.
func (t *Trained) checkWeights(dir string) error {
	env, err := (&Run{Dir: dir}).readEnv()
	if err != nil {
		return err
	}
	// What follows tells the data apart, and words without an embedding.
	of := func(hash string) string {
		hash, _, _ = strings.Cut(hash, "/")
		hash, _, _ = strings.Cut(hash, "+")
		return hash
	}
	if before, now := of(env.Weights), of(t.lab.model.Hash); before != now {
		return fmt.Errorf("trained with another CLIP: its weights were %.8s, clip.weights %s is %.8s", before, t.Config.Clip.Weights, now)
	}
	return nil
}

// load reads what the run learned.
func (t *Trained) load(ctx context.Context, path string) error {
	if !methods.Learns(t.Config.Method[0]) {
		return nil
	}
	cl, err := t.lab.classes(ctx, t.Config, t.learned)
	if err != nil {
		return err
	}
	s, mc, err := t.lab.scope(nil)
	if err != nil {
		return err
	}
	values, err := learnedValues(path)
	if err != nil {
		return err
	}
	if methods.ReadsSupport(t.Config.Method[0]) { // how many images there were the values alone say
		for name, x := range values {
			s.Store().Set(name, methods.SupportKind(name), x)
		}
		t.vars = s.Store().Variables()
		return nil
	}
	err = graph.Try(func() { t.lab.build(t.Config, t.method, mc, t.lab.unread(cl), 2) }) // a training step declares all variables; a batch norm wants two images
	if err != nil {
		return err
	}
	if err := s.Store().Load(values); err != nil {
		return fmt.Errorf("%s does not fit %d classes and a CLIP of width %d: %w", runfmt.CheckpointFile, len(t.learned), t.lab.model.Vision.Embed, err)
	}
	t.vars = s.Store().Variables()
	return nil
}

// learnedValues is what a checkpoint holds but for the optimiser's state.
func learnedValues(path string) (map[string]graph.Tensor, error) {
	f, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	values := map[string]graph.Tensor{}
	for _, name := range f.Names() {
		if strings.HasPrefix(name, optimScope+".") {
			continue
		}
		x, err := f.Tensor(name)
		if err != nil {
			return nil, err
		}
		values[name] = graph.Floats(x.Data, x.Shape...)
	}
	return values, nil
}

// Texts are the unit texts [C, D] that the run has for any classes.
func (t *Trained) Texts(ctx context.Context, names []string) (graph.Tensor, error) {
	texts, err := t.lab.texts(t.Config, names)
	if err != nil {
		return graph.Tensor{}, err
	}
	if err := t.lab.know(t.Config, texts); err != nil {
		return graph.Tensor{}, err
	}
	cl, err := t.lab.classes(ctx, t.Config, names)
	if err != nil {
		return graph.Tensor{}, err
	}
	if err := t.lab.reword(ctx, t.Config, &cl); err != nil {
		return graph.Tensor{}, err
	}
	return t.lab.text(ctx, t.method, cl, methods.ForClasses(t.vars, t.Classes, cl, t.Config.Spotlight))
}

// Square is the part of an image that the encoder sees.
func (t *Trained) Square(img *preprocess.RGB) *preprocess.RGB {
	return t.lab.model.Transform.Square(img)
}

// Classify runs at most a batch of n images, each given by load, which is called
// from several goroutines. The errors are of the images, by their place: of those
// that cannot be loaded, and of those whose feature is not a number.
func (t *Trained) Classify(ctx context.Context, n int, load func(i int) (*preprocess.RGB, error)) (bad []error, err error) {
	bad = make([]error, n)
	t.lab.pool.For(n, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			img, err := load(i)
			if err != nil {
				bad[i] = err
				clear(t.images.Row(i))
				continue
			}
			copy(t.images.Row(i), t.lab.model.Transform.Apply(img))
		}
	})
	if err := t.program.Run(ctx, map[string]graph.Tensor{"images": t.images}); err != nil {
		return nil, err
	}
	for i := range n {
		if row := t.program.Output("image").Row(i); bad[i] == nil && slices.ContainsFunc(row, func(v float32) bool { return v != v }) {
			bad[i] = errors.New("its feature is not a number")
		}
	}
	return bad, nil
}

// Guess is a class and its probability.
type Guess struct {
	Class       string  `json:"class"`
	Probability float64 `json:"probability"`
}

// Top is the k likeliest classes of image i of the last batch, by falling
// probability: the softmax of its logits.
func (t *Trained) Top(i, k int) []Guess {
	row := slices.Clone(t.program.Output("logits").Row(i))
	cpu.SoftmaxRow(row, row, 1)
	at := make([]int, len(row))
	for c := range at {
		at[c] = c
	}
	slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(row[b], row[a]) })
	var top []Guess
	for _, c := range at[:min(k, len(at))] {
		top = append(top, Guess{t.Classes[c], float64(row[c])})
	}
	return top
}
