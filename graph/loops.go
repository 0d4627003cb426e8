package graph

import (
	"unsafe"

	"spotlighter/graph/cpu"
)

// Ctx is what a kernel runs with.
type Ctx struct {
	*cpu.Pool
	scratch Tensor // reused from op to op
	double  Tensor
	kept    *[]loop // nil, or where the running op's work is kept
}

// Looper marks an Op whose Run does all of its work in the functions that it
// hands to its Ctx: For, ForWorker and Do. A Program keeps these functions and
// calls them again, instead of Run, as long as the op's operands stay where they
// are: a step of training then allocates nothing.
type Looper interface{ Loops() }

// loop is a piece of an op's work; one of its functions is set.
type loop struct {
	n, grain int
	f        func(lo, hi int)
	fw       func(worker, lo, hi int)
	do       func() error
}

func (l *loop) run(p *cpu.Pool) error {
	switch {
	case l.f != nil:
		p.For(l.n, l.grain, l.f)
	case l.fw != nil:
		p.ForWorker(l.n, l.grain, l.fw)
	default:
		return l.do()
	}
	return nil
}

func (c *Ctx) run(l loop) error {
	if c.kept != nil {
		*c.kept = append(*c.kept, l)
	}
	return l.run(c.Pool)
}

// For is the Pool's For.
func (c *Ctx) For(n, grain int, f func(lo, hi int)) { _ = c.run(loop{n: n, grain: grain, f: f}) }

// ForWorker is the Pool's ForWorker.
func (c *Ctx) ForWorker(n, grain int, f func(worker, lo, hi int)) {
	_ = c.run(loop{n: n, grain: grain, fw: f})
}

// Do calls f, what a Looper has to do between its loops. An error ends the op,
// and Run must return it.
func (c *Ctx) Do(f func() error) error { return c.run(loop{do: f}) }

// Scratch returns n elements for a kernel's own use until it returns; their
// content is not defined. Only one call an op.
func Scratch[T cpu.Float](c *Ctx, n int) []T {
	var zero T
	if _, ok := any(zero).(float64); ok {
		if len(c.double.F64) < n {
			c.double = NewTensor(Float64, n)
		}
		return any(c.double.F64[:n]).([]T)
	}
	if len(c.scratch.F32) < n {
		c.scratch = NewTensor(Float32, n)
	}
	return any(c.scratch.F32[:n]).([]T)
}

// work is what a Program keeps of a Looper's Run.
type work struct {
	loops []loop
	on    []unsafe.Pointer // where the operands were
}

// again repeats the work if it was done on these operands.
func (w *work) again(p *cpu.Pool, in []Tensor) (done bool, err error) {
	if len(w.loops) == 0 {
		return false, nil
	}
	for i, t := range in {
		if w.on[i] != t.where() {
			return false, nil
		}
	}
	for i := range w.loops {
		if err := w.loops[i].run(p); err != nil {
			return true, err
		}
	}
	return true, nil
}

// keep runs the op and keeps what it did, unless it failed.
func (w *work) keep(c *Ctx, op Op, out Tensor, in []Tensor) error {
	w.loops, w.on = w.loops[:0], w.on[:0]
	for _, t := range in {
		w.on = append(w.on, t.where())
	}
	c.kept = &w.loops
	err := op.Run(c, out, in)
	c.kept = nil
	if err != nil {
		w.loops = w.loops[:0]
	}
	return err
}

// where is the tensor's first element.
func (t Tensor) where() unsafe.Pointer {
	switch t.Dtype {
	case Float32:
		return unsafe.Pointer(unsafe.SliceData(t.F32))
	case Float64:
		return unsafe.Pointer(unsafe.SliceData(t.F64))
	}
	return unsafe.Pointer(unsafe.SliceData(t.Int))
}
