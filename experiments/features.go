package experiments

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/cache"
	"spotlighter/internal/clip"
	"spotlighter/spotlight"
	"spotlighter/vit/preprocess"
)

// encodeBatch is how many images the frozen encoder takes at a time.
const encodeBatch = 32

// encoder turns pictures into the features that methods need, by one program
// over the frozen image encoder.
type encoder struct {
	model   *clip.Model
	pool    *cpu.Pool
	program *graph.Program
	names   []string
	images  graph.Tensor // [batch, 3, S, S]
}

// newEncoder builds the program for so many images: of all of Spotlighter's features, or of the
// image's feature alone. score is what patches are pruned by.
func newEncoder(m *clip.Model, cfg spotlight.Config, all bool, pool *cpu.Pool, score pruneScore, batch int) (*encoder, error) {
	s, enc, err := m.Scope()
	if err != nil {
		return nil, err
	}
	side := m.Vision.ImageSize
	e := &encoder{model: m, pool: pool, images: graph.NewTensor(graph.Float32, batch, 3, side, side)}
	s.Called("encode")
	outputs := map[string]*graph.Node{}
	err = graph.Try(func() {
		pass := enc.Vision.ForwardBy(s.Input("images", s.Dtype(), e.images.Shape...), score(s, enc.Vision))
		outputs = spotlight.Encode(cfg, enc.Vision, pass).Named()
	})
	if err != nil {
		return nil, err
	}
	if !all {
		outputs = map[string]*graph.Node{"image": outputs["image"]}
	}
	for name := range outputs {
		e.names = append(e.names, name)
	}
	sort.Strings(e.names)
	e.program, err = s.Compile(pool, outputs)
	return e, err
}

// view is what is done to a picture before it is encoded.
type view func(img *preprocess.RGB, i int) *preprocess.RGB

// encode runs the program on pictures[idx...] (at most encodeBatch), whose rows
// its outputs then are.
func (e *encoder) encode(ctx context.Context, pictures []Picture, idx []int, v view, masks [][]float32) error {
	if err := e.load(e.images.Row, pictures, idx, v, masks); err != nil {
		return err
	}
	return e.program.Run(ctx, map[string]graph.Tensor{"images": e.images})
}

// load decodes pictures[idx[b]] into row(b), with threads of its own: those of the
// pool may be at work on the batch before.
func (e *encoder) load(row func(b int) []float32, pictures []Picture, idx []int, v view, masks [][]float32) error {
	errs := make([]error, len(idx))
	var at atomic.Int64
	var workers sync.WaitGroup
	for range min(e.pool.Threads(), len(idx)) {
		workers.Go(func() {
			for b := int(at.Add(1)) - 1; b < len(idx); b = int(at.Add(1)) - 1 {
				errs[b] = e.loadOne(row(b), pictures[idx[b]], idx[b], v, masks)
			}
		})
	}
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) loadOne(dst []float32, p Picture, i int, v view, masks [][]float32) (err error) {
	defer func() { // a decoder's panic would end the program
		if r := recover(); r != nil {
			err = fmt.Errorf("image %s: %v", p.Name, r)
		}
	}()
	img, mask, err := p.Load()
	if err != nil {
		return err
	}
	if v != nil {
		img = v(img, i)
	}
	if masks != nil {
		masks[i] = mask
	}
	copy(dst, e.model.Transform.Apply(img))
	return nil
}

// encodeAll encodes batch after batch, as next gives them until it gives none,
// and calls keep with each while the program's outputs are its rows. A batch is
// decoded while the one before is encoded; no more than these two are in memory.
func (e *encoder) encodeAll(ctx context.Context, pictures []Picture, next func() ([]int, error), v view, masks [][]float32, keep func(idx []int) error) error {
	type batch struct {
		idx    []int
		images graph.Tensor
		err    error
	}
	load := func(images graph.Tensor) <-chan batch {
		c := make(chan batch, 1)
		go func() {
			idx, err := next()
			if err == nil {
				err = e.load(images.Row, pictures, idx, v, masks)
			}
			c <- batch{idx, images, err}
		}()
		return c
	}
	spare := graph.NewTensor(graph.Float32, e.images.Shape...)
	for pending := load(e.images); ; {
		b := <-pending
		if b.err != nil || len(b.idx) == 0 {
			return b.err
		}
		pending, spare = load(spare), b.images
		err := e.program.Run(ctx, map[string]graph.Tensor{"images": b.images})
		if err == nil {
			err = keep(b.idx)
		}
		if err != nil {
			<-pending
			return err
		}
	}
}

// features are the encoded pictures of one split and view. In memory or on the
// disk they are computed once; otherwise each time that they are asked for.
type features struct {
	enc      *encoder
	pictures []Picture
	view     view
	Masks    [][]float32             // of each picture, nil where unknown; filled when it is encoded
	cached   map[string]graph.Tensor // [n, ...] by name
	images   graph.Tensor            // the pictures themselves [n, 3, S, S], where they are kept
	disk     *cache.Store
	ids      []string // the pictures' rows there
}

// keeping is where features stay: in memory, in a store, or, both zero, nowhere.
type keeping struct {
	memory bool
	disk   *cache.Store
}

// newFeatures encodes the pictures, if they are to be kept.
func (l *Lab) newFeatures(ctx context.Context, c Config, e *encoder, pictures []Picture, what string, v view, viewed func(i int) string, k keeping, done func(share float64)) (*features, error) {
	f := &features{enc: e, pictures: pictures, view: v, Masks: make([][]float32, len(pictures)), disk: k.disk}
	switch {
	case f.disk != nil:
		var err error
		if f.ids, err = rowIDs(ctx, e.pool, pictures, viewed); err != nil {
			return nil, err
		}
		if err = l.planCache(c, e, f.disk, what, len(f.missing())); err != nil {
			return nil, err
		}
		return f, f.store(ctx, done)
	case !k.memory:
		return f, nil
	}
	f.cached = map[string]graph.Tensor{}
	for _, name := range e.names {
		shape := e.program.OutputType(name).Shape.Clone()
		shape[0] = len(pictures)
		f.cached[name] = graph.NewTensor(graph.Float32, shape...)
	}
	at := 0
	next := func() ([]int, error) {
		idx := span(at, min(at+encodeBatch, len(pictures)))
		at += len(idx)
		return idx, nil
	}
	kept := 0
	return f, e.encodeAll(ctx, pictures, next, v, f.Masks, func(idx []int) error {
		for _, name := range e.names {
			out := e.program.Output(name)
			for b, i := range idx {
				copy(f.cached[name].Row(i), out.Row(b))
			}
		}
		kept += len(idx)
		done(float64(kept) / float64(len(pictures)))
		return nil
	})
}

// bytes is the memory that the features of one picture take.
func (e *encoder) bytes() int64 {
	var n int64
	for _, name := range e.names {
		n += 4 * int64(e.program.OutputType(name).Shape.TotalSize()) / encodeBatch
	}
	return n
}

func span(lo, hi int) []int {
	idx := make([]int, hi-lo)
	for i := range idx {
		idx[i] = lo + i
	}
	return idx
}

// fill puts the features of pictures idx, or the pictures themselves, into the
// feeds, row by row: what there is a feed for. Rows beyond len(idx) are left as they
// are.
func (f *features) fill(ctx context.Context, idx []int, feeds map[string]graph.Tensor) error {
	if dst, ok := feeds[imagesInput]; ok {
		if err := f.fillImages(idx, dst); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(f.enc.names, func(name string) bool { _, fed := feeds[name]; return fed }) {
		return nil
	}
	for at := 0; at < len(idx); at += encodeBatch {
		part := idx[at:min(at+encodeBatch, len(idx))]
		if f.disk != nil {
			if err := f.read(part, at, feeds); err != nil {
				return err
			}
			continue
		}
		if f.cached == nil {
			if err := f.enc.encode(ctx, f.pictures, part, f.view, f.Masks); err != nil {
				return err
			}
		}
		for _, name := range f.enc.names {
			dst, ok := feeds[name]
			if !ok {
				continue
			}
			for b, i := range part {
				if f.cached != nil {
					copy(dst.Row(at+b), f.cached[name].Row(i))
				} else {
					copy(dst.Row(at+b), f.enc.program.Output(name).Row(b))
				}
			}
		}
	}
	return nil
}

// check refuses features that are not numbers, naming the picture.
func (f *features) check(idx []int, feeds map[string]graph.Tensor) error {
	image, ok := feeds["image"]
	if !ok { // the program reads none
		return nil
	}
	for b, i := range idx {
		for _, v := range image.Row(b) {
			if v != v {
				return fmt.Errorf("%s: its feature is not a number", f.pictures[i].Name)
			}
		}
	}
	return nil
}

// speed measures the encoder: seconds an image, over a few batches.
func (e *encoder) speed(ctx context.Context, pictures []Picture) (float64, error) {
	const batches = 4
	n := min(encodeBatch, len(pictures))
	start := time.Now()
	for range batches {
		if err := e.encode(ctx, pictures, span(0, n), nil, nil); err != nil {
			return 0, err
		}
	}
	return time.Since(start).Seconds() / float64(batches*n), nil
}
