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
	}{{"add", VADDPS}, {"sub", VSUBPS}, {"mul", VMULPS}, {"div", VDIVPS}} {
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

	s.text("divide", "func(dst *float32, c float32, x *float32, n int)")
	dst, x, c = pointer("dst"), pointer("x"), s.scalar("c")
	s.loop(pointer("n"), 4, func(i at) {
		v := i.load(x)
		VDIVPS(c, v, v)
		i.store(v, dst)
	})
	ret()

	s.text("affine", "func(dst *float32, a float32, x *float32, b float32, n int)")
	dst, x = pointer("dst"), pointer("x")
	a, b := s.scalar("a"), s.scalar("b")
	s.loop(pointer("n"), 4, func(i at) {
		v := i.load(x)
		VFMADD213PS(b, a, v)
		i.store(v, dst)
	})
	ret()

	s.text("sqrt", "func(dst, x *float32, n int)")
	dst, x = pointer("dst"), pointer("x")
	s.loop(pointer("n"), 2, func(i at) {
		v := i.load(x)
		VSQRTPS(v, v)
		i.store(v, dst)
	})
	ret()
}

// activations writes the functions around e^x, and their gradients.
func (s isa) activations() {
	s.text("exp", "func(dst, x *float32, n int)")
	dst, x := pointer("dst"), pointer("x")
	e := s.exponential()
	s.loop(pointer("n"), 2, func(i at) {
		v := i.load(x)
		e.of(v)
		i.store(v, dst)
	})
	ret()

	s.text("sigmoid", "func(dst, x *float32, n int)")
	dst, x = pointer("dst"), pointer("x")
	e, one, negative := s.exponential(), s.constant(1), s.constant(-1)
	s.loop(pointer("n"), 2, func(i at) {
		v, w := i.load(x), s.vec()
		VMULPS(negative, v, v)
		e.of(v)
		VADDPS(one, v, v)
		VMOVAPS(s.inReg(one), w)
		VDIVPS(v, w, w)
		i.store(w, dst)
	})
	ret()

	s.text("gelu", "func(dst, x *float32, n int)")
	dst, x = pointer("dst"), pointer("x")
	p := s.normal()
	s.loop(pointer("n"), 1, func(i at) {
		v := i.load(x)
		d, _ := p.of(v)
		VMULPS(v, d, d)
		i.store(d, dst)
	})
	ret()

	s.text("geluGrad", "func(dst, x, dy *float32, n int)")
	dst, x = pointer("dst"), pointer("x")
	dy := pointer("dy")
	p = s.normal()
	s.loop(pointer("n"), 1, func(i at) {
		v := i.load(x)
		d, bell := p.of(v) // the derivative is d + v bell/sqrt(2 pi)
		VMULPS(p.density, bell, bell)
		VFMADD231PS(bell, v, d)
		VMULPS(i.load(dy), d, d)
		i.store(d, dst)
	})
	ret()

	s.text("quickGELU", "func(dst, x *float32, n int)")
	dst, x = pointer("dst"), pointer("x")
	e, one = s.exponential(), s.constant(1)
	slope := s.constant(-1.702)
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
	dy = pointer("dy")
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

// normalCDF holds the constants of the normal distribution function, by formula
// 7.1.26 of Abramowitz and Stegun for erf, whose error is below 1.5e-7.
type normalCDF struct {
	s                            isa
	e                            exponential
	magnitude, minusHalf, p, one Op
	density                      Op // 1/sqrt(2 pi)
	coefficients                 []Op
}

func (s isa) normal() normalCDF {
	n := normalCDF{
		s: s, e: s.exponential(), magnitude: s.bits(0x7fffffff), minusHalf: s.constant(-.5),
		p: s.constant(.3275911 / math.Sqrt2), one: s.constant(1), density: s.constant(1 / math.Sqrt(2*math.Pi)),
	}
	// Half of each: the distribution's tail is erfc(x/sqrt(2))/2.
	for _, c := range []float64{1.061405429, -1.453152027, 1.421413741, -.284496736, .254829592} {
		n.coefficients = append(n.coefficients, s.constant(c/2))
	}
	return n
}

// of returns the distribution function at x and e^(-x²/2).
func (n normalCDF) of(x reg.VecVirtual) (cdf, bell reg.VecVirtual) {
	s := n.s
	bell, t, tail := s.vec(), s.vec(), s.vec()
	VMULPS(x, x, bell)
	VMULPS(n.minusHalf, bell, bell)
	n.e.of(bell)
	// t = 1/(1 + p|x|)
	s.and(n.magnitude, x, tail)
	VMULPS(n.p, tail, tail)
	VADDPS(n.one, tail, tail)
	VMOVAPS(s.inReg(n.one), t)
	VDIVPS(tail, t, t)
	VMOVUPS(n.coefficients[0], tail)
	for _, c := range n.coefficients[1:] {
		VFMADD213PS(c, t, tail)
	}
	VMULPS(t, tail, tail)
	VMULPS(bell, tail, tail) // the tail beyond |x|
	// Below zero it is the tail itself, above 1 less it.
	cdf = s.vec()
	VMOVAPS(s.inReg(n.one), cdf)
	VSUBPS(tail, cdf, cdf)
	s.choose(x, tail, cdf)
	return cdf, bell
}

// optimisers writes the updates of AdamW.
func (s isa) optimisers() {
	// dst = a m + b grad, or a m + b grad².
	for _, f := range []struct {
		name   string
		square bool
	}{{"moment", false}, {"squareMoment", true}} {
		s.text(f.name, "func(dst, m, grad *float32, a, b float32, n int)")
		dst, m, grad := pointer("dst"), pointer("m"), pointer("grad")
		a, b := s.scalar("a"), s.scalar("b")
		s.loop(pointer("n"), 4, func(i at) {
			v, w := i.load(m), i.load(grad)
			if f.square {
				VMULPS(w, w, w)
			}
			VMULPS(b, w, w)
			VFMADD231PS(a, v, w)
			i.store(w, dst)
		})
		ret()
	}

	// dst = keep p - rate m / (sqrt(v inv) + eps).
	s.text("adamW", "func(dst, p, m, v *float32, keep, rate, inv, eps float32, n int)")
	dst, p, m, v := pointer("dst"), pointer("p"), pointer("m"), pointer("v")
	keep, rate, inv, eps := s.scalar("keep"), s.scalar("rate"), s.scalar("inv"), s.scalar("eps")
	s.loop(pointer("n"), 2, func(i at) {
		d, w, x := i.load(v), i.load(m), i.load(p)
		VMULPS(inv, d, d)
		VSQRTPS(d, d)
		VADDPS(eps, d, d)
		VMULPS(rate, w, w)
		VDIVPS(d, w, w)
		VFMSUB213PS(w, keep, x)
		i.store(x, dst)
	})
	ret()
}
