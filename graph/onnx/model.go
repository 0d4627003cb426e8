package onnx

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math"
	"path/filepath"
	"slices"

	"spotlighter/internal/atomicfile"
)

// Model is a program as ONNX has it. Its weights are the program's memory, not a
// copy.
type Model struct {
	// Meta is what readers are told beside the graph, by key.
	Meta map[string]string

	inputs, outputs []Operand
	nodes           []node
	weights, consts []initializer
}

// Inputs are the names of what a model is fed.
func (m *Model) Inputs() []string { return names(m.inputs) }

// Outputs are the names of what a model computes.
func (m *Model) Outputs() []string { return names(m.outputs) }

func names(of []Operand) []string {
	var list []string
	for _, x := range of {
		list = append(list, string(x.Value))
	}
	return list
}

// Nodes is the number of operators.
func (m *Model) Nodes() int { return len(m.nodes) }

// Versions of onnx.proto and of the standard operators.
const (
	irVersion = 9
	opset     = 18
)

// limit is the size in bytes that a message can have.
var limit = math.MaxInt32

// Save writes the model to a file. Weights that make it larger than a protocol
// buffer can be go to a second file, of the same name and .data, which must stay
// beside it.
func (m *Model) Save(path string) (written []string, err error) {
	if m.bytes() <= limit {
		return []string{path}, atomicfile.Write(path, func(w io.Writer) error { return m.write(w, "") })
	}
	data := path + ".data"
	err = atomicfile.Write(data, func(w io.Writer) error {
		b := bufio.NewWriter(w)
		for _, x := range m.weights {
			if err := x.write(b); err != nil {
				return err
			}
		}
		return b.Flush()
	})
	if err != nil {
		return nil, err
	}
	return []string{path, data}, atomicfile.Write(path, func(w io.Writer) error { return m.write(w, filepath.Base(data)) })
}

// bytes is about the size of the model in one file, and no less.
func (m *Model) bytes() int {
	n := len(m.graph())
	for _, list := range [][]initializer{m.weights, m.consts} {
		for _, x := range list {
			n += len(x.head()) + x.size() + 2*maxHead
		}
	}
	return n + maxHead
}

// maxHead is more than the tag and size of a field take.
const maxHead = 16

// write encodes the model; the weights' elements are in a file of that name, or
// here.
func (m *Model) write(w io.Writer, data string) error {
	head := message(nil).number(modelIR, irVersion).text(modelProducer, "spotlighter").
		sub(modelOpset, message(nil).number(opsetVersion, opset))
	for _, k := range slices.Sorted(maps.Keys(m.Meta)) {
		head = head.sub(modelMetadata, message(nil).text(entryKey, k).text(entryValue, m.Meta[k]))
	}
	body := m.graph()
	// An initializer is a piece of the message, with its elements after it.
	type piece struct {
		head message
		of   *initializer
	}
	var pieces []piece
	size, offset := len(body), 0
	add := func(x *initializer, outside string) {
		h := x.head()
		if outside != "" {
			entry := func(k, v string) { h = h.sub(tensorExternal, message(nil).text(entryKey, k).text(entryValue, v)) }
			entry("location", outside)
			entry("offset", fmt.Sprint(offset))
			entry("length", fmt.Sprint(x.size()))
			offset += x.size()
			h = h.number(tensorLocation, locatedOutside)
			h = append(message(nil).open(graphInitializer, len(h)), h...)
			x = nil
		} else {
			h = h.open(tensorRaw, x.size())
			h = append(message(nil).open(graphInitializer, len(h)+x.size()), h...)
			size += x.size()
		}
		size += len(h)
		pieces = append(pieces, piece{h, x})
	}
	for i := range m.weights {
		add(&m.weights[i], data)
	}
	for i := range m.consts {
		add(&m.consts[i], "")
	}
	if size > limit {
		return fmt.Errorf("ONNX files hold %d bytes, without its weights this model has %d", limit, size)
	}
	b := bufio.NewWriter(w)
	b.Write(head.open(modelGraph, size))
	b.Write(body)
	for _, p := range pieces {
		b.Write(p.head)
		if p.of != nil {
			if err := p.of.write(b); err != nil {
				return err
			}
		}
	}
	return b.Flush()
}

// graph encodes all of the graph but the initializers.
func (m *Model) graph() message {
	g := message(nil)
	for _, n := range m.nodes {
		g = g.sub(graphNode, n.encode())
	}
	g = g.text(graphName, "spotlighter")
	for _, x := range m.inputs {
		g = g.sub(graphInput, encodeValue(string(x.Value), x.Type))
	}
	for _, x := range m.outputs {
		g = g.sub(graphOutput, encodeValue(string(x.Value), x.Type))
	}
	return g
}

// write writes the elements.
func (i initializer) write(w *bufio.Writer) error {
	const part = 1 << 12
	var b []byte
	for lo, n := 0, i.value.Len(); lo < n; lo += part {
		b = i.appendElements(b[:0], lo, min(lo+part, n))
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}
