package graph

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
)

// Device runs programs in a memory of its own, in place of the CPU. Its methods
// may be called from any goroutine.
type Device interface {
	// Name is what a user calls it, such as "cuda:0".
	Name() string
	// Compile makes the device's program. It allocates all the memory that a Run
	// needs, the variables' with Variable.Place, or says what is lacking. An op
	// that the device cannot run is an error that names it.
	Compile(c *Code) (Executor, error)
	// Alloc returns memory for a value.
	Alloc(t Type) (Memory, error)
}

// Memory is a variable's place on a device.
type Memory interface {
	Upload(t Tensor) error   // from the host
	Download(t Tensor) error // to the host
	Free()
}

// Executor is a program on a device.
type Executor interface {
	// Run copies the inputs, in the order of Code.Inputs, to the device, runs the
	// steps, and copies the outputs, in the order of Code.Outputs, to the host.
	// Then it writes the updates; if it returns an error it has written none.
	Run(ctx context.Context, inputs, outputs []Tensor) error
	Free()
}

// Code is a compiled graph, as a Device gets it: the steps that the CPU would
// run, in its order and with its plan of the memory.
type Code struct {
	Steps   []CodeStep
	Values  []CodeValue
	Arena   map[Dtype]int // elements that the computed values take, by type
	Inputs  []int         // values
	Outputs []int         // values that the host wants, each once
	Updates []CodeUpdate
	// Keep lists the outputs and updates that lie in the memory of a variable which
	// an update writes. They are worth what it was before.
	Keep []int
	// Names are the outputs' values by name.
	Names map[string]int
}

// CodeStep is one op: its operands and its result are values.
type CodeStep struct {
	Op    Op
	Layer string
	In    []int
	Out   int
}

// CodeValue is a value and where it lies. One with a Root other than itself is a
// view of that one's memory; of the others one of Var, Input and Const is set,
// or else it is computed and lies in the arena of its type.
type CodeValue struct {
	Type  Type
	Root  int
	Off   int // in the arena, in elements
	Var   *Variable
	Input string
	Const *Tensor
}

// CodeUpdate writes a value into a variable.
type CodeUpdate struct {
	Var   *Variable
	Value int
}

// On makes d run the programs that are compiled over this store, and over the
// stores based on it, from now on; nil is the CPU.
func (s *Store) On(d Device) { s.on = d }

// device is what runs programs over the store, nil for the CPU.
func (s *Store) device() Device {
	if s.on != nil || s.base == nil {
		return s.on
	}
	return s.base.device()
}

// Sync brings the store's own variables that programs have changed on a device
// back to the host. Until then their Values are without elements.
func (s *Store) Sync() error {
	for _, v := range s.Variables() {
		if err := v.sync(); err != nil {
			return err
		}
	}
	return nil
}

// residence is a variable's copy on a device.
type residence struct {
	mu     sync.Mutex
	device Device
	memory Memory
	host   Tensor // the memory of the Value that the device has, or had, a copy of
	newer  bool   // the device's copy is newer than host, and Value is empty
	shown  bool   // Value was brought to the host since: who reads it may have changed it
}

// Place returns the variable's memory on d, which is allocated by the first
// call and kept as long as the variable is.
func (v *Variable) Place(d Device) (Memory, error) {
	r := &v.residence
	if r.device != nil && r.device != d {
		if err := v.sync(); err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.device == d {
		return r.memory, nil
	}
	m, err := d.Alloc(v.Type)
	if err != nil {
		return nil, err
	}
	runtime.AddCleanup(v, func(m Memory) { m.Free() }, m)
	r.device, r.memory, r.host = d, m, Tensor{}
	return m, nil
}

// On says whether the variable has its memory on d.
func (v *Variable) On(d Device) bool {
	v.residence.mu.Lock()
	defer v.residence.mu.Unlock()
	return v.residence.device == d
}

// upload gives d the Value, unless it has it.
func (v *Variable) upload(d Device) error {
	r := &v.residence
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.device != d {
		return &Error{What: fmt.Sprintf("variable %s left %s after this program was compiled", v.Name, d.Name())}
	}
	if !v.Value.filled() || (v.Value.where() == r.host.where() && !r.shown) {
		return nil
	}
	if err := r.memory.Upload(v.Value); err != nil {
		return err
	}
	r.host, r.newer, r.shown = v.Value, false, false
	return nil
}

// leave says that the device's copy was written.
func (v *Variable) leave() {
	r := &v.residence
	r.mu.Lock()
	defer r.mu.Unlock()
	if v.Value.filled() {
		r.host = v.Value
	}
	r.newer, v.Value = true, Tensor{Shape: v.Type.Shape, Dtype: v.Type.Dtype}
}

func (v *Variable) sync() error {
	r := &v.residence
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.newer {
		return nil
	}
	if v.Value.filled() { // set by the host, and not uploaded yet
		r.newer = false
		return nil
	}
	if err := r.memory.Download(r.host); err != nil {
		return err
	}
	v.Value, r.newer, r.shown = r.host, false, true
	return nil
}

// loaded is a program's life on a device.
type loaded struct {
	Executor
	device          Device
	inputs, outputs []Tensor
	values          []int // of the outputs
}

// Code describes the program as a Device gets it.
func (p *Program) Code() *Code {
	c := &Code{Arena: p.plan.arena, Names: maps.Clone(p.outputs)}
	for _, v := range p.plan.values {
		c.Values = append(c.Values, CodeValue{Type: v.typ, Root: v.root, Off: v.off})
	}
	for _, st := range p.plan.steps {
		if !st.view {
			c.Steps = append(c.Steps, CodeStep{st.op, st.layer, st.in, st.out})
		}
	}
	for _, f := range p.fed {
		c.Values[f.value].Input = f.name
		c.Inputs = append(c.Inputs, f.value)
	}
	for _, b := range p.vars {
		c.Values[b.value].Var = b.v
	}
	for i, v := range p.plan.values {
		if v.leaf && c.Values[i].Input == "" && c.Values[i].Var == nil {
			c.Values[i].Const = &p.values[i]
		}
	}
	for _, u := range p.updates {
		c.Updates = append(c.Updates, CodeUpdate{u.v, u.value})
	}
	for i := range p.before {
		c.Keep = append(c.Keep, i)
	}
	for _, i := range p.outputs {
		if !slices.Contains(c.Outputs, i) {
			c.Outputs = append(c.Outputs, i)
		}
	}
	slices.Sort(c.Keep)
	slices.Sort(c.Outputs)
	return c
}

// load compiles the program for a device.
func (p *Program) load(d Device) error {
	c := p.Code()
	l := &loaded{device: d, inputs: make([]Tensor, len(c.Inputs))}
	var err error
	if l.Executor, err = d.Compile(c); err != nil {
		return err
	}
	for _, i := range c.Outputs {
		p.values[i] = NewTensor(p.plan.values[i].typ.Dtype, p.plan.values[i].typ.Shape...)
		l.outputs, l.values = append(l.outputs, p.values[i]), append(l.values, i)
	}
	runtime.AddCleanup(p, func(e Executor) { e.Free() }, l.Executor)
	p.loaded = l
	return nil
}

// runLoaded is Run on a device, when the inputs are fed.
func (p *Program) runLoaded(ctx context.Context) error {
	l := p.loaded
	for k, f := range p.fed {
		l.inputs[k] = p.values[f.value]
	}
	for _, b := range p.vars {
		if err := b.v.upload(l.device); err != nil {
			return err
		}
	}
	for k, i := range l.values {
		p.values[i] = l.outputs[k]
	}
	if err := l.Run(ctx, l.inputs, l.outputs); err != nil {
		return err
	}
	for _, u := range p.updates {
		u.v.leave()
	}
	return nil
}
