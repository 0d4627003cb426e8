package kernels

import (
	"fmt"
	"math"
)

// Op is implemented by operations of the graph that run on a CUDA device.
type Op interface {
	// Lower adds the launches to l that compute out from in. The result may lie
	// over an operand exactly where the op's Overwrites says so. It returns an
	// error for what the kernels cannot do.
	Lower(l *List, out Tensor, in []Tensor) error
}

// Tensor is a dense row-major value in device memory: float32s, or, with Int set,
// int64s.
type Tensor struct {
	Ptr   Ptr
	Shape []int
	Int   bool
}

// Len is the number of elements.
func (t Tensor) Len() int { return count(t.Shape) }

func (t Tensor) last() int { return t.Shape[len(t.Shape)-1] }

// rows is the number of elements over those of the last axis.
func (t Tensor) rows() int { return count(t.Shape[:len(t.Shape)-1]) }

func count(s []int) int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Ptr is a symbolic address: Off bytes into a slot. Slots from 0 on are the
// backend's; negative ones are named below.
type Ptr struct {
	Slot int
	Off  int64
}

// Slots that are not values of the graph.
const (
	Scratch    = -1            // ScratchBytes for the op's own use
	Status     = -2            // StatusWords int64s, zero before a run: see CheckError
	firstConst = -3            // and below it: the List's Consts
	nullSlot   = math.MinInt   // no address: an operand that is not there
	scratchAt  = int64(1) << 8 // alignment of pieces of scratch memory
)

// StatusWords is the size of Status in int64s.
const StatusWords = 4

// Null is the address of an operand that is not there.
var Null = Ptr{Slot: nullSlot}

// ConstSlot is the slot of List.Consts[i].
func ConstSlot(i int) int { return firstConst - i }

// Plus is the address n elements of the given size further on.
func (p Ptr) Plus(n, size int) Ptr {
	p.Off += int64(n) * int64(size)
	return p
}

// Arg is one argument of a launch in a cell of 8 bytes: an address, or the bits of
// a number, which a kernel may read the low half of alone.
type Arg struct {
	Ptr   Ptr
	IsPtr bool
	Bits  uint64
}

// Launch is one kernel on a grid of blocks.
type Launch struct {
	Kernel      string
	Grid, Block [3]int
	Args        []Arg
	// Product is set in place of Kernel where the backend's library multiplies.
	Product *Product
}

// List is the launches of one op, in order.
type List struct {
	Launches     []Launch
	ScratchBytes int64    // of Scratch, until the last launch
	Consts       [][]byte // constants of the op, to be copied once to the device
	checks       []check

	// TensorCore lets products round their operands: "tf32" or "bf16", on a card of
	// compute capability 8.0 or more; "" keeps float32.
	TensorCore string
	// Multiply, if not nil, is asked whether the backend's library takes a product.
	Multiply func(Product) bool
	// Tag tells this list's failures from other lists'.
	Tag int
}

// check says what is wrong where a kernel reported it.
type check func(position, found, limit int) error

// maxChecks is the number of checks that a list has room for.
const maxChecks = 8

// CheckedTag returns the Tag of the list whose check failed, given the words of
// Status after a run; false where none did.
func CheckedTag(words [StatusWords]int64) (tag int, failed bool) {
	return int(words[0]-1) / maxChecks, words[0] != 0
}

// CheckError is the error of this list that the words of Status tell of.
func (l *List) CheckError(words [StatusWords]int64) error {
	i := int(words[0]-1) % maxChecks
	if words[0] <= 0 || i >= len(l.checks) {
		return fmt.Errorf("device reports failure %v, which no check has", words)
	}
	return l.checks[i](int(words[1]), int(words[2]), int(words[3]))
}

func (l *List) tag(c check) Arg {
	l.checks = append(l.checks, c)
	return integer(1 + l.Tag*maxChecks + len(l.checks) - 1)
}

// floats reserves scratch memory for n float32s.
func (l *List) floats(n int) Ptr {
	p := Ptr{Slot: Scratch, Off: l.ScratchBytes}
	l.ScratchBytes += (int64(n)*floatSize + scratchAt - 1) / scratchAt * scratchAt
	return p
}

const (
	floatSize = 4
	intSize   = 8
)

func address(p Ptr) Arg {
	if p == Null {
		return Arg{}
	}
	return Arg{Ptr: p, IsPtr: true}
}
func integer[T int | int64 | uint32](n T) Arg { return Arg{Bits: uint64(n)} }
func float(x float64) Arg                     { return Arg{Bits: uint64(math.Float32bits(float32(x)))} }

// Double is a parameter of type double.
func Double(x float64) Arg { return Arg{Bits: math.Float64bits(x)} }

func flag(b bool) Arg {
	if b {
		return Arg{Bits: 1}
	}
	return Arg{}
}

// args makes arguments of addresses, ints, float32s (given as float64) and flags.
func args(xs ...any) []Arg {
	as := make([]Arg, len(xs))
	for i, x := range xs {
		switch x := x.(type) {
		case Ptr:
			as[i] = address(x)
		case Tensor:
			as[i] = address(x.Ptr)
		case int:
			as[i] = integer(x)
		case uint32:
			as[i] = integer(x)
		case float64:
			as[i] = float(x)
		case bool:
			as[i] = flag(x)
		case Arg:
			as[i] = x
		default:
			panic(fmt.Sprintf("argument of type %T", x))
		}
	}
	return as
}

// Threads of a block: see shim.h.
const (
	threads    = 256
	rowThreads = 128
	blockRows  = rowThreads / 32
)

// most is the greatest number of elements: indices are 32-bit, and a block's last
// thread may count on by a block.
const most = math.MaxInt32 - 2*threads

// Each launches a thread for each of n elements. Arguments are tensors, addresses,
// ints, uint32s, bools, and float64s for parameters of type float.
func (l *List) Each(kernel string, n int, xs ...any) error {
	return l.launch(kernel, (n+threads-1)/threads, threads, n, xs)
}

// Rows launches a warp for each row of x, over its last axis: the kernel's
// parameters are the operands, the number of rows and their length, and more.
func (l *List) Rows(kernel string, x Tensor, operands []Tensor, more ...any) error {
	rows, n := x.rows(), x.last()
	var xs []any
	for _, o := range operands {
		xs = append(xs, o)
	}
	return l.warps(kernel, rows, n, append(append(xs, rows, n), more...))
}

// Columns launches a thread for each column of x [rows, n], with such parameters.
func (l *List) Columns(kernel string, x Tensor, operands []Tensor, more ...any) error {
	rows, n := x.rows(), x.last()
	var xs []any
	for _, o := range operands {
		xs = append(xs, o)
	}
	return l.launch(kernel, (n+threads-1)/threads, threads, rows*n, append(append(xs, rows, n), more...))
}

// warps launches a warp for each of so many rows of n elements.
func (l *List) warps(kernel string, rows, n int, xs []any) error {
	return l.launch(kernel, (rows+blockRows-1)/blockRows, rowThreads, rows*n, xs)
}

func (l *List) launch(kernel string, blocks, block, elements int, xs []any) error {
	switch {
	case elements > most || blocks > most:
		return fmt.Errorf("%d elements, of which CUDA kernels count %d at most", elements, most)
	case blocks == 0:
		return nil
	}
	l.Launches = append(l.Launches, Launch{Kernel: kernel, Grid: [3]int{blocks, 1, 1}, Block: [3]int{block, 1, 1}, Args: args(xs...)})
	return nil
}
