package interp

import (
	"context"
	"fmt"
	"sync"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/graph/cuda/kernels"
)

// Device is a graph.Device that computes each step twice, on the CPU and by the
// step's kernels, and fails where they differ; what follows goes on from the
// CPU's results. Where an op's result may lie over an operand it does that too.
type Device struct {
	// Host says which ops have no kernels and need none, nil for none.
	Host func(op graph.Op) bool
	// Record is called with each job that was right; nil for nobody.
	Record func(j *Job) error

	pool *cpu.Pool
	once sync.Once
}

// Tol is the tolerance of the jobs of a Device.
const Tol = 1e-5

// Name implements graph.Device.
func (*Device) Name() string { return "interpreter" }

// memory is a variable's copy.
type memory struct{ graph.Tensor }

func (m *memory) Upload(t graph.Tensor) error   { copyTo(m.Tensor, t); return nil }
func (m *memory) Download(t graph.Tensor) error { copyTo(t, m.Tensor); return nil }
func (m *memory) Free()                         {}

func copyTo(to, from graph.Tensor) {
	copy(to.F32, from.F32)
	copy(to.Int, from.Int)
}

// Alloc implements graph.Device.
func (*Device) Alloc(t graph.Type) (graph.Memory, error) {
	if t.Dtype == graph.Float64 {
		return nil, fmt.Errorf("the interpreter has no Float64")
	}
	return &memory{graph.NewTensor(t.Dtype, t.Shape...)}, nil
}

// executor runs a Code.
type executor struct {
	*Device
	code   *graph.Code
	values []graph.Tensor
	vars   map[*graph.Variable]*memory
}

// Compile implements graph.Device.
func (d *Device) Compile(c *graph.Code) (graph.Executor, error) {
	d.once.Do(func() { d.pool = cpu.NewPool(1) })
	e := &executor{Device: d, code: c, values: make([]graph.Tensor, len(c.Values)), vars: map[*graph.Variable]*memory{}}
	place := func(v *graph.Variable) (*memory, error) {
		m, err := v.Place(d)
		if err != nil {
			return nil, err
		}
		e.vars[v] = m.(*memory)
		return e.vars[v], nil
	}
	for i, v := range c.Values {
		switch {
		case v.Root != i || v.Input != "":
		case v.Var != nil:
			m, err := place(v.Var)
			if err != nil {
				return nil, err
			}
			e.values[i] = m.Tensor
		case v.Const != nil:
			e.values[i] = *v.Const
		default:
			e.values[i] = graph.NewTensor(v.Type.Dtype, v.Type.Shape...)
		}
	}
	for _, u := range c.Updates {
		if _, err := place(u.Var); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// Free implements graph.Executor.
func (*executor) Free() {}

// view gives a value its root's memory.
func (e *executor) view(i int) graph.Tensor {
	v := e.code.Values[i]
	t := e.values[v.Root]
	t.Shape = v.Type.Shape
	return t
}

// Run implements graph.Executor.
func (e *executor) Run(ctx context.Context, inputs, outputs []graph.Tensor) error {
	for k, i := range e.code.Inputs {
		e.values[i] = inputs[k]
	}
	for _, st := range e.code.Steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if e.code.Values[st.Out].Root != st.Out {
			continue // a view
		}
		in := make([]graph.Tensor, len(st.In))
		for k, i := range st.In {
			in[k] = e.view(i)
		}
		if err := e.step(st, e.values[st.Out], in); err != nil {
			return &graph.Error{Op: st.Op.Name(), Layer: st.Layer, Err: err}
		}
	}
	before := map[int]graph.Tensor{}
	for _, i := range e.code.Keep {
		t := graph.NewTensor(e.view(i).Dtype, e.view(i).Shape...)
		copyTo(t, e.view(i))
		before[i] = t
	}
	get := func(i int) graph.Tensor {
		if t, ok := before[i]; ok {
			return t
		}
		return e.view(i)
	}
	for k, i := range e.code.Outputs {
		copyTo(outputs[k], get(i))
	}
	for _, u := range e.code.Updates {
		copyTo(e.vars[u.Var].Tensor, get(u.Value))
	}
	return nil
}

// step computes a step on the CPU and by its kernels.
func (e *executor) step(st graph.CodeStep, out graph.Tensor, in []graph.Tensor) error {
	if e.Host == nil || !e.Host(st.Op) {
		if err := e.compare(st.Op, out, in); err != nil {
			return err
		}
	}
	return st.Op.Run(&graph.Ctx{Pool: e.pool}, out, in)
}

// compare runs the op's kernels and checks what they give, over each operand that
// the result may lie over, and with products by a library where the op has any.
func (e *executor) compare(op graph.Op, out graph.Tensor, in []graph.Tensor) error {
	want, failed := Exact(e.pool, op, out, in)
	overs := []int{-1}
	if o, ok := op.(graph.Overwriter); ok {
		for k, t := range in {
			if t.Dtype == out.Dtype && fmt.Sprint(t.Shape) == fmt.Sprint(out.Shape) && o.Overwrites(k) {
				overs = append(overs, k)
			}
		}
	}
	for _, over := range overs {
		j, err := NewJob(op, want, in, over, nil)
		if err != nil {
			return err
		}
		if err := e.check(j, failed); err != nil {
			return err
		}
		products := 0
		j, err = NewJob(op, want, in, over, func(kernels.Product) bool { products++; return true })
		if err != nil {
			return err
		}
		if products > 0 {
			if err := e.check(j, failed); err != nil {
				return fmt.Errorf("with products by a library: %w", err)
			}
		}
	}
	return nil
}

// check runs a job, which must fail as the CPU does, if that did.
func (e *executor) check(j *Job, failed error) error {
	by, err := Shipped()
	if err != nil {
		return err
	}
	if failed != nil {
		r, err := j.Run(by, 0)
		if err != nil {
			return err
		}
		if _, any := kernels.CheckedTag(r.Status); !any {
			return fmt.Errorf("the kernels report nothing, the CPU %v", failed)
		}
		if said := j.List.CheckError(r.Status); said.Error() != failed.Error() {
			return fmt.Errorf("the kernels report %v, the CPU %v", said, failed)
		}
		j.Status = r.Status
	}
	if _, err := j.Check(by, 0); err != nil {
		return err
	}
	if e.Record != nil {
		return e.Record(j)
	}
	return nil
}

// Exact runs op on the CPU in Float64, where its operands are floats.
func Exact(p *cpu.Pool, op graph.Op, out graph.Tensor, in []graph.Tensor) (graph.Tensor, error) {
	wide := make([]graph.Tensor, len(in))
	for i, t := range in {
		wide[i] = t.Convert(graph.Float64)
	}
	to := graph.NewTensor(graph.Int, out.Shape...)
	if out.Dtype != graph.Int {
		to = graph.NewTensor(graph.Float64, out.Shape...)
	}
	return to, op.Run(&graph.Ctx{Pool: p}, to, wide)
}

// NewJob lowers op on operands, which are copied. Library, if not nil, says which
// products are a library's: see kernels.List.
func NewJob(op graph.Op, want graph.Tensor, in []graph.Tensor, over int, library func(kernels.Product) bool) (*Job, error) {
	lower, ok := op.(kernels.Op)
	if !ok {
		return nil, fmt.Errorf("no CUDA kernel")
	}
	j := &Job{Name: op.Name(), List: &kernels.List{Multiply: library}, Want: want, Over: over, Tol: Tol}
	for _, t := range in {
		c := graph.NewTensor(t.Dtype, t.Shape...)
		copyTo(c, t)
		j.In = append(j.In, c)
	}
	ts, to := slots(in, graph.Type{Shape: want.Shape, Dtype: want.Dtype}, over)
	return j, lower.Lower(j.List, to, ts)
}
