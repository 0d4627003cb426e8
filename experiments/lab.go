package experiments

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/sirupsen/logrus"

	"spotlighter/experiments/methods"
	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/graph/inspect"
	"spotlighter/internal/cache"
	"spotlighter/internal/clip"
	"spotlighter/internal/device"
	"spotlighter/internal/tiny"
	"spotlighter/spotlight"
	"spotlighter/vit/preprocess"
)

// Lab runs cells one after the other and keeps what they share: the frozen
// model, and the features of the data set and the few-shot images at hand.
type Lab struct {
	pool   *cpu.Pool
	model  *clip.Model
	sized  bool                    // the model has no weights
	*held                          // the data set at hand
	kept   map[string]*held        // by key, those of the cell's source and targets
	stores map[string]*cache.Store // features on the disk, that runs have asked for
	device graph.Device            // nil: the CPU
	say    string                  // a note for the first run

	train    []*features // a view each
	trainKey string
	labels   []int    // of the training images
	badTrain []string // training images left out, and why

	teacher    *teacher    // of the cell at hand, nil for methods that need none
	teacherKey string      // which it is, and of which classes
	lessons    []*features // its logits of the training images, a view each

	// Note is told, in a line each, what a user should know of a run.
	Note func(line string)
	log  *logrus.Logger // of the run at work; its warnings are notes too

	dump    *inspect.Dump
	profile *inspect.Profile // nil for none

	// Force runs cells anew that are done or begun.
	Force bool
}

// held is a data set of which the test images are encoded.
type held struct {
	key         string
	bench       *Benchmark
	full, plain *encoder               // all features; the image's alone
	tests       map[*encoder]*features // of the test images
	test        *features              // those of the cell at hand
	badTest     []string               // images left out, and why
}

// memoryLimit is how much memory the features of one split may take under
// cache: auto.
const memoryLimit = 4 << 30

// keeps decides where the features of n pictures stay. key tells their store from
// others.
func (l *Lab) keeps(c Config, e *encoder, key, what string, n int) (k keeping, err error) {
	switch c.Cache {
	case "auto":
		k.memory = l.fits("features", what, n, e.bytes())
	case "memory":
		k.memory = true
	case "disk":
		k.disk, err = l.openCache(c, key)
	}
	return k, err
}

// fits says whether the features of n pictures, or their pixels, fit into memory.
func (l *Lab) fits(of, what string, n int, each int64) bool {
	if need := int64(n) * each; need > memoryLimit {
		way := "encoded anew each time (cache=memory keeps them, cache=disk too, spotlight.reread_blocks=1 makes them smaller)"
		if of == pixels {
			way = "decoded anew each time (cache=memory keeps them)"
		}
		l.log.Warnf("%s of %d %s images would take %.1f GiB: they are %s", of, n, what, float64(need)/(1<<30), way)
		return false
	}
	return true
}

// keepImages keeps the pictures of a split themselves, for a cell whose method
// reads them, if they are to be kept; n is how many there are in all views.
func (l *Lab) keepImages(ctx context.Context, c Config, f *features, what string, n int, done func(share float64)) error {
	if !methods.ReadsImages(c.Method[0]) || c.Cache == "off" {
		return nil
	}
	if c.Cache != "memory" && !l.fits(pixels, what, n, f.enc.imageBytes()) {
		return nil
	}
	return f.keepImages(ctx, done)
}

// NewLab opens the model that the configuration names. Unknown words of the
// data sets' classes are refused, or embedded at random, as it says.
func NewLab(c Config) (*Lab, error) {
	l, err := openLab(c)
	if err != nil {
		return nil, err
	}
	return l, l.meet(c)
}

// meet makes the model fit for all texts of the configuration.
func (l *Lab) meet(c Config) error {
	var texts, source []string // the source's classes
	for i, name := range slices.Concat(c.Dataset, c.Targets) {
		b, err := OpenBenchmark(c.on(name))
		if err != nil {
			return err
		}
		if i < len(c.Dataset) {
			source = append(source, b.Classes...)
		} else if err := c.checkShift(name, b.Classes, source); err != nil {
			return err
		}
		for _, method := range c.Method {
			cell, err := c.on(name).with(method)
			if err != nil {
				return err
			}
			ts, err := l.texts(cell, b.Classes)
			if err != nil {
				return err
			}
			texts = append(texts, ts...)
		}
	}
	return l.know(c, texts)
}

// emptyLab has no model yet.
func emptyLab(c Config) *Lab {
	l := &Lab{pool: cpu.NewPool(c.Threads), Note: func(string) {}, kept: map[string]*held{}, stores: map[string]*cache.Store{}, log: newLog()}
	l.log.AddHook(noteHook{l})
	return l
}

// openLab opens the model alone.
func openLab(c Config) (*Lab, error) {
	l := emptyLab(c)
	var err error
	if c.Clip.Weights == "tiny" {
		l.model, err = tiny.CLIP()
	} else {
		l.model, err = clip.Open(c.Clip.Weights)
	}
	if err != nil {
		return nil, err
	}
	if l.device, l.say, err = device.Open(c.Device, c.Cuda.Math); err != nil {
		return nil, err
	}
	l.model = l.model.On(l.device)
	if c.Clip.Truncate {
		l.model = l.model.Truncating()
	}
	return l, nil
}

// know makes the model fit for texts, or refuses what it does not know of them.
func (l *Lab) know(c Config, texts []string) error {
	if c.Clip.Unknown == "random" {
		l.model = l.model.WithRandomWords(texts)
	}
	for _, t := range texts {
		if _, err := l.model.Tokens(t); err != nil {
			return err
		}
	}
	return nil
}

// Inspection is what is looked at inside the programs of runs.
type Inspection struct {
	Numerics bool             // stop at the first NaN or infinity
	Dump     *inspect.Dump    // write named values to the run's folder; nil for none
	Profile  *inspect.Profile // of each run, written to its folder; nil for none
}

// Inspect makes the lab's programs tell what they do; call it before any run.
func (l *Lab) Inspect(i Inspection) {
	var w []graph.Watcher
	if i.Dump != nil { // first: what is asked for is written before a fault ends the run
		l.dump = i.Dump
		w = append(w, i.Dump)
	}
	if i.Numerics {
		w = append(w, inspect.Numerics{})
	}
	if l.profile = i.Profile; i.Profile != nil {
		w = append(w, i.Profile)
	}
	l.model = l.model.Watched(w...)
}

// Model is the frozen CLIP.
func (l *Lab) Model() *clip.Model { return l.model }

func (l *Lab) prompts(c Config, names []string) []string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = l.model.Prompt(c.Train.Context, n)
	}
	return texts
}

// classes prepares a set of classes for a program.
func (l *Lab) classes(ctx context.Context, c Config, names []string) (methods.Classes, error) {
	cl := methods.Classes{Names: names}
	texts := l.prompts(c, names)
	var err error
	if cl.Prompts, err = l.model.Prompts(c.Train.Context, names); err != nil {
		return cl, err
	}
	if l.sized {
		cl.Text = graph.NewTensor(graph.Float32, len(names), l.model.Text.Embed)
		return l.unread(cl), nil
	}
	cl.Encode = func(texts []string) (graph.Tensor, error) { return clip.EncodeTexts(ctx, l.model, l.pool, texts) }
	z := clip.NewZeroShot(l.model, l.pool)
	z.Options = c.Text
	if cl.Text, err = z.Text(ctx, texts); err == nil && l.teacher != nil && methods.Taught(c.Method[0]) {
		cl.Teacher, err = l.teacher.texts(ctx, names)
	}
	return cl, err
}

// unread are classes for a program that is never run: no text is encoded for it.
func (l *Lab) unread(cl methods.Classes) methods.Classes {
	cl.Encode = func(texts []string) (graph.Tensor, error) {
		return graph.NewTensor(graph.Float32, len(texts), l.model.Text.Embed), nil
	}
	return cl
}

// features is how the cell's method has the frozen encoder's features made.
func (c Config) features() spotlight.Config { return methods.Features(c.Method[0], c.Spotlight) }

// testKey is equal for cells that read the same features of the same test images.
func (c Config) testKey() string {
	return fmt.Sprintf("%s %s %+v %s %s %s %v", c.Protocol, c.Dataset[0], c.Data, c.featureKey(), c.Cache, c.CacheFolder, c.CacheFP16)
}

// hold makes a cell's data set the one at hand: its test images encoded, unless
// they were already. say is told the share of the work that is done.
func (l *Lab) hold(ctx context.Context, c Config, say func(phase string, share float64)) error {
	l.use(c)
	h, err := l.open(ctx, c)
	if err != nil {
		return err
	}
	enc := h.full
	if c.features().Variant == spotlight.Release || methods.ReadsImages(c.Method[0]) { // no method reads tokens at test time
		enc = h.plain
	}
	if h.tests[enc] == nil {
		keep, err := l.keeps(c, enc, l.featureStore(c, enc, h.bench.Classes), "test", len(h.bench.Test))
		if err != nil {
			return err
		}
		whole := func(int) string { return "" }
		h.tests[enc], err = l.newFeatures(ctx, c, enc, h.bench.Test, "test", nil, whole, keep, func(s float64) { say("encode test images", s) })
		if err != nil {
			delete(h.tests, enc)
			return err
		}
	}
	h.test = h.tests[enc]
	l.held, l.kept[h.key] = h, h
	return l.keepImages(ctx, c, h.test, "test", len(h.bench.Test), func(s float64) { say("decode test images", s) })
}

// open is a cell's data set, without the features of its test images unless it is
// held already.
func (l *Lab) open(ctx context.Context, c Config) (*held, error) {
	key := c.testKey()
	if h, ok := l.kept[key]; ok {
		return h, nil
	}
	b, err := OpenBenchmark(c)
	if err != nil {
		return nil, err
	}
	for _, n := range b.Notes {
		l.log.Warn(n)
	}
	h := &held{key: key, bench: b, tests: map[*encoder]*features{}}
	if b.Test, h.badTest, err = l.readable(ctx, c, b.Test); err != nil {
		return nil, err
	}
	if h.full, err = l.encoder(ctx, c, b.Classes, true); err != nil {
		return nil, err
	}
	h.plain, err = l.encoder(ctx, c, b.Classes, false)
	return h, err
}

// forget drops the data sets that a cell does not need.
func (l *Lab) forget(c Config) {
	maps.DeleteFunc(l.kept, func(key string, _ *held) bool {
		return key != c.testKey() && !slices.ContainsFunc(c.Targets, func(name string) bool { return key == c.on(name).testKey() })
	})
}

// holdTrain makes a cell's few-shot images the ones at hand, in all views.
func (l *Lab) holdTrain(ctx context.Context, c Config, say func(phase string, share float64)) error {
	images, frozen := methods.ReadsImages(c.Method[0]), methods.ReadsFrozen(c.Method[0])
	shots, classes := c.shots(), len(c.learned(l.bench.Classes, l.bench.Base))
	key := fmt.Sprintf("%s classes %d shots %d seed %d views %d crop %v images %v frozen %v %s", l.key, classes, shots, c.Seed[0], c.Train.Views, c.Train.CropScale, images, frozen, l.teacherKey)
	if key == l.trainKey {
		return nil
	}
	l.train, l.lessons, l.trainKey = nil, nil, ""
	pictures, notes, err := l.bench.Train(shots, c.Seed[0], classes)
	if err != nil {
		return err
	}
	for _, n := range notes {
		l.log.Warn(n)
	}
	if pictures, l.badTrain, err = l.readable(ctx, c, pictures); err != nil {
		return err
	}
	l.labels = make([]int, len(pictures))
	for i, p := range pictures {
		l.labels[i] = p.Label
	}
	side := l.model.Vision.ImageSize
	enc := l.full
	if images { // its own pass gives the other features
		enc = l.plain
	}
	var keep keeping
	if frozen {
		if keep, err = l.keeps(c, enc, l.featureStore(c, enc, l.bench.Classes), "training", len(pictures)*c.Train.Views); err != nil {
			return err
		}
	}
	crop := func(v int) (view, func(i int) string) {
		return func(img *preprocess.RGB, i int) *preprocess.RGB {
				return augment(img, side, c.Train.CropScale, c.Seed[0], i, v)
			}, func(i int) string { // all that augment draws by
				return fmt.Sprintf("crop %v seed %d image %d view %d", c.Train.CropScale, c.Seed[0], i, v)
			}
	}
	if l.teacher != nil {
		if err := l.holdLessons(ctx, c, pictures, crop, say); err != nil {
			return err
		}
	}
	for v := range c.Train.Views {
		crop, viewed := crop(v)
		share := func(s float64) float64 { return (float64(v) + s) / float64(c.Train.Views) }
		f, err := l.newFeatures(ctx, c, enc, pictures, "training", crop, viewed, keep, func(s float64) { say("encode training images", share(s)) })
		if err != nil {
			return err
		}
		if err := l.keepImages(ctx, c, f, "training", len(pictures)*c.Train.Views, func(s float64) { say("decode training images", share(s)) }); err != nil {
			return err
		}
		l.train = append(l.train, f)
	}
	l.trainKey = key
	return nil
}
