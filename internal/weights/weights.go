// Package weights reads named tensors from the files that CLIP models are
// published as, safetensors and PyTorch's three formats, and writes safetensors.
//
// Every stored type becomes float32 on reading (or int64 through Ints). A file
// is mapped into memory and a tensor is converted when it is asked for, so that
// opening a large checkpoint costs no copy of it. Headers are parsed by
// nlpodyssey/safetensors and pickles by nlpodyssey/gopickle; all that they claim
// about the data is checked here before any of it is used, and a pickle can
// build nothing but data.
package weights

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
)

// Tensor is a dense row-major array. A scalar has an empty Shape and one value.
type Tensor struct {
	Shape []int
	Data  []float32
}

// File is an open checkpoint. Its methods may be called concurrently, Close
// excepted.
type File struct {
	name    string
	format  Format
	entries map[string]entry
	names   []string
	meta    map[string]string
	hash    func() string
	closed  *atomic.Bool // shared with the views of the file
	unmap   func() error
}

// parsed is what the reader of one format finds in a file.
type parsed struct {
	format  Format
	entries map[string]entry
	meta    map[string]string
}

// Open maps the checkpoint at path, of any Format, and checks all that it
// claims about its tensors; a folder or an index stands for the weights that
// lie in it. The error is one line that names the file and says what is wrong
// with it. Values are not looked at: a NaN is for the caller to find.
func Open(path string) (*File, error) {
	path, err := Locate(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("weights %s: %w", path, pathless(err))
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("weights %s: not a regular file", path)
	case info.Size() == 0:
		return nil, fmt.Errorf("weights %s: the file is empty", path)
	}
	content, unmap, err := mapFile(path, info.Size())
	if err != nil {
		return nil, fmt.Errorf("weights %s: %w", path, pathless(err))
	}
	if isJSON(content) {
		defer unmap()
		return openSharded(path, content)
	}
	f, err := Parse(path, content)
	if err != nil {
		unmap()
		return nil, err
	}
	f.unmap = unmap
	return f, nil
}

// Parse reads a checkpoint that is already in memory, for instance an embedded
// one. The name stands for the file in messages; content must not change while
// the File is in use.
func Parse(name string, content []byte) (*File, error) {
	p, err := parse(content)
	if err != nil {
		return nil, fmt.Errorf("weights %s: %w", name, err)
	}
	f := newFile(name, p)
	f.hash = sync.OnceValue(func() string {
		sum := sha256.Sum256(content)
		return hex.EncodeToString(sum[:])
	})
	return f, nil
}

func newFile(name string, p *parsed) *File {
	return &File{
		name: name, format: p.format, entries: p.entries, meta: p.meta,
		names:  slices.Sorted(maps.Keys(p.entries)),
		closed: new(atomic.Bool),
		unmap:  func() error { return nil },
	}
}

// Name is the file's path, or what stands for it in messages.
func (f *File) Name() string { return f.name }

// Format is how the tensors are stored.
func (f *File) Format() Format { return f.format }

// Names returns the names of all tensors, sorted.
func (f *File) Names() []string { return slices.Clone(f.names) }

// Without returns a view of the file that lacks the tensors of some names.
func (f *File) Without(drop func(name string) bool) *File {
	view := *f
	view.names = slices.DeleteFunc(slices.Clone(f.names), drop)
	view.entries = maps.Clone(f.entries)
	maps.DeleteFunc(view.entries, func(name string, _ entry) bool { return drop(name) })
	return &view
}

// Metadata returns the file's free-form string pairs.
func (f *File) Metadata() map[string]string { return maps.Clone(f.meta) }

// Shape returns the shape of a tensor, and whether the file has it.
func (f *File) Shape(name string) ([]int, bool) {
	e, ok := f.entries[name]
	return slices.Clone(e.shape), ok
}

// Hash returns the SHA-256 of the file's content in hex. It is computed once,
// and must be asked for before Close.
func (f *File) Hash() string { return f.hash() }

// Tensor returns a copy of a tensor, converted to float32.
func (f *File) Tensor(name string) (Tensor, error) {
	if err := f.wants(name); err != nil {
		return Tensor{}, err
	}
	e := f.entries[name]
	parts := e.joined
	if parts == nil {
		parts = []entry{e}
	}
	data := make([]float32, e.count())
	rest := data
	for _, p := range parts {
		n, err := toFloat32(rest, p.dtype, p.raw())
		if err != nil {
			return Tensor{}, fmt.Errorf("weights %s: tensor %q: %w", f.name, name, err)
		}
		rest = rest[n:]
	}
	return Tensor{Shape: slices.Clone(e.shape), Data: data}, nil
}

// Ints returns the values of an integer tensor in row-major order.
func (f *File) Ints(name string) ([]int64, error) {
	if err := f.wants(name); err != nil {
		return nil, err
	}
	e := f.entries[name]
	data, err := toInt64(e.dtype, e.raw())
	if err != nil {
		return nil, fmt.Errorf("weights %s: tensor %q: %w", f.name, name, err)
	}
	return data, nil
}

// Close releases the mapping. Tensors read before stay valid.
func (f *File) Close() error {
	if f.closed.Swap(true) {
		return nil
	}
	if err := f.unmap(); err != nil {
		return fmt.Errorf("weights %s: %w", f.name, err)
	}
	return nil
}

// wants returns an error unless the file is open and has the tensor.
func (f *File) wants(name string) error {
	if f.closed.Load() {
		return fmt.Errorf("weights %s: %w", f.name, fs.ErrClosed)
	}
	if _, ok := f.entries[name]; !ok {
		return fmt.Errorf("weights %s: no tensor %q", f.name, name)
	}
	return nil
}
