package weights

import (
	"fmt"
	"io"
	"math"

	"github.com/nlpodyssey/safetensors"

	"spotlighter/internal/atomicfile"
)

// lazy is a tensor that is read when it is written; it implements
// safetensors.View.
type lazy struct {
	file  *File
	name  string
	dtype safetensors.DType
	err   *error // the first of any tensor
}

func (l lazy) DType() safetensors.DType { return l.dtype }

func (l lazy) Shape() []uint64 {
	shape := make([]uint64, len(l.file.entries[l.name].shape)) // a scalar's is [], not null
	for i, d := range l.file.entries[l.name].shape {
		shape[i] = uint64(d)
	}
	return shape
}

func (l lazy) DataLen() uint64 {
	return uint64(l.file.entries[l.name].count()) * l.dtype.Size()
}

func (l lazy) Data() []byte {
	if *l.err != nil {
		return nil
	}
	x, err := l.file.Tensor(l.name)
	var data []byte
	if err == nil {
		data, err = fromFloat32(l.dtype, x.Data)
	}
	for i, v := range x.Data {
		if v != v || math.IsInf(float64(v), 0) {
			err = fmt.Errorf("it holds %v at element %d", v, i)
			break
		}
	}
	if err != nil {
		*l.err = fmt.Errorf("tensor %q: %w", l.name, err)
	}
	return data
}

// Copy writes all tensors of a file to path as safetensors of type "F32" or
// "F16", whole or not at all, one in memory at a time. NaN and infinity are
// refused.
func Copy(path string, f *File, meta map[string]string, dtype string) error {
	t, err := safetensors.ParseDType(dtype)
	if err != nil || t != safetensors.F32 && t != safetensors.F16 {
		return fmt.Errorf("weights %s: type %q, wanted F32 or F16", path, dtype)
	}
	var failed error
	views := make(map[string]lazy, len(f.names))
	for _, name := range f.names {
		if err := f.wants(name); err != nil {
			return err
		}
		views[name] = lazy{f, name, t, &failed}
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		if err := safetensors.SerializeToWriter(views, meta, w); err != nil {
			return err
		}
		return failed
	})
}
