package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// elementwise writes the kernels whose result has the shape of their operands.
func (s isa) elementwise() {
	for _, f := range []struct {
		name string
		op   func(...Op)
	}{{"add", VADDPS}, {"sub", VSUBPS}, {"mul", VMULPS}} {
		s.text(f.name, "func(dst, a, b *float32, n int)")
		dst, a, b := pointer("dst"), pointer("a"), pointer("b")
		s.loop(pointer("n"), 4, func(i at) {
			x, y := i.load(a), i.load(b)
			f.op(y, x, x)
			i.store(x, dst)
		})
		ret()
	}

	s.text("addScaled", "func(dst *float32, c float32, x *float32, n int)")
	dst, x, c := pointer("dst"), pointer("x"), s.scalar("c")
	s.loop(pointer("n"), 4, func(i at) {
		d, v := i.load(dst), i.load(x)
		VFMADD231PS(c, v, d)
		i.store(d, dst)
	})
	ret()

	s.text("scale", "func(dst *float32, c float32, x *float32, n int)")
	dst, x, c = pointer("dst"), pointer("x"), s.scalar("c")
	s.loop(pointer("n"), 4, func(i at) {
		v := i.load(x)
		VMULPS(c, v, v)
		i.store(v, dst)
	})
	ret()

	s.text("exp", "func(dst, x *float32, n int)")
	dst, x = pointer("dst"), pointer("x")
	e := s.exponential()
	s.loop(pointer("n"), 2, func(i at) {
		v := i.load(x)
		e.of(v)
		i.store(v, dst)
	})
	ret()

	s.text("quickGELU", "func(dst, x *float32, n int)")
	dst, x = pointer("dst"), pointer("x")
	e, one, slope := s.exponential(), s.constant(1), s.constant(-1.702)
	s.loop(pointer("n"), 4, func(i at) {
		v := i.load(x)
		VMULPS(slope, v, v)
		e.of(v)
		VADDPS(one, v, v)
		w := i.load(x)
		VDIVPS(v, w, w)
		i.store(w, dst)
	})
	ret()

	s.text("quickGELUGrad", "func(dst, x, dy *float32, n int)")
	dst, x = pointer("dst"), pointer("x")
	dy := pointer("dy")
	e, one, slope = s.exponential(), s.constant(1), s.constant(-1.702)
	s.loop(pointer("n"), 2, func(i at) {
		v := i.load(x)
		VMULPS(slope, v, v)
		z, sigmoid := s.vec(), s.vec() // z = -1.702 x
		VMOVAPS(v, z)
		e.of(v)
		VADDPS(one, v, v)
		VMOVAPS(s.inReg(one), sigmoid)
		VDIVPS(v, sigmoid, sigmoid)
		// sigmoid (1 + 1.702 x (1 - sigmoid)) = sigmoid (1 + z (sigmoid - 1))
		VSUBPS(one, sigmoid, v)
		VFMADD213PS(one, z, v)
		VMULPS(sigmoid, v, v)
		VMULPS(i.load(dy), v, v)
		i.store(v, dst)
	})
	ret()
}

// exponential holds the constants of e^x: x = n ln 2 + r, a polynomial in r
// (Cephes expf), and a multiplication by 2^n.
type exponential struct {
	s                            isa
	low, high, log2e, ln2a, ln2b Op
	coefficients                 []Op
	bias                         Op
}

func (s isa) exponential() exponential {
	// Beyond the limits the result is 0 and +Inf.
	e := exponential{
		s: s, low: s.constant(-105), high: s.constant(89),
		log2e: s.constant(math.Log2E), ln2a: s.constant(0.693359375), ln2b: s.constant(-2.12194440e-4),
	}
	for _, c := range []float64{1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1, 1, 1} {
		e.coefficients = append(e.coefficients, s.constant(c))
	}
	if !s.wide {
		e.bias = s.bits(127)
	}
	return e
}

// of replaces x by e^x. A NaN stays: VMAXPS and VMINPS return their first
// operand (in the order of Go's assembly) when one is NaN.
func (e exponential) of(x reg.VecVirtual) {
	VMAXPS(x, e.s.inReg(e.low), x)
	VMINPS(x, e.s.inReg(e.high), x)
	n, y := e.s.vec(), e.s.vec()
	VMULPS(e.log2e, x, n)
	if e.s.wide {
		VRNDSCALEPS(Imm(8), n, n)
	} else {
		VROUNDPS(Imm(8), n, n)
	}
	VFNMADD231PS(e.ln2a, n, x)
	VFNMADD231PS(e.ln2b, n, x)
	VMOVUPS(e.coefficients[0], y)
	for _, c := range e.coefficients[1:] {
		VFMADD213PS(c, x, y)
	}
	if e.s.wide {
		VSCALEFPS(n, y, x)
		return
	}
	// In two steps, since 2^n itself may overflow or underflow.
	half := e.s.vec()
	VCVTPS2DQ(n, n)
	VPSRAD(Imm(1), n, half)
	VPSUBD(half, n, n)
	for _, p := range []reg.VecVirtual{half, n} {
		VPADDD(e.bias, p, p)
		VPSLLD(Imm(23), p, p)
		VMULPS(p, y, y)
	}
	VMOVAPS(y, x)
}
