package ptx

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Memory is the device's global memory: allocations far from one another.
type Memory struct {
	allocs []*allocation
	launch int32 // how many there were
}

type allocation struct {
	name  string
	bytes []byte
	seen  []access // by word: who touched it last
}

// An address is (1 + number of the allocation) << allocShift, plus an offset.
const allocShift = 40

// Alloc reserves n bytes, filled with the bits of NaNs, under a name for errors.
func (m *Memory) Alloc(name string, n int) uint64 {
	a := &allocation{name: name, bytes: make([]byte, n), seen: make([]access, (n+3)/4)}
	for i := range a.bytes {
		a.bytes[i] = 0xff
	}
	m.allocs = append(m.allocs, a)
	return uint64(len(m.allocs)) << allocShift
}

// Bytes is the memory of the allocation at an address that Alloc returned.
func (m *Memory) Bytes(at uint64) []byte { return m.allocs[at>>allocShift-1].bytes }

// PutFloats copies x to an allocation.
func (m *Memory) PutFloats(at uint64, x []float32) {
	b := m.Bytes(at)
	for i, v := range x {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
	}
}

// Floats copies an allocation's content out.
func (m *Memory) Floats(at uint64) []float32 {
	b := m.Bytes(at)
	x := make([]float32, len(b)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x
}

// PutInts copies x to an allocation as int64s.
func (m *Memory) PutInts(at uint64, x []int) {
	b := m.Bytes(at)
	for i, v := range x {
		binary.LittleEndian.PutUint64(b[8*i:], uint64(v))
	}
}

// Ints copies an allocation's int64s out.
func (m *Memory) Ints(at uint64) []int {
	b := m.Bytes(at)
	x := make([]int, len(b)/8)
	for i := range x {
		x[i] = int(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return x
}

// access is the last write of a word and its last reads.
type access struct{ write, read touch }

// touch is by whom and when; thread is 0 for nobody, else one more than its
// number, and several stands for many threads of a warp or, with warp several,
// of many warps.
type touch struct {
	launch, block, barrier int32
	sync                   int32 // how often the warp had synchronised
	thread, warp           int32
}

const several = -1

// orderedBefore says whether an earlier touch cannot be at the time of a later one.
func (t touch) orderedBefore(u touch) bool {
	switch {
	case t.thread == 0 || t.launch != u.launch:
		return true
	case t.block != u.block:
		return false
	case t.thread == u.thread || t.barrier != u.barrier:
		return true
	}
	return t.warp == u.warp && t.sync != u.sync
}

// race returns what is wrong with a touch of a word, and notes it.
func (a *access) race(u touch, write bool) string {
	if !a.write.orderedBefore(u) {
		if write {
			return "two threads write"
		}
		return "a thread reads what another writes"
	}
	if write {
		if !a.read.orderedBefore(u) {
			return "a thread writes what another reads"
		}
		a.write = u
		return ""
	}
	if r := a.read; r.thread != 0 && r.thread != u.thread && r.launch == u.launch && r.block == u.block && r.barrier == u.barrier {
		u.thread = several
		if r.warp != u.warp {
			u.warp = several
		}
	} else if r.thread != 0 && r.launch == u.launch && r.block != u.block {
		u.thread, u.warp, u.block = several, several, several
	}
	a.read = u
	return ""
}

// find returns the bytes and the history of an access, or what is wrong with it.
func (m *Memory) find(at uint64, size int) ([]byte, []access, error) {
	n, off := at>>allocShift, at&(1<<allocShift-1)
	if n == 0 || n > uint64(len(m.allocs)) {
		return nil, nil, fmt.Errorf("address %#x is in no allocation", at)
	}
	a := m.allocs[n-1]
	if off+uint64(size) > uint64(len(a.bytes)) {
		return nil, nil, fmt.Errorf("%d bytes at %d of %s, which has %d", size, int64(off), a.name, len(a.bytes))
	}
	if off%uint64(size) != 0 {
		return nil, nil, fmt.Errorf("%d bytes at %d of %s: misaligned", size, off, a.name)
	}
	w := off / 4
	return a.bytes[off:], a.seen[w : (off+uint64(size)+3)/4], nil
}
