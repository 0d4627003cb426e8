package ptx

import (
	"encoding/binary"
	"fmt"
)

// warpSize is the number of threads of a warp.
const warpSize = 32

// Fault is what a GPU would not have told of, or not always.
type Fault struct {
	Kernel, Line  string
	Block, Thread int
	What          string
}

func (f *Fault) Error() string {
	return fmt.Sprintf("kernel %s, block %d, thread %d: %s: %s", f.Kernel, f.Block, f.Thread, f.What, f.Line)
}

// thread is where a thread of a block stands.
type thread struct {
	r    []uint64
	pc   int
	done bool
	id   int
	warp int
}

// block is a block as it runs.
type block struct {
	*Kernel
	mem     *Memory
	args    []uint64
	id      int
	shared  []byte
	seen    []access
	threads []thread
	syncs   []int32 // by warp: how often it synchronised
	barrier int32
	steps   int64
	limit   int64
}

// Launch runs blocks of so many threads. Args are cells of 8 bytes. It returns the
// number of instructions; running more than limit of them, 0 for 1e9, is a fault.
func (k *Kernel) Launch(m *Memory, blocks, threads int, limit int64, args ...uint64) (steps int64, err error) {
	if len(args) != len(k.Params) {
		return 0, fmt.Errorf("kernel %s was given %d arguments, want %d", k.Name, len(args), len(k.Params))
	}
	if limit == 0 {
		limit = 1e9
	}
	m.launch++
	b := &block{Kernel: k, mem: m, args: args, threads: make([]thread, threads), limit: limit}
	b.shared = make([]byte, k.shared)
	b.seen = make([]access, (k.shared+3)/4)
	b.syncs = make([]int32, (threads+warpSize-1)/warpSize)
	registers := make([]uint64, threads*k.slots)
	first := make([]uint64, k.slots)
	for _, c := range k.constants {
		first[c.slot] = c.bits
	}
	first[slotBlockSize], first[slotGrid] = uint64(threads), uint64(blocks)
	for i := range b.threads {
		b.threads[i] = thread{r: registers[i*k.slots : (i+1)*k.slots], id: i, warp: i / warpSize}
	}
	for b.id = range blocks {
		first[slotBlock] = uint64(b.id)
		for i := range b.threads {
			t := &b.threads[i]
			copy(t.r, first)
			t.r[slotTID] = uint64(i)
			t.pc, t.done = 0, false
		}
		for i := range b.shared {
			b.shared[i] = 0xff
		}
		clear(b.seen)
		b.barrier++
		if err := b.run(); err != nil {
			return b.steps, err
		}
	}
	return b.steps, nil
}

func (b *block) fault(t *thread, what string, args ...any) error {
	f := &Fault{Kernel: b.Name, Block: b.id, Thread: t.id, What: fmt.Sprintf(what, args...)}
	if t.pc < len(b.Lines) {
		f.Line = b.Lines[t.pc]
	}
	return f
}

// run runs the block: all warps to the next barrier, again and again.
func (b *block) run() error {
	for {
		ended := 0
		for w := range b.syncs {
			warp := b.threads[w*warpSize : min((w+1)*warpSize, len(b.threads))]
			if err := b.runWarp(warp); err != nil {
				return err
			}
			for i := range warp {
				if warp[i].done {
					ended++
				}
			}
		}
		if ended == len(b.threads) {
			return nil
		}
		for i := range b.threads {
			if t := &b.threads[i]; t.done || t.pc != b.threads[0].pc {
				return b.fault(t, "divergent barrier: not all threads of the block reach it")
			}
		}
		for i := range b.threads {
			b.threads[i].pc++
		}
		b.barrier++
	}
}

// runWarp runs the threads of a warp until each has ended or is at a barrier.
func (b *block) runWarp(warp []thread) error {
	for {
		for i := range warp {
			if err := b.runThread(&warp[i]); err != nil {
				return err
			}
		}
		// Who waits for the warp?
		var at *thread
		for i := range warp {
			if t := &warp[i]; !t.done && b.code[t.pc].kind != kindBarrier {
				at = t
				break
			}
		}
		if at == nil {
			return nil
		}
		for i := range warp {
			if t := &warp[i]; t.done || t.pc != at.pc {
				return b.fault(at, "divergent warp: thread %d is elsewhere", t.id)
			}
		}
		in := &b.code[at.pc]
		switch in.kind {
		case kindWarpSync:
			b.syncs[at.warp]++
		case kindShuffle: // which orders nothing in memory
			shuffle(in, warp)
		case kindMMA:
			if err := in.mma.run(warp); err != nil {
				return b.fault(at, "%v", err)
			}
		}
		for i := range warp {
			warp[i].pc++
		}
	}
}

func shuffle(in *instruction, warp []thread) {
	var v [warpSize]uint64
	for i := range warp {
		v[i] = warp[i].r[in.a]
	}
	for i := range warp {
		t := &warp[i]
		from, by := i, int(int32(t.r[in.b]))
		switch in.shuffle {
		case "bfly":
			from ^= by
		case "idx":
			from = by
		case "down":
			from += by
		case "up":
			from -= by
		}
		if from < 0 || from >= len(warp) {
			from = i
		}
		t.r[in.dst] = v[from]
	}
}

// runThread runs a thread until it needs others or ends.
func (b *block) runThread(t *thread) error {
	if t.done {
		return nil
	}
	r := t.r
	for {
		if t.pc >= len(b.code) {
			return b.fault(t, "runs past the end")
		}
		in := &b.code[t.pc]
		if b.Reached != nil {
			b.Reached[t.pc] = true
		}
		if in.pred >= 0 && (r[in.pred] != 0) == in.neg {
			t.pc++
			continue
		}
		b.steps++
		switch in.kind {
		case kindALU:
			in.alu(r)
		case kindBranch:
			if in.target <= t.pc && b.steps > b.limit {
				return b.fault(t, "does not end")
			}
			t.pc = in.target
			continue
		case kindReturn:
			t.done = true
			return nil
		case kindParam:
			v := b.args[in.a]
			if in.size == 4 {
				v &= 1<<32 - 1
			}
			r[in.dst] = v
		case kindLoad, kindStore:
			if err := b.touch(t, in); err != nil {
				return err
			}
		default:
			return nil
		}
		t.pc++
	}
}

// touch loads or stores.
func (b *block) touch(t *thread, in *instruction) error {
	bytes, seen, err := b.find(t.r[in.address]+uint64(in.off), in.space, in.size*len(in.vector))
	if err != nil {
		return b.fault(t, "%v", err)
	}
	u := touch{launch: b.mem.launch, block: int32(b.id), barrier: b.barrier, sync: b.syncs[t.warp], thread: int32(t.id) + 1, warp: int32(t.warp)}
	for i := range seen {
		if what := seen[i].race(u, in.kind == kindStore); what != "" {
			return b.fault(t, "race: %s", what)
		}
	}
	for i, slot := range in.vector {
		at := bytes[i*in.size:]
		switch {
		case in.kind == kindStore && in.size == 4:
			binary.LittleEndian.PutUint32(at, uint32(t.r[slot]))
		case in.kind == kindStore && in.size == 8:
			binary.LittleEndian.PutUint64(at, t.r[slot])
		case in.kind == kindStore && in.size == 2:
			binary.LittleEndian.PutUint16(at, uint16(t.r[slot]))
		case in.kind == kindStore:
			at[0] = byte(t.r[slot])
		case in.size == 4:
			t.r[slot] = uint64(binary.LittleEndian.Uint32(at))
		case in.size == 8:
			t.r[slot] = binary.LittleEndian.Uint64(at)
		case in.size == 2:
			t.r[slot] = uint64(binary.LittleEndian.Uint16(at))
		default:
			t.r[slot] = uint64(at[0])
		}
	}
	return nil
}

// sharedBase is where shared memory lies among generic addresses.
const sharedBase = 1 << 24

func (b *block) find(at uint64, space byte, size int) ([]byte, []access, error) {
	if space == '?' && at>>allocShift == 0 {
		space, at = 's', at-sharedBase
	}
	if space != 's' {
		return b.mem.find(at, size)
	}
	if at+uint64(size) > uint64(len(b.shared)) || at+uint64(size) < at {
		return nil, nil, fmt.Errorf("%d bytes at %d of shared memory, which has %d", size, int64(at), len(b.shared))
	}
	for _, g := range b.gaps {
		if int(at) < g.to && int(at)+size > g.from {
			return nil, nil, fmt.Errorf("%d bytes at %d of shared memory, between its arrays", size, at)
		}
	}
	if at%uint64(size) != 0 {
		return nil, nil, fmt.Errorf("%d bytes at %d of shared memory: misaligned", size, at)
	}
	return b.shared[at:], b.seen[at/4 : (at+uint64(size)+3)/4], nil
}
