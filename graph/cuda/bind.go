package cuda

import (
	"fmt"
	"sync"
	"unsafe"

	"spotlighter/graph"
	"spotlighter/graph/cuda/kernels"
)

// call is a launch whose arguments lie in the arena or have their addresses.
type call struct {
	step        int
	kernel      int
	grid, block [3]int
	cells       []uint64
	args        []unsafe.Pointer // of the cells
	fix         []fixed          // cells that depend on where the arena is

	product *kernels.Product // in place of a kernel; its operands are cells
}

type fixed struct {
	cell int
	at   uint64 // from the arena's start
}

// bind turns the launches into calls.
func (b *build) bind() error {
	for i := range b.places {
		if v := b.code.Values[i]; v.Const != nil && v.Root == i {
			b.places[i].at += b.exec.constants
		}
	}
	constant := len(b.consts)
	for _, l := range b.lists {
		constant -= len(l.Consts)
	}
	for i, l := range b.lists {
		for _, launch := range l.Launches {
			c := call{step: i, grid: launch.Grid, block: launch.Block, product: launch.Product}
			as := launch.Args
			if p := launch.Product; p != nil {
				as = []kernels.Arg{{Ptr: p.A, IsPtr: true}, {Ptr: p.B, IsPtr: true}, {Ptr: p.C, IsPtr: true}}
			} else {
				if err := agree(launch); err != nil {
					return err
				}
				var err error
				if c.kernel, err = b.d.api.kernel(launch.Kernel); err != nil {
					return fmt.Errorf("%s: kernel %s: %w", b.d.name, launch.Kernel, err)
				}
			}
			c.cells, c.args = make([]uint64, len(as)), make([]unsafe.Pointer, len(as))
			for k, a := range as {
				c.args[k], c.cells[k] = unsafe.Pointer(&c.cells[k]), a.Bits
				if !a.IsPtr {
					continue
				}
				if p := b.find(a.Ptr, constant); p.inArena {
					c.fix = append(c.fix, fixed{k, p.at})
				} else {
					c.cells[k] = p.at
				}
			}
			b.exec.calls = append(b.exec.calls, c)
		}
		constant += len(l.Consts)
	}
	b.finish()
	return nil
}

// find gives an address of a list whose first constant is of that number its
// place.
func (b *build) find(p kernels.Ptr, constant int) place {
	var at place
	switch {
	case p.Slot >= 0:
		at = b.places[p.Slot]
	case p.Slot == kernels.Scratch:
		at = b.scratch
	case p.Slot == kernels.Status:
		at = b.status
	default:
		at.at = b.exec.constants + uint64(b.constAt[constant+kernels.ConstSlot(0)-p.Slot])
	}
	at.at += uint64(p.Off)
	return at
}

// finish gives the executor the places that a Run reads and writes.
func (b *build) finish() {
	e := b.exec
	e.lists, e.status, e.steps = b.lists, b.status, b.code.Steps
	for _, v := range b.code.Values {
		e.shapes = append(e.shapes, v.Type.Shape)
	}
	root := func(v int) place { return b.places[b.code.Values[v].Root] }
	for _, v := range b.code.Inputs {
		e.inputs = append(e.inputs, moved{root(v), bytesOf(b.code.Values[v].Type)})
	}
	for _, v := range b.code.Outputs {
		e.outputs = append(e.outputs, moved{root(v), bytesOf(b.code.Values[v].Type)})
	}
	for i := range e.updates {
		u := &e.updates[i]
		u.from = moved{root(u.value), bytesOf(b.code.Values[u.value].Type)}
	}
}

// signatures are the parameters of each kernel.
var signatures = sync.OnceValue(func() map[string][]kernels.Kind {
	of := map[string][]kernels.Kind{}
	for _, e := range kernels.Entries(kernels.Base + kernels.TensorCores) {
		of[e.Name] = e.Params
	}
	return of
})

// agree compares a launch's arguments with the parameters of the kernel's PTX.
func agree(l kernels.Launch) error {
	params, ok := signatures()[l.Kernel]
	if !ok {
		return fmt.Errorf("there is no kernel %s", l.Kernel)
	}
	if len(params) != len(l.Args) {
		return fmt.Errorf("kernel %s has %d parameters, %d arguments were given", l.Kernel, len(params), len(l.Args))
	}
	for i, a := range l.Args {
		if a.IsPtr && params[i] != kernels.U64 {
			return fmt.Errorf("parameter %d of kernel %s is of kind %s, an address was given", i, l.Kernel, params[i])
		}
	}
	return nil
}

var _ graph.Device = (*Device)(nil)
