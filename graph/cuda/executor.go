package cuda

import (
	"context"
	"unsafe"

	"spotlighter/graph"
	"spotlighter/graph/cuda/kernels"
)

// executor is a program on a card. It does not keep the variables, which may go
// when the program does.
type executor struct {
	d          *Device
	steps      []graph.CodeStep
	shapes     []graph.Shape // of the values
	lists      []*kernels.List
	calls      []call
	constants  uint64
	constBytes int64
	status     place
	inputs     []moved
	outputs    []moved
	updates    []written
	before     map[int]place // copies of values that an update overwrites
	bound      uint64        // where the arena was when the calls' cells were set
}

// moved is a value that a Run copies.
type moved struct {
	place
	bytes int64
}

// written is a variable that a Run writes.
type written struct {
	value int
	to    uint64
	from  moved
}

// Free implements graph.Executor.
func (e *executor) Free() {
	_ = e.d.do(func() error { return e.d.release(e.constants, e.constBytes) }) // a cleanup has nobody to tell
}

// Run implements graph.Executor.
func (e *executor) Run(ctx context.Context, inputs, outputs []graph.Tensor) error {
	return e.d.do(func() error { return e.run(ctx, inputs, outputs) })
}

func (e *executor) run(ctx context.Context, inputs, outputs []graph.Tensor) error {
	api := e.d.api
	e.rebind()
	for i, in := range e.inputs {
		if err := e.d.upload(e.address(in.place), inputs[i], in.bytes); err != nil {
			return e.d.failed(err)
		}
	}
	if err := api.zero(e.address(e.status), kernels.StatusWords*8); err != nil {
		return e.d.failed(err)
	}
	for i := range e.calls {
		if err := ctx.Err(); err != nil {
			return err
		}
		c := &e.calls[i]
		var err error
		if c.product != nil {
			err = api.multiply(*c.product, c.cells[0], c.cells[1], c.cells[2])
		} else {
			err = api.launch(c.kernel, c.grid, c.block, c.args)
		}
		if err != nil {
			return e.fault(c.step, e.d.failed(err))
		}
	}
	var words [kernels.StatusWords]int64
	if err := api.download(unsafe.Pointer(&words), e.address(e.status), kernels.StatusWords*8); err != nil {
		return e.d.failed(err)
	}
	if tag, failed := kernels.CheckedTag(words); failed {
		return e.fault(tag, e.lists[tag].CheckError(words))
	}
	for i, out := range e.outputs {
		if err := e.d.download(outputs[i], e.address(out.place), out.bytes); err != nil {
			return e.d.failed(err)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return e.update()
}

// update writes the variables. Nothing but a broken card can fail here.
func (e *executor) update() error {
	for i := range e.updates {
		u := &e.updates[i]
		if to, ok := e.before[u.value]; ok {
			if err := e.d.api.copy(e.address(to), e.address(u.from.place), u.from.bytes); err != nil {
				return e.d.failed(err)
			}
		}
	}
	for i := range e.updates {
		u := &e.updates[i]
		from := u.from.place
		if kept, ok := e.before[u.value]; ok {
			from = kept
		}
		if u.from.bytes > 0 {
			if err := e.d.api.copy(u.to, e.address(from), u.from.bytes); err != nil {
				return e.d.failed(err)
			}
		}
	}
	return nil
}

// rebind follows the arena.
func (e *executor) rebind() {
	if e.bound == e.d.arena.at {
		return
	}
	e.bound = e.d.arena.at
	for i := range e.calls {
		for _, f := range e.calls[i].fix {
			e.calls[i].cells[f.cell] = e.bound + f.at
		}
	}
}

func (e *executor) address(p place) uint64 {
	if p.inArena {
		return e.bound + p.at
	}
	return p.at
}

// fault gives a step's failure its name.
func (e *executor) fault(step int, err error) error {
	st := e.steps[step]
	f := &graph.Error{Op: st.Op.Name(), Layer: st.Layer, Err: err}
	for _, v := range st.In {
		f.In = append(f.In, e.shapes[v])
	}
	return f
}
