// Package weights reads and writes named tensors in the safetensors format.
//
// Every stored type becomes float32 on reading (or int64 through Ints). A file
// is mapped into memory and a tensor is converted when it is asked for, so that
// opening a large checkpoint costs no copy of it. The header is parsed by
// nlpodyssey/safetensors; all that it claims about the data is checked here
// before any of it is used.
package weights

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/nlpodyssey/safetensors"
)

// Tensor is a dense row-major array. A scalar has an empty Shape and one value.
type Tensor struct {
	Shape []int
	Data  []float32
}

// File is an open safetensors file. Its methods may be called concurrently,
// Close excepted.
type File struct {
	name    string
	content []byte // whole file; nil once closed
	unmap   func() error
	entries map[string]entry
	names   []string
	meta    map[string]string
	hash    func() string
}

// entry locates one tensor: its bytes are content[begin:end].
type entry struct {
	dtype      safetensors.DType
	shape      []int
	begin, end int
}

// Open maps the safetensors file at path and checks its header. The error is
// one line that names the file and says whether it is missing, empty, not
// safetensors, truncated, or has tensors out of place. Values are not looked
// at: a NaN is for the caller to find.
func Open(path string) (*File, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("weights %s: no such file: %w", path, fs.ErrNotExist)
	case err != nil:
		return nil, fmt.Errorf("weights %s: %w", path, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("weights %s: not a regular file", path)
	case info.Size() == 0:
		return nil, fmt.Errorf("weights %s: the file is empty", path)
	}
	content, unmap, err := mapFile(path, info.Size())
	if err != nil {
		return nil, fmt.Errorf("weights %s: %w", path, err)
	}
	f, err := Parse(path, content)
	if err != nil {
		unmap()
		return nil, err
	}
	f.unmap = unmap
	return f, nil
}

// Parse reads a safetensors file that is already in memory, for instance an
// embedded one. The name stands for the file in messages; content must not
// change while the File is in use.
func Parse(name string, content []byte) (*File, error) {
	head, err := parseHeader(content)
	if err != nil {
		return nil, fmt.Errorf("weights %s: %w", name, err)
	}
	return &File{
		name:    name,
		content: content,
		unmap:   func() error { return nil },
		entries: head.entries,
		names:   slices.Sorted(maps.Keys(head.entries)),
		meta:    head.meta,
		hash: sync.OnceValue(func() string {
			sum := sha256.Sum256(content)
			return hex.EncodeToString(sum[:])
		}),
	}, nil
}

// Names returns the names of all tensors, sorted.
func (f *File) Names() []string { return slices.Clone(f.names) }

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
	e, raw, err := f.raw(name)
	if err != nil {
		return Tensor{}, err
	}
	data, err := toFloat32(e.dtype, raw)
	if err != nil {
		return Tensor{}, fmt.Errorf("weights %s: tensor %q: %w", f.name, name, err)
	}
	return Tensor{Shape: slices.Clone(e.shape), Data: data}, nil
}

// Ints returns the values of an integer tensor in row-major order.
func (f *File) Ints(name string) ([]int64, error) {
	e, raw, err := f.raw(name)
	if err != nil {
		return nil, err
	}
	data, err := toInt64(e.dtype, raw)
	if err != nil {
		return nil, fmt.Errorf("weights %s: tensor %q: %w", f.name, name, err)
	}
	return data, nil
}

// Close releases the mapping. Tensors read before stay valid.
func (f *File) Close() error {
	if f.content == nil {
		return nil
	}
	f.content = nil
	if err := f.unmap(); err != nil {
		return fmt.Errorf("weights %s: %w", f.name, err)
	}
	return nil
}

// wants returns an error unless the file is open and has the tensor.
func (f *File) wants(name string) error {
	if f.content == nil {
		return fmt.Errorf("weights %s: %w", f.name, fs.ErrClosed)
	}
	if _, ok := f.entries[name]; !ok {
		return fmt.Errorf("weights %s: no tensor %q", f.name, name)
	}
	return nil
}

// raw returns the stored bytes of a tensor.
func (f *File) raw(name string) (entry, []byte, error) {
	if err := f.wants(name); err != nil {
		return entry{}, nil, err
	}
	e := f.entries[name]
	return e, f.content[e.begin:e.end], nil
}
