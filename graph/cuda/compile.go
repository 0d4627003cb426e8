package cuda

import (
	"fmt"
	"unsafe"

	"spotlighter/graph"
	"spotlighter/graph/cuda/kernels"
)

// aligned is what every piece of memory begins at a multiple of.
const aligned = 256

// Sizes of elements.
const floatSize, intSize = 4, 8

// place is where a slot of the launches lies: in the arena, whose address may
// change, or elsewhere.
type place struct {
	inArena bool
	at      uint64 // from the arena's start, or the address
}

// build is a program while it is compiled.
type build struct {
	d     *Device
	code  *graph.Code
	exec  *executor
	lists []*kernels.List // by step

	places  []place // of values, by root
	bytes   int64   // of the arena so far
	scratch place
	status  place
	consts  [][]byte // in the order of the constants' memory
	constAt []int64  // their places in it
	size    int64    // of that memory
}

// Compile implements graph.Device.
func (d *Device) Compile(c *graph.Code) (graph.Executor, error) {
	b := &build{d: d, code: c, exec: &executor{d: d}, places: make([]place, len(c.Values))}
	if err := b.lower(); err != nil {
		return nil, err
	}
	b.layOut()
	if err := b.fits(); err != nil {
		return nil, err
	}
	if err := b.allocate(); err != nil {
		return nil, err
	}
	return b.exec, d.do(b.bind)
}

// lower has each op write its launches.
func (b *build) lower() error {
	for i, st := range b.code.Steps {
		l := &kernels.List{Tag: i, TensorCore: tensorCore(b.d.math), Multiply: b.d.api.multiplies}
		fail := func(err error) error {
			e := &graph.Error{Op: st.Op.Name(), Layer: st.Layer, Err: err}
			for _, v := range st.In {
				e.In = append(e.In, b.code.Values[v].Type.Shape)
			}
			return e
		}
		op, ok := st.Op.(kernels.Op)
		if !ok {
			return fail(fmt.Errorf("has no CUDA kernel (%T)", st.Op))
		}
		var in []kernels.Tensor
		for _, v := range append([]int{st.Out}, st.In...) {
			t := b.code.Values[v].Type
			if t.Dtype == graph.Float64 {
				return fail(fmt.Errorf("is in float64, and CUDA programs compute in float32"))
			}
			in = append(in, kernels.Tensor{Ptr: kernels.Ptr{Slot: b.code.Values[v].Root}, Shape: t.Shape, Int: t.Dtype == graph.Int})
		}
		if err := op.Lower(l, in[0], in[1:]); err != nil {
			return fail(err)
		}
		b.lists = append(b.lists, l)
	}
	return nil
}

func tensorCore(math string) string {
	if math == FP32 {
		return ""
	}
	return math
}

// take reserves memory of the arena.
func (b *build) take(bytes int64) place {
	p := place{true, uint64(b.bytes)}
	b.bytes += (bytes + aligned - 1) / aligned * aligned
	return p
}

// constant reserves memory of the program's own, for data.
func (b *build) constant(data []byte) int64 {
	at := b.size
	b.consts, b.constAt = append(b.consts, data), append(b.constAt, at)
	b.size += (int64(len(data)) + aligned - 1) / aligned * aligned
	return at
}

// layOut finds a place for every value but the variables. The computed ones are
// where the plan has them; inputs, copies of variables before their updates,
// scratch memory and the status words follow.
func (b *build) layOut() {
	floats := b.take(int64(b.code.Arena[graph.Float32]) * floatSize)
	ints := b.take(int64(b.code.Arena[graph.Int]) * intSize)
	for i, v := range b.code.Values {
		switch {
		case v.Root != i || v.Var != nil:
		case v.Input != "":
			b.places[i] = b.take(bytesOf(v.Type))
		case v.Const != nil:
			b.places[i] = place{false, uint64(b.constant(content(*v.Const)))}
		case v.Type.Dtype == graph.Int:
			b.places[i] = place{true, ints.at + uint64(v.Off)*intSize}
		default:
			b.places[i] = place{true, floats.at + uint64(v.Off)*floatSize}
		}
	}
	updated := map[int]bool{}
	for _, u := range b.code.Updates {
		updated[u.Value] = true
	}
	b.exec.before = map[int]place{}
	for _, v := range b.code.Keep {
		if updated[v] { // outputs are brought to the host before the updates
			b.exec.before[v] = b.take(bytesOf(b.code.Values[v].Type))
		}
	}
	var scratch int64
	for _, l := range b.lists {
		scratch = max(scratch, l.ScratchBytes)
	}
	b.scratch = b.take(scratch)
	b.status = b.take(kernels.StatusWords * 8)
}

// content is a tensor's memory.
func content(t graph.Tensor) []byte {
	return unsafe.Slice((*byte)(start(t)), bytesOf(graph.Type{Shape: t.Shape, Dtype: t.Dtype}))
}

// allocate gives the program its memory.
func (b *build) allocate() error {
	for i, v := range b.code.Values {
		if v.Var == nil || v.Root != i {
			continue
		}
		m, err := v.Var.Place(b.d)
		if err != nil {
			return err
		}
		b.places[i] = place{false, m.(*memory).at}
	}
	e := b.exec
	for _, u := range b.code.Updates {
		m, err := u.Var.Place(b.d)
		if err != nil {
			return err
		}
		e.updates = append(e.updates, written{value: u.Value, to: m.(*memory).at})
	}
	for _, l := range b.lists { // after the values' constants, which have their places
		for _, data := range l.Consts {
			b.constant(data)
		}
	}
	return b.d.do(func() (err error) {
		if err := b.d.grow(b.bytes); err != nil {
			return err
		}
		e.constBytes = b.size
		if e.constants, err = b.d.alloc(b.size); err != nil {
			return err
		}
		for i, data := range b.consts {
			if len(data) > 0 {
				if err := b.d.api.upload(e.constants+uint64(b.constAt[i]), unsafe.Pointer(&data[0]), int64(len(data))); err != nil {
					return err
				}
			}
		}
		return b.d.api.wait() // data may go
	})
}
