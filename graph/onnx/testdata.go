package onnx

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"spotlighter/graph"
	"spotlighter/internal/atomicfile"
)

// TestData is the folder, beside a model, of what goes into it and comes out of it,
// as ONNX's own tests have it: input_0.pb and so on, in the order of the inputs, and
// output_0.pb.
const TestData = "test_data_set_0"

// SaveTestData writes the folder TestData in dir: what a run of the program was fed,
// by name, and what it computed.
func (m *Model) SaveTestData(dir string, feeds map[string]graph.Tensor, p *graph.Program) error {
	dir = filepath.Join(dir, TestData)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i, name := range m.Inputs() {
		if err := saveTensor(filepath.Join(dir, fmt.Sprintf("input_%d.pb", i)), name, feeds[name]); err != nil {
			return err
		}
	}
	for i, name := range m.Outputs() {
		if err := saveTensor(filepath.Join(dir, fmt.Sprintf("output_%d.pb", i)), name, p.Output(name)); err != nil {
			return err
		}
	}
	return nil
}

func saveTensor(path, name string, t graph.Tensor) error {
	x := initializer{Value(name), t}
	return atomicfile.Write(path, func(w io.Writer) error {
		b := bufio.NewWriter(w)
		if _, err := b.Write(x.head().open(tensorRaw, x.size())); err != nil {
			return err
		}
		if err := x.write(b); err != nil {
			return err
		}
		return b.Flush()
	})
}
