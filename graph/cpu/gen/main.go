// Command gen writes the SIMD kernels of package cpu, for AVX-512 and AVX2:
//
//	go run ./gen -pkg cpu -out simd_amd64.s -stubs simd_amd64.go
//
// The kernels take pointers and counts, and check nothing: package cpu does.
package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	for _, s := range []isa{{suffix: "AVX512", bytes: 64, lanes: 16, wide: true}, {suffix: "AVX2", bytes: 32, lanes: 8}} {
		rows, vectors := 8, 3
		if !s.wide {
			rows, vectors = 6, 2
		}
		for nv := 1; nv <= vectors; nv++ {
			s.pack(nv)
			for mr := 1; mr <= rows; mr++ {
				s.gemm(mr, nv)
			}
		}
		s.elementwise()
		s.activations()
		s.optimisers()
		s.reductions()
		s.softmax()
		s.layerNorm()
	}
	transpose()
	Generate()
}

// isa is an instruction set; the kernels are written once for both.
type isa struct {
	suffix       string
	bytes, lanes int  // of a vector
	wide         bool // AVX-512: 32 registers, mask registers, VSCALEFPS
}

// text opens a function.
func (s isa) text(name, signature string) {
	TEXT(name+s.suffix, NOSPLIT, signature)
	Pragma("noescape")
}

func ret() {
	VZEROUPPER()
	RET()
}

func (s isa) vec() reg.VecVirtual {
	if s.wide {
		return ZMM()
	}
	return YMM()
}

func (s isa) zero(v reg.VecVirtual) {
	if s.wide {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
}

func (s isa) zeros(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = s.vec()
		s.zero(v[i])
	}
	return v
}

func pointer(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// scalar broadcasts a float32 parameter.
func (s isa) scalar(name string) reg.VecVirtual {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	v := s.vec()
	VBROADCASTSS(p.Addr, v)
	return v
}

// result sets result i to the lowest lane. (Avo's Store would mix in an SSE
// instruction, which some processors punish.)
func result(v reg.VecVirtual, i int) {
	r, err := ReturnIndex(i).Resolve()
	if err != nil {
		panic(err)
	}
	VMOVSS(v.AsX(), r.Addr)
}

var globals = map[uint32]Mem{}

// bits is a vector of one 32-bit value. AVX-512 keeps it in a register, AVX2,
// which has few, reads it from memory where it is used.
func (s isa) bits(x uint32) Op {
	m, ok := globals[x]
	if !ok {
		m = GLOBL(fmt.Sprintf("all%08x", x), RODATA|NOPTR)
		for i := range 8 {
			DATA(4*i, U32(x))
		}
		globals[x] = m
	}
	if !s.wide {
		return m
	}
	v := s.vec()
	VBROADCASTSS(m, v)
	return v
}

func (s isa) constant(x float64) Op { return s.bits(math.Float32bits(float32(x))) }

// inReg is a constant in a register.
func (s isa) inReg(c Op) reg.VecVirtual {
	if v, ok := c.(reg.VecVirtual); ok {
		return v
	}
	v := s.vec()
	VMOVUPS(c, v)
	return v
}

// mask selects the first lanes of a vector; nil selects all.
type mask struct {
	k reg.Register   // AVX-512
	v reg.VecVirtual // AVX2
}

var maskTable *Mem

// first is the mask of the first n lanes.
func (s isa) first(n reg.GPVirtual) *mask {
	if s.wide {
		bits, k := GP32(), K()
		MOVL(U32(1), bits)
		SHLXL(n.As32(), bits, bits)
		DECL(bits)
		KMOVW(bits, k)
		return &mask{k: k}
	}
	if maskTable == nil {
		m := GLOBL("masks", RODATA|NOPTR)
		for i := range 16 {
			DATA(4*i, U32(map[bool]uint32{true: math.MaxUint32}[i < 8]))
		}
		maskTable = &m
	}
	p, i, v := GP64(), GP64(), YMM()
	LEAQ(*maskTable, p)
	MOVQ(U32(8), i)
	SUBQ(n, i)
	VMOVUPS(Mem{Base: p, Index: i, Scale: 4}, v)
	return &mask{v: v}
}

// load reads a vector; lanes that the mask leaves out become 0.
func (s isa) load(m Mem, v reg.VecVirtual, k *mask) {
	switch {
	case k == nil:
		VMOVUPS(m, v)
	case s.wide:
		VMOVUPS_Z(m, k.k, v)
	default:
		VMASKMOVPS(m, k.v, v)
	}
}

func (s isa) store(v reg.VecVirtual, m Mem, k *mask) {
	switch {
	case k == nil:
		VMOVUPS(v, m)
	case s.wide:
		VMOVUPS(v, k.k, m)
	default:
		VMASKMOVPS(v, k.v, m)
	}
}

// clear makes the lanes that the mask leaves out 0.
func (s isa) clear(v reg.VecVirtual, k *mask) {
	switch {
	case k == nil:
	case s.wide:
		VMOVAPS_Z(v, k.k, v)
	default:
		VANDPS(k.v, v, v)
	}
}

// and sets dst = x & y.
func (s isa) and(x, y Op, dst reg.VecVirtual) {
	if s.wide {
		VPANDD(x, y, dst)
	} else {
		VANDPS(x, y, dst)
	}
}

// choose sets dst = y in the lanes in which x is negative.
func (s isa) choose(x, y, dst reg.VecVirtual) {
	if s.wide {
		k := K()
		VPMOVD2M(x, k)
		VMOVAPS(y, k, dst)
	} else {
		VBLENDVPS(x, y, dst, dst)
	}
}

var labels int

// label returns a name for a place in the code.
func label(name string) string {
	labels++
	return fmt.Sprintf("%s%d", name, labels)
}

// at is the place of a vector within the arrays that a loop walks.
type at struct {
	s     isa
	index reg.GPVirtual
	u     int   // which of the unrolled vectors
	k     *mask // of the last vector
}

func (a at) mem(p reg.GPVirtual) Mem {
	return Mem{Base: p, Index: a.index, Scale: 4, Disp: a.u * a.s.bytes}
}

// load reads the vector of array p.
func (a at) load(p reg.GPVirtual) reg.VecVirtual {
	v := a.s.vec()
	a.s.load(a.mem(p), v, a.k)
	return v
}

func (a at) store(v reg.VecVirtual, p reg.GPVirtual) { a.s.store(v, a.mem(p), a.k) }

// loop runs body over n elements: unroll vectors at a time, then one at a time,
// then what is left under a mask.
func (s isa) loop(n reg.GPVirtual, unroll int, body func(a at)) {
	i, end := GP64(), GP64()
	XORQ(i, i)
	MOVQ(n, end)
	vectors := func(count, back int) {
		again, done := label("vectors"), label("done")
		SUBQ(I32(int32(back*s.lanes)), end)
		Label(again)
		CMPQ(i, end)
		JG(LabelRef(done))
		for u := range count {
			body(at{s: s, index: i, u: u})
		}
		ADDQ(I32(int32(count*s.lanes)), i)
		JMP(LabelRef(again))
		Label(done)
	}
	vectors(unroll, unroll)
	if unroll > 1 {
		vectors(1, 1-unroll)
	}
	none := label("none")
	ADDQ(I32(int32(s.lanes)), end)
	SUBQ(i, end)
	JE(LabelRef(none))
	body(at{s: s, index: i, k: s.first(end)})
	Label(none)
}

// reduce combines the lanes of the vectors into the lowest lane of the first.
func (s isa) reduce(v []reg.VecVirtual, op func(...Op)) {
	for n := len(v); n > 1; n /= 2 {
		for i := range n / 2 {
			op(v[i+n/2], v[i], v[i])
		}
	}
	if s.wide {
		y := YMM()
		VEXTRACTF64X4(Imm(1), v[0], y)
		op(y, v[0].AsY(), v[0].AsY())
	}
	x, lo := XMM(), v[0].AsX()
	VEXTRACTF128(Imm(1), v[0].AsY(), x)
	op(x, lo, lo)
	VPERMILPS(U8(0x4e), lo, x)
	op(x, lo, lo)
	VPERMILPS(U8(0xb1), lo, x)
	op(x, lo, lo)
}
