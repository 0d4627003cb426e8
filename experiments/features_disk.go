package experiments

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/cache"
	"spotlighter/internal/device"
	"spotlighter/internal/weights"
)

// featureVersion is raised when the code changes what an image's features are.
const featureVersion = 3

// maskName is the tensor beside the features that says where the object is.
const maskName = "mask"

// CacheDir is the folder of the features that cache: disk keeps.
func (c Config) CacheDir() (string, error) {
	if c.CacheFolder != "" {
		return c.CacheFolder, nil
	}
	return cache.DefaultDir()
}

// featureStore says what an encoder's features depend on but the image: these
// weights, settings and kernels. names are the classes that pruning by text knows.
func (l *Lab) featureStore(c Config, e *encoder, names []string) string {
	path, _ := cpu.Path() // another way to sum has other last digits
	if l.device != nil {
		path = device.Arithmetic(l.device)
	}
	key := fmt.Sprintf("version %d, weights %s, features %s of %s, transform %+v, kernels %s",
		featureVersion, l.model.Hash, strings.Join(e.names, "+"), c.featureKey(), l.model.Transform, path)
	if !c.Prune.alone() {
		key += fmt.Sprintf(", classes %q", names)
	}
	return key
}

// openCache opens the store of that key.
func (l *Lab) openCache(c Config, key string) (*cache.Store, error) {
	dir, err := c.CacheDir()
	if err != nil {
		return nil, err
	}
	dtype := cache.F32
	if c.CacheFP16 {
		dtype = cache.F16
	}
	name := dir + " " + dtype + " " + key
	if s := l.stores[name]; s != nil {
		return s, s.Refresh()
	}
	s, err := cache.Open(dir, key, dtype)
	if err == nil {
		l.stores[name] = s
	}
	return s, err
}

// rowIDs names the pictures' rows in a store: by their content and the view.
func rowIDs(ctx context.Context, pool *cpu.Pool, pictures []Picture, viewed func(i int) string) ([]string, error) {
	ids, errs := make([]string, len(pictures)), make([]error, len(pictures))
	pool.For(len(pictures), 1, func(lo, hi int) {
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			var id string
			if id, errs[i] = pictures[i].ID(); errs[i] == nil {
				ids[i] = fmt.Sprintf("%x", sha256.Sum256([]byte(id+" "+viewed(i))))[:32]
			}
		}
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return ids, ctx.Err()
}

// planCache refuses to fill a disk, and says what is to come.
func (l *Lab) planCache(c Config, e *encoder, s *cache.Store, what string, missing int) error {
	if missing == 0 {
		return nil
	}
	need := int64(missing) * e.bytes()
	if c.CacheFP16 {
		need /= 2
	}
	dir, err := c.CacheDir()
	if err != nil {
		return err
	}
	used, left, err := cache.Room(dir)
	if err != nil {
		return err
	}
	gib := func(n int64) string { return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30)) }
	const way = "spotlight.reread_blocks=1 makes them smaller, cache_fp16=true halves them, spotlighter cache prune makes room, cache=off keeps none"
	switch {
	case float64(used+need) > c.CacheLimit*(1<<30):
		return fmt.Errorf("cache_limit: features of %d %s images need %s, %s has %s of at most %g GiB; %s", missing, what, gib(need), dir, gib(used), c.CacheLimit, way)
	case left >= 0 && need > left:
		return fmt.Errorf("cache_dir: features of %d %s images need %s, the disk of %s has %s left; %s", missing, what, gib(need), dir, gib(left), way)
	case need > noteFrom:
		l.log.Warnf("features of %d %s images will take %s in %s", missing, what, gib(need), s.Dir)
	}
	return nil
}

// noteFrom is what a user need not be told to write.
const noteFrom = 1 << 30

// missing lists the pictures without a row, one of those that are alike.
func (f *features) missing() []int {
	var missing []int
	seen := map[string]bool{}
	for i, id := range f.ids {
		if !f.disk.Has(id) && !seen[id] {
			seen[id] = true
			missing = append(missing, i)
		}
	}
	return missing
}

// store computes the rows that a store lacks. Rows that another process adds
// meanwhile are not computed again.
func (f *features) store(ctx context.Context, done func(share float64)) error {
	missing := f.missing()
	at := 0
	next := func() (idx []int, err error) {
		for len(idx) == 0 && at < len(missing) {
			if err := f.disk.Refresh(); err != nil {
				return nil, err
			}
			part := missing[at:min(at+encodeBatch, len(missing))]
			at += len(part)
			for _, i := range part {
				if !f.disk.Has(f.ids[i]) {
					idx = append(idx, i)
				}
			}
		}
		return idx, nil
	}
	kept := 0
	err := f.enc.encodeAll(ctx, f.pictures, next, f.view, f.Masks, func(idx []int) error {
		kept += len(idx)
		done(float64(kept) / float64(len(missing)))
		return f.add(idx)
	})
	if err != nil {
		return err
	}
	return f.readMasks()
}

// add writes the rows of the pictures that were encoded last.
func (f *features) add(idx []int) error {
	ids, tensors := make([]string, len(idx)), map[string]weights.Tensor{}
	for _, name := range f.enc.names {
		out := f.enc.program.Output(name)
		shape := out.Shape.Clone()
		shape[0] = len(idx)
		tensors[name] = weights.Tensor{Shape: shape, Data: out.F32[:out.Len()/encodeBatch*len(idx)]}
	}
	var masks []float32
	for b, i := range idx {
		ids[b] = f.ids[i]
		masks = append(masks, f.Masks[i]...)
	}
	if n := len(f.Masks[idx[0]]); n > 0 && len(masks) == n*len(idx) {
		tensors[maskName] = weights.Tensor{Shape: []int{len(idx), n}, Data: masks}
	}
	return f.disk.Add(ids, tensors)
}

// readMasks reads where the objects are, for the pictures whose rows say so.
func (f *features) readMasks() error {
	n := f.enc.model.Vision.Patches()
	for i, id := range f.ids {
		if !f.disk.Holds(maskName, id) {
			continue
		}
		f.Masks[i] = make([]float32, n)
		if err := f.disk.Row(maskName, id, f.Masks[i]); err != nil {
			return err
		}
	}
	return nil
}

// read puts the features of pictures into the feeds, from row at on.
func (f *features) read(part []int, at int, feeds map[string]graph.Tensor) error {
	for _, name := range f.enc.names {
		dst, ok := feeds[name]
		if !ok {
			continue
		}
		for b, i := range part {
			if err := f.disk.Row(name, f.ids[i], dst.Row(at+b)); err != nil {
				return err
			}
		}
	}
	return nil
}
