package onnx

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"spotlighter/graph"
)

// Export makes a model of a program, which must be on the CPU and in Float32, and
// compute no updates. twin is the same program for another number of items: what
// differs is the batch, which the model leaves open. Without a twin, nil, every
// shape is as the program's.
func Export(p, twin *graph.Program) (*Model, error) {
	c := p.Code()
	if twin == nil {
		return export(c, c)
	}
	d := twin.Code()
	m, err := export(c, d)
	if err != nil {
		return nil, err
	}
	back, err := export(d, c)
	if err != nil {
		return nil, err
	}
	return m, m.same(back)
}

// ErrFixed is in the errors of programs that do more to a batch than to its items:
// one can be exported for a number of items alone.
var ErrFixed = errors.New("it depends on the number of items beyond its shapes: only a fixed batch can be exported")

// same refuses a model whose twin is not the same: then it is wrong to leave the
// batch open.
func (m *Model) same(twin *Model) error {
	for i, c := range m.consts {
		if i >= len(twin.consts) || !reflect.DeepEqual(c, twin.consts[i]) {
			return fmt.Errorf("onnx: %s: %w", path.Dir(string(c.name)), ErrFixed)
		}
	}
	for i, n := range m.nodes {
		if i >= len(twin.nodes) || !reflect.DeepEqual(n, twin.nodes[i]) {
			return fmt.Errorf("onnx: %s: %w", path.Dir(string(n.out[0])), ErrFixed)
		}
	}
	return nil
}

// exporter makes a model of a code.
type exporter struct {
	Builder
	code, twin *graph.Code
	is, was    int // the batch, here and in the twin; equal where it is fixed
	values     []Value
}

func export(code, twin *graph.Code) (*Model, error) {
	e := &exporter{Builder: Builder{names: map[string]int{}}, code: code, twin: twin, values: make([]Value, len(code.Values))}
	if len(code.Values) != len(twin.Values) || len(code.Steps) != len(twin.Steps) || len(code.Inputs) != len(twin.Inputs) {
		return nil, fmt.Errorf("onnx: another number of items has other ops: %w", ErrFixed)
	}
	if len(code.Updates) > 0 {
		return nil, fmt.Errorf("onnx: the program updates %s: what trains is not exported", code.Updates[0].Var.Name)
	}
	outputs := slices.Sorted(maps.Keys(code.Names))
	for _, name := range outputs {
		e.names[name]++
	}
	m := &Model{Meta: map[string]string{}}
	if err := e.inputs(m); err != nil {
		return nil, err
	}
	count := map[string]int{}
	for i := range code.Steps {
		at := code.Steps[i].Op.Name()
		if l := code.Steps[i].Layer; l != "" {
			at = l + "/" + at
		}
		if count[at]++; count[at] > 1 {
			at = fmt.Sprintf("%s:%d", at, count[at])
		}
		e.at = strings.ReplaceAll(at, " ", "-")
		if err := e.step(i); err != nil {
			return nil, fmt.Errorf("onnx: %s: %w", e.at, err)
		}
	}
	e.at = ""
	for _, name := range outputs {
		v, err := e.operand(code.Names[name])
		if err != nil {
			return nil, fmt.Errorf("onnx: output %s: %w", name, err)
		}
		e.nodes = append(e.nodes, node{"Identity", []Value{v.Value}, []Value{Value(name)}, nil})
		m.outputs = append(m.outputs, Operand{Value(name), v.Type})
	}
	m.nodes, m.weights, m.consts = e.nodes, e.weights, e.consts
	return m, e.err
}

// inputs finds the batch and declares the inputs.
func (e *exporter) inputs(m *Model) error {
	for k, i := range e.code.Inputs {
		a, b := e.code.Values[i].Type.Shape, e.twin.Values[e.twin.Inputs[k]].Type.Shape
		if len(a) == 0 || len(b) == 0 || a[0] == b[0] {
			continue
		}
		if e.is != 0 && (e.is != a[0] || e.was != b[0]) {
			return fmt.Errorf("onnx: input %s has %d items, others %d", e.code.Values[i].Input, a[0], e.is)
		}
		e.is, e.was = a[0], b[0]
	}
	for _, i := range e.code.Inputs {
		t, err := e.typ(i)
		if err != nil {
			return fmt.Errorf("onnx: input %s: %w", e.code.Values[i].Input, err)
		}
		name := e.code.Values[i].Input
		if e.names[name] > 0 {
			return fmt.Errorf("onnx: input %s: an output has its name", name)
		}
		x := Operand{e.name(name), t}
		e.values[i] = x.Value
		m.inputs = append(m.inputs, x)
		if len(t.Shape) > 0 && t.Shape[0] == -1 {
			e.items = x
		}
	}
	return nil
}

// typ is a value's type, as its shapes here and in the twin tell.
func (e *exporter) typ(i int) (Type, error) {
	here, there := e.code.Values[i].Type, e.twin.Values[i].Type
	if here.Dtype == graph.Float64 {
		return Type{}, fmt.Errorf("floats are %v, want %v", here.Dtype, graph.Float32)
	}
	shape, err := e.shape(here.Shape, there.Shape)
	return Type{shape, here.Dtype == graph.Int}, err
}

func (e *exporter) shape(here, there graph.Shape) ([]int, error) {
	if len(here) != len(there) {
		return nil, ErrFixed
	}
	shape := make([]int, len(here))
	for a, d := range here {
		switch {
		case d == there[a]:
			shape[a] = d
		case e.is != 0 && d%e.is == 0 && there[a] == d/e.is*e.was:
			shape[a] = -d / e.is
		default:
			return nil, fmt.Errorf("axis %d is %d for %d items and %d for %d: %w", a, d, e.is, there[a], e.was, ErrFixed)
		}
	}
	return shape, nil
}

// step writes one op.
func (e *exporter) step(i int) error {
	st, twin := e.code.Steps[i], e.twin.Steps[i]
	if !slices.Equal(st.In, twin.In) || st.Out != twin.Out {
		return ErrFixed
	}
	op, ok := st.Op.(Op)
	if !ok {
		return fmt.Errorf("op %s has no form in ONNX", st.Op.Name())
	}
	out, err := e.typ(st.Out)
	if err != nil {
		return err
	}
	in := make([]Operand, len(st.In))
	for k, v := range st.In {
		if in[k], err = e.operand(v); err != nil {
			return err
		}
	}
	if e.values[st.Out], err = op.ONNX(&e.Builder, out, in); err != nil {
		return err
	}
	return e.err
}

// operand is a value that was computed, or makes a weight, a constant or a view.
func (e *exporter) operand(i int) (Operand, error) {
	t, err := e.typ(i)
	if err != nil {
		return Operand{}, err
	}
	v := e.code.Values[i]
	switch {
	case e.values[i] != "":
	case v.Root != i:
		root, err := e.operand(v.Root)
		if err != nil {
			return Operand{}, err
		}
		e.values[i] = root.Value
		if !slices.Equal(root.Shape, t.Shape) {
			e.values[i] = e.Reshape(root.Value, t.Shape...)
		}
	case v.Var != nil:
		if v.Var.Value.F32 == nil && v.Var.Value.Int == nil {
			return Operand{}, fmt.Errorf("variable %s has no value", v.Var.Name)
		}
		at := e.at
		e.at = ""
		e.weights = append(e.weights, initializer{e.name(v.Var.Name), v.Var.Value})
		e.at, e.values[i] = at, e.weights[len(e.weights)-1].name
	case v.Const != nil:
		if e.values[i], err = e.leaf(*v.Const, *e.twin.Values[i].Const, t); err != nil {
			return Operand{}, err
		}
	default:
		return Operand{}, errors.New("it is computed after it is read")
	}
	return Operand{e.values[i], t}, nil
}

// leaf writes a constant. One whose first axis is the batch's must be the same for
// each item, and is repeated.
func (e *exporter) leaf(here, there graph.Tensor, t Type) (Value, error) {
	if count(t.Shape) >= 0 {
		return e.constant(here), nil
	}
	if t.Shape[0] >= 0 {
		return "", fmt.Errorf("constant of shape %v: %w", []int(here.Shape), ErrFixed)
	}
	one := graph.NewTensor(here.Dtype, append([]int{1, -t.Shape[0]}, t.Shape[1:]...)...)
	for _, of := range []graph.Tensor{here, there} {
		if !repeats(of.F32, one.F32, here.F32) || !repeats(of.Int, one.Int, here.Int) {
			return "", fmt.Errorf("constant of shape %v: %w", []int(here.Shape), ErrFixed)
		}
	}
	x := Operand{e.constant(one), Type{one.Shape, t.Int}}
	return e.Reshape(e.Expand(x, append([]int{-1}, one.Shape[1:]...)...), t.Shape...), nil
}

// repeats fills one with the begin of first and says whether all is one, over and
// over.
func repeats[T comparable](all, one, first []T) bool {
	copy(one, first)
	for i, v := range all {
		if v != one[i%len(one)] {
			return false
		}
	}
	return true
}
