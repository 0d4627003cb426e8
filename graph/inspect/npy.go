package inspect

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"spotlighter/graph"
)

// WriteNPY writes a tensor of any shape as NumPy's .npy, version 1.0
// (numpy.lib.format): float32, float64 or, for Ints, int64. Gorgonia's writer has
// no Ints.
func WriteNPY(w io.Writer, t graph.Tensor) error {
	descr := "<i8"
	switch t.Dtype {
	case graph.Float32:
		descr = "<f4"
	case graph.Float64:
		descr = "<f8"
	}
	shape := ""
	for _, d := range t.Shape {
		shape += fmt.Sprintf("%d,", d)
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, shape)
	const prefix, align = 10, 64 // the data begin at a multiple of align
	header += strings.Repeat(" ", align-(prefix+len(header)+1)%align) + "\n"
	b := append([]byte("\x93NUMPY\x01\x00"), 0, 0)
	binary.LittleEndian.PutUint16(b[8:], uint16(len(header)))
	if _, err := w.Write(append(b, header...)); err != nil {
		return err
	}
	switch t.Dtype {
	case graph.Float32:
		return binary.Write(w, binary.LittleEndian, t.F32)
	case graph.Float64:
		return binary.Write(w, binary.LittleEndian, t.F64)
	}
	ints := make([]int64, len(t.Int))
	for i, v := range t.Int {
		ints[i] = int64(v)
	}
	return binary.Write(w, binary.LittleEndian, ints)
}
