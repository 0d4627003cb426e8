package weights

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nlpodyssey/safetensors"

	"spotlighter/internal/atomicfile"
)

// Stream collects rows of float32 tensors in temporary files, so that any
// number of them takes no memory, and saves them as one safetensors file.
type Stream struct {
	path    string
	tensors []*streamed
}

// streamed is one tensor of a Stream.
type streamed struct {
	name string
	row  []int // shape of a row
	rows int
	file *os.File
	w    *bufio.Writer
}

// The methods of safetensors.View.

func (t *streamed) DType() safetensors.DType { return safetensors.F32 }
func (t *streamed) Data() []byte             { return nil }
func (t *streamed) DataLen() uint64          { return 4 * uint64(t.rows) * uint64(product(t.row)) }

func (t *streamed) Shape() []uint64 {
	shape := []uint64{uint64(t.rows)}
	for _, d := range t.row {
		shape = append(shape, uint64(d))
	}
	return shape
}

func byName(a, b *streamed) int { return strings.Compare(a.name, b.name) }

// NewStream makes a stream whose rows wait beside path.
func NewStream(path string) *Stream { return &Stream{path: path} }

// Add appends rows, each of the given shape, to the tensor of that name.
func (s *Stream) Add(name string, shape []int, values []float32) error {
	t, err := s.tensor(name, shape)
	if err != nil {
		return err
	}
	n := product(t.row)
	if len(values)%n != 0 {
		return fmt.Errorf("weights %s: tensor %q: %d values are no rows of %v", s.path, name, len(values), t.row)
	}
	var b [4]byte
	for _, v := range values {
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
		if _, err := t.w.Write(b[:]); err != nil {
			return fmt.Errorf("weights %s: %w", s.path, err)
		}
	}
	t.rows += len(values) / n
	return nil
}

func (s *Stream) tensor(name string, shape []int) (*streamed, error) {
	for _, t := range s.tensors {
		if t.name == name {
			return t, nil
		}
	}
	f, err := os.CreateTemp(filepath.Dir(s.path), "."+filepath.Base(s.path)+".*.tmp")
	if err != nil {
		return nil, fmt.Errorf("weights %s: %w", s.path, err)
	}
	t := &streamed{name: name, row: shape, file: f, w: bufio.NewWriterSize(f, 1<<20)}
	s.tensors = append(s.tensors, t)
	return t, nil
}

// Save writes the file, whole or not at all.
func (s *Stream) Save(meta map[string]string) error {
	size := 0
	for k, v := range meta {
		size += len(k) + len(v)
	}
	if size > maxHeader/2 { // quoting may double it
		return fmt.Errorf("weights %s: metadata of %d bytes, at most %d are read again: write several files", s.path, size, maxHeader/2)
	}
	views := map[string]*streamed{}
	for _, t := range s.tensors {
		if err := t.w.Flush(); err != nil {
			return fmt.Errorf("weights %s: %w", s.path, err)
		}
		if _, err := t.file.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("weights %s: %w", s.path, err)
		}
		views[t.name] = t
	}
	return atomicfile.Write(s.path, func(w io.Writer) error {
		// The library writes the header and, of each tensor, no bytes (Data);
		// they follow here in its order, which is by name.
		if err := safetensors.SerializeToWriter(views, meta, w); err != nil {
			return err
		}
		for _, t := range slices.SortedFunc(slices.Values(s.tensors), byName) {
			if _, err := io.Copy(w, t.file); err != nil {
				return err
			}
		}
		return nil
	})
}

// Close removes the temporary files.
func (s *Stream) Close() {
	for _, t := range s.tensors {
		t.file.Close()
		os.Remove(t.file.Name())
	}
}
