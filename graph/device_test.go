package graph

import (
	"context"
	"errors"
	"slices"
	"testing"

	"spotlighter/graph/cpu"
)

// hostDevice is a device whose memory is the host's and whose kernels are the
// CPU's. It counts what is copied to it.
type hostDevice struct {
	uploads int  // of variables
	fail    bool // the next Run
}

type hostMemory struct {
	d *hostDevice
	t Tensor
}

func (d *hostDevice) Name() string { return "host" }
func (d *hostDevice) Alloc(t Type) (Memory, error) {
	return &hostMemory{d, NewTensor(t.Dtype, t.Shape...)}, nil
}
func (m *hostMemory) Upload(t Tensor) error   { m.d.uploads++; m.t.copyFrom(t); return nil }
func (m *hostMemory) Download(t Tensor) error { t.copyFrom(m.t); return nil }
func (m *hostMemory) Free()                   {}

type hostExecutor struct {
	d      *hostDevice
	c      *Code
	values []Tensor
	ctx    *Ctx
}

func (d *hostDevice) Compile(c *Code) (Executor, error) {
	e := &hostExecutor{d, c, make([]Tensor, len(c.Values)), &Ctx{Pool: cpu.NewPool(1)}}
	arenas := map[Dtype]Tensor{}
	for t, n := range c.Arena {
		arenas[t] = NewTensor(t, n)
	}
	for i, v := range c.Values {
		switch {
		case v.Root != i:
			e.values[i] = e.values[v.Root]
			e.values[i].Shape = v.Type.Shape
		case v.Var != nil:
			m, err := v.Var.Place(d)
			if err != nil {
				return nil, err
			}
			e.values[i] = m.(*hostMemory).t
		case v.Input != "":
			e.values[i] = NewTensor(v.Type.Dtype, v.Type.Shape...)
		case v.Const != nil:
			e.values[i] = *v.Const
		default:
			e.values[i] = arenas[v.Type.Dtype].slice(v.Off, v.Type.Shape)
		}
	}
	return e, nil
}

func (e *hostExecutor) Free() {}

func (e *hostExecutor) Run(_ context.Context, inputs, outputs []Tensor) error {
	for k, i := range e.c.Inputs {
		e.values[i].copyFrom(inputs[k])
	}
	for _, st := range e.c.Steps {
		var in []Tensor
		for _, v := range st.In {
			in = append(in, e.values[v])
		}
		if err := st.Op.Run(e.ctx, e.values[st.Out], in); err != nil {
			return err
		}
	}
	if e.d.fail {
		return errors.New("the device failed")
	}
	values := slices.Clone(e.values)
	for _, i := range e.c.Keep {
		values[i] = values[i].clone()
	}
	for k, i := range e.c.Outputs {
		outputs[k].copyFrom(values[i])
	}
	for _, u := range e.c.Updates {
		m, err := u.Var.Place(e.d)
		if err != nil {
			return err
		}
		m.(*hostMemory).t.copyFrom(values[u.Value])
	}
	return nil
}

// doubled is a program that adds x to a variable, and gives what it was before.
func doubled(t *testing.T, d Device) (*Store, *Program) {
	t.Helper()
	store := NewStore(nil)
	store.On(d)
	s := New(NewStore(store), Float32)
	w := s.Var("w", Trainable, Values([]float32{1, 2, 3}), 3)
	k := s.Const(Floats([]float32{10, 10, 10}, 3))
	x := s.Input("x", Float32, 3)
	next := Apply(sum{}, Apply(sum{}, w, x), k)
	p, err := s.Compile(cpu.NewPool(1), map[string]*Node{"w": w, "next": next}, Update{s.Find("w"), next})
	if err != nil {
		t.Fatal(err)
	}
	return s.Store(), p
}

func runDoubled(t *testing.T, p *Program) error {
	t.Helper()
	return p.Run(context.Background(), map[string]Tensor{"x": Floats([]float32{1, 1, 1}, 3)})
}

// A program on a device computes what it computes on the CPU; the variable stays
// on the device until it is asked for.
func TestDevice(t *testing.T) {
	d := &hostDevice{}
	store, p := doubled(t, d)
	_, onCPU := doubled(t, nil)
	for range 3 {
		for _, p := range []*Program{p, onCPU} {
			if err := runDoubled(t, p); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"w", "next"} {
			if got, want := p.Output(name).F32, onCPU.Output(name).F32; !slices.Equal(got, want) {
				t.Errorf("%s is %v on the device, %v on the CPU", name, got, want)
			}
		}
	}
	w := store.Find("w")
	if w.Value.filled() {
		t.Error("the host has a value of a variable that the device changed")
	}
	if w.Value.Len() != 3 {
		t.Errorf("the variable is of %d elements", w.Value.Len())
	}
	if d.uploads != 1 {
		t.Errorf("%d uploads, want one of w", d.uploads)
	}
	for range 2 {
		if err := store.Sync(); err != nil {
			t.Fatal(err)
		}
		if want := []float32{34, 35, 36}; !slices.Equal(w.Value.F32, want) {
			t.Fatalf("w is %v after three steps, want %v", w.Value.F32, want)
		}
	}
}

// What the host gives a variable, in place or as a new value, the next Run sees.
func TestDeviceSeesTheHostsValues(t *testing.T) {
	d := &hostDevice{}
	store, p := doubled(t, d)
	w := store.Find("w")
	step := func(want float32) {
		t.Helper()
		if err := runDoubled(t, p); err != nil {
			t.Fatal(err)
		}
		if got := p.Output("w").F32[0]; got != want {
			t.Errorf("the step began at %g, want %g", got, want)
		}
	}
	step(1)
	if err := store.Sync(); err != nil {
		t.Fatal(err)
	}
	w.Value.F32[0] = 100
	step(100)
	w.Value = Floats([]float32{200, 0, 0}, 3) // while the device has the newer one
	if err := store.Sync(); err != nil {
		t.Fatal(err)
	}
	step(200)
	if err := store.Load(map[string]Tensor{"w": Floats([]float32{300, 0, 0}, 3)}); err != nil {
		t.Fatal(err)
	}
	step(300)
	step(311)
}

// A variable goes to another device by the host.
func TestDeviceChange(t *testing.T) {
	a, b := &hostDevice{}, &hostDevice{}
	store, p := doubled(t, a)
	if err := runDoubled(t, p); err != nil {
		t.Fatal(err)
	}
	w := store.Find("w")
	if !w.On(a) || w.On(b) {
		t.Error("the variable is not where the program ran")
	}
	if _, err := w.Place(b); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(w.Value.F32, []float32{12, 13, 14}) || w.On(a) || !w.On(b) {
		t.Errorf("w is %v, want what a's step made of it", w.Value.F32)
	}
	if err := runDoubled(t, p); err == nil {
		t.Error("a's program ran without its variable")
	}
}

// A Run that fails leaves the variables as they were.
func TestDeviceFailure(t *testing.T) {
	d := &hostDevice{fail: true}
	store, p := doubled(t, d)
	if err := runDoubled(t, p); err == nil {
		t.Fatal("no error")
	}
	if w := store.Find("w").Value.F32; !slices.Equal(w, []float32{1, 2, 3}) {
		t.Errorf("w is %v after a Run that failed", w)
	}
	d.fail = false
	if err := runDoubled(t, p); err != nil || p.Output("w").F32[0] != 1 {
		t.Errorf("the next Run: %v, began at %v", err, p.Output("w").F32)
	}
}
