package weights

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/nlpodyssey/safetensors"

	"spotlighter/internal/atomicfile"
)

// encoded is one tensor ready to be written; it implements safetensors.View.
type encoded struct {
	dtype safetensors.DType
	shape []uint64
	data  []byte
}

func (e encoded) DType() safetensors.DType { return e.dtype }
func (e encoded) Shape() []uint64          { return e.shape }
func (e encoded) Data() []byte             { return e.data }
func (e encoded) DataLen() uint64          { return uint64(len(e.data)) }

// Save writes the tensors to path, whole or not at all, as dtype "F32" or
// "F16". The same tensors and metadata give the same bytes: names are sorted.
func Save(path string, tensors map[string]Tensor, meta map[string]string, dtype string) error {
	t, err := safetensors.ParseDType(dtype)
	if err != nil || t != safetensors.F32 && t != safetensors.F16 {
		return fmt.Errorf("weights %s: type %q, wanted F32 or F16", path, dtype)
	}
	views := make(map[string]encoded, len(tensors))
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		v, err := encode(name, tensors[name], t)
		if err != nil {
			return fmt.Errorf("weights %s: tensor %q: %w", path, name, err)
		}
		views[name] = v
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		return safetensors.SerializeToWriter(views, meta, w)
	})
}

func encode(name string, x Tensor, t safetensors.DType) (encoded, error) {
	if name == "__metadata__" {
		return encoded{}, fmt.Errorf("the name is reserved by the format")
	}
	shape, count := make([]uint64, len(x.Shape)), 1
	for i, d := range x.Shape {
		if d < 0 {
			return encoded{}, fmt.Errorf("shape %v has a negative side", x.Shape)
		}
		shape[i] = uint64(d)
		count *= d
	}
	if count != len(x.Data) {
		return encoded{}, fmt.Errorf("shape %v wants %d values, found %d", x.Shape, count, len(x.Data))
	}
	data, err := fromFloat32(t, x.Data)
	return encoded{dtype: t, shape: shape, data: data}, err
}
