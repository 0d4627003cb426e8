package ptx

import (
	"fmt"
	"strings"
)

// kinds of instructions. All but the first need more than the thread's registers.
const (
	kindALU = iota
	kindBranch
	kindReturn
	kindLoad
	kindStore
	kindParam
	kindBarrier  // of the block
	kindWarpSync // bar.warp.sync
	kindShuffle
	kindMMA
)

type instruction struct {
	kind int
	pred int // slot of the guard, -1 without
	neg  bool

	alu    func(r []uint64)
	target int    // of a branch
	label  string // of a branch

	space   byte // of memory: 'g' global, 's' shared, '?' by address
	size    int  // bytes of an element
	vector  []int
	address int // slot
	off     int64

	dst, a, b int
	shuffle   string
	mma       *mma
}

func (k *Kernel) compileOp(in *instruction, parts, o []string) error {
	switch parts[0] {
	case "ret", "exit":
		in.kind = kindReturn
	case "bra":
		in.kind, in.label = kindBranch, o[0]
		to, ok := k.labels[in.label]
		if !ok {
			return fmt.Errorf("no label %s", in.label)
		}
		in.target = to
	case "bar":
		if parts[1] == "warp" {
			in.kind = kindWarpSync
			return nil
		}
		if len(o) != 1 || o[0] != "0" {
			return fmt.Errorf("want barrier 0 of the whole block")
		}
		in.kind = kindBarrier
	case "shfl":
		return k.compileShuffle(in, parts, o)
	case "mma":
		return k.compileMMA(in, parts, o)
	case "ld", "st":
		return k.compileMemory(in, parts, o)
	default:
		return k.compileALU(in, parts, o)
	}
	return nil
}

// shfl.sync.bfly.b32 d, a, lane-mask, 31, members
func (k *Kernel) compileShuffle(in *instruction, parts, o []string) error {
	if len(parts) != 4 || parts[3] != "b32" || len(o) != 5 {
		return fmt.Errorf("shuffle is not known here")
	}
	switch parts[2] {
	case "bfly", "idx", "down", "up":
	default:
		return fmt.Errorf("shuffle %s is not known here", parts[2])
	}
	if o[3] != "31" || o[4] != "-1" {
		return fmt.Errorf("want a shuffle of whole warps")
	}
	in.kind, in.shuffle = kindShuffle, parts[2]
	in.dst = k.register(o[0])
	var err error
	if in.a, err = k.value(o[1]); err != nil {
		return err
	}
	in.b, err = k.value(o[2])
	return err
}

var sizes = map[string]int{
	"u8": 1, "s8": 1, "b8": 1, "u16": 2, "s16": 2, "b16": 2,
	"u32": 4, "s32": 4, "b32": 4, "f32": 4, "u64": 8, "s64": 8, "b64": 8, "f64": 8,
}

func (k *Kernel) compileMemory(in *instruction, parts, o []string) (err error) {
	var ok bool
	if in.size, ok = sizes[parts[len(parts)-1]]; !ok || len(o) != 2 {
		return fmt.Errorf("type or operands are not known here")
	}
	value, at := o[0], o[1]
	in.kind = kindLoad
	if parts[0] == "st" {
		in.kind = kindStore
		value, at = o[1], o[0]
	}
	in.space = '?'
	for _, p := range parts[1 : len(parts)-1] {
		switch p {
		case "global", "shared":
			in.space = p[0]
		case "param":
			in.kind = kindParam
			n, ok := k.params[strings.Trim(at, "[]")]
			if !ok || parts[0] != "ld" || sizes[k.Params[n]] != in.size {
				return fmt.Errorf("parameter does not fit")
			}
			in.dst, in.a = k.register(value), n
			return nil
		case "v2", "v4", "nc":
		default:
			return fmt.Errorf("memory %s is not known here", p)
		}
	}
	if strings.HasPrefix(parts[len(parts)-1], "s8") || strings.HasPrefix(parts[len(parts)-1], "s16") {
		return fmt.Errorf("signed loads are not known here")
	}
	if in.vector, err = k.vector(value); err != nil {
		return err
	}
	in.address, in.off, err = k.memory(at)
	return err
}
