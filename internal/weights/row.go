package weights

import (
	"fmt"
)

// Row reads row i of a tensor, along its first axis, into dst, which must have
// a row's length. Nothing else of the tensor is read.
func (f *File) Row(name string, i int, dst []float32) error {
	if err := f.wants(name); err != nil {
		return err
	}
	e := f.entries[name]
	if len(e.shape) == 0 || i < 0 || i >= e.shape[0] || len(dst) != product(e.shape[1:]) || e.stride != nil || e.joined != nil {
		return fmt.Errorf("weights %s: tensor %q %v has no row %d of %d values", f.name, name, e.shape, i, len(dst))
	}
	n := len(e.data) / e.shape[0]
	if _, err := toFloat32(dst, e.dtype, e.data[i*n:(i+1)*n]); err != nil {
		return fmt.Errorf("weights %s: tensor %q: %w", f.name, name, err)
	}
	return nil
}
