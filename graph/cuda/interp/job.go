// Package interp runs the launches of operations on the interpreter of package
// ptx, and compares what they compute with the CPU's operations.
package interp

import (
	"fmt"
	"math"
	"sync"

	"spotlighter/graph"
	"spotlighter/graph/cuda/kernels"
	"spotlighter/graph/cuda/ptx"
)

// Kernels are kernels by name.
type Kernels map[string]*ptx.Kernel

// Shipped returns the kernels that the program embeds.
var Shipped = sync.OnceValues(func() (Kernels, error) {
	all := Kernels{}
	for _, text := range []string{kernels.Base, kernels.TensorCores} {
		m, err := ptx.Parse(text)
		if err != nil {
			return nil, err
		}
		for name, k := range m.Kernels {
			all[name] = k
		}
	}
	return all, nil
})

// Job is an op on operands, and what it must give.
type Job struct {
	Name string
	List *kernels.List
	In   []graph.Tensor
	Want graph.Tensor
	Over int // the operand that the result lies over, -1 for none
	// Tol bounds the distance from Want, relative to its largest element or 1.
	Tol float64
	// Status is what checks must report, zeros for nothing: where they report
	// something there is no result.
	Status [kernels.StatusWords]int64
}

// Result is what a job computed.
type Result struct {
	Out    graph.Tensor
	Steps  int64 // instructions
	Status [kernels.StatusWords]int64
}

// Slots of a job's values: the operands, and then the result.
func slots(in []graph.Tensor, out graph.Type, over int) ([]kernels.Tensor, kernels.Tensor) {
	ts := make([]kernels.Tensor, len(in))
	for i, t := range in {
		ts[i] = kernels.Tensor{Ptr: kernels.Ptr{Slot: i}, Shape: t.Shape, Int: t.Dtype == graph.Int}
	}
	at := len(in)
	if over >= 0 {
		at = over
	}
	return ts, kernels.Tensor{Ptr: kernels.Ptr{Slot: at}, Shape: out.Shape, Int: out.Dtype == graph.Int}
}

// Run runs the job's launches. No more than limit instructions a launch may be
// needed, 0 for many.
func (j *Job) Run(by Kernels, limit int64) (r Result, err error) {
	m := &ptx.Memory{}
	base := map[int]uint64{}
	for i, t := range j.In {
		base[i] = put(m, fmt.Sprintf("operand %d", i), t)
	}
	out := len(j.In)
	if j.Over >= 0 {
		out = j.Over
	} else {
		base[out] = m.Alloc("result", t64(j.Want))
	}
	base[kernels.Scratch] = m.Alloc("scratch", int(j.List.ScratchBytes))
	base[kernels.Status] = m.Alloc("status", 8*kernels.StatusWords)
	clear(m.Bytes(base[kernels.Status]))
	for i, c := range j.List.Consts {
		at := m.Alloc(fmt.Sprintf("constant %d", i), len(c))
		copy(m.Bytes(at), c)
		base[kernels.ConstSlot(i)] = at
	}
	for _, l := range j.List.Launches {
		if l.Product != nil {
			multiply(m, base, l.Product)
			continue
		}
		k := by[l.Kernel]
		if k == nil {
			return r, fmt.Errorf("no kernel %s", l.Kernel)
		}
		cells := make([]uint64, len(l.Args))
		for i, a := range l.Args {
			cells[i] = a.Bits
			if a.IsPtr {
				cells[i] = base[a.Ptr.Slot] + uint64(a.Ptr.Off)
			}
		}
		n, err := k.Launch(m, l.Grid[0], l.Block[0], limit, cells...)
		r.Steps += n
		if err != nil {
			return r, err
		}
	}
	r.Out = graph.Tensor{Shape: j.Want.Shape, Dtype: j.Want.Dtype}
	if r.Out.Dtype == graph.Int {
		r.Out.Int = m.Ints(base[out])
	} else {
		r.Out.F32 = m.Floats(base[out])
	}
	for i, v := range m.Ints(base[kernels.Status]) {
		r.Status[i] = int64(v)
	}
	return r, nil
}

func put(m *ptx.Memory, name string, t graph.Tensor) uint64 {
	at := m.Alloc(name, t64(t))
	if t.Dtype == graph.Int {
		m.PutInts(at, t.Int)
	} else {
		m.PutFloats(at, t.F32)
	}
	return at
}

// t64 is the size of a tensor in bytes.
func t64(t graph.Tensor) int {
	if t.Dtype == graph.Int {
		return 8 * t.Len()
	}
	return 4 * t.Len()
}

// Check runs the job and compares.
func (j *Job) Check(by Kernels, limit int64) (steps int64, err error) {
	r, err := j.Run(by, limit)
	switch {
	case err != nil:
	case r.Status != j.Status:
		err = fmt.Errorf("the kernels report %v, want %v", r.Status, j.Status)
	case j.Status[0] == 0:
		err = j.compare(r.Out)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", j.Name, err)
	}
	return r.Steps, err
}

func (j *Job) compare(got graph.Tensor) error {
	if got.Dtype == graph.Int {
		for i, v := range j.Want.Int {
			if got.Int[i] != v {
				return fmt.Errorf("element %d is %d, want %d", i, got.Int[i], v)
			}
		}
		return nil
	}
	scale := 1.
	for _, v := range j.Want.F64 {
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			scale = max(scale, math.Abs(v))
		}
	}
	for i, w := range j.Want.F64 {
		g := float64(got.F32[i])
		if g == w || math.IsNaN(g) && math.IsNaN(w) {
			continue
		}
		if !(math.Abs(g-w) <= j.Tol*scale) {
			return fmt.Errorf("element %d is %v, want %v", i, g, w)
		}
	}
	return nil
}
