package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// reductions writes the kernels that return one number. They keep four partial
// results, element i of a row in partial i/lanes%4 (the last few in the first),
// so that their order depends on n alone.
func (s isa) reductions() {
	const partials = 4

	s.text("sum", "func(x *float32, n int) float32")
	x := pointer("x")
	acc := s.zeros(partials)
	s.loop(pointer("n"), partials, func(i at) { VADDPS(i.load(x), acc[i.u], acc[i.u]) })
	s.reduce(acc, VADDPS)
	result(acc[0], 0)
	ret()

	s.text("dot", "func(a, b *float32, n int) float32")
	a, b := pointer("a"), pointer("b")
	acc = s.zeros(partials)
	s.loop(pointer("n"), partials, func(i at) { VFMADD231PS(i.load(a), i.load(b), acc[i.u]) })
	s.reduce(acc, VADDPS)
	result(acc[0], 0)
	ret()

	// The sum of (x - mean)^2.
	s.text("deviation", "func(x *float32, mean float32, n int) float32")
	x = pointer("x")
	mean := s.scalar("mean")
	acc = s.zeros(partials)
	s.loop(pointer("n"), partials, func(i at) {
		v := i.load(x)
		VSUBPS(mean, v, v)
		s.clear(v, i.k)
		VFMADD231PS(v, v, acc[i.u])
	})
	s.reduce(acc, VADDPS)
	result(acc[0], 0)
	ret()

	// The maximum, and in unordered the bits of a NaN if there is one, else 0.
	s.text("max", "func(x *float32, n int) (max, unordered float32)")
	x = pointer("x")
	least := s.inReg(s.constant(math.Inf(-1)))
	acc = s.zeros(partials)
	for _, m := range acc {
		VMOVAPS(least, m)
	}
	nan := s.vec()
	s.zero(nan)
	s.loop(pointer("n"), partials, func(i at) {
		v := i.load(x)
		switch {
		case i.k == nil:
		case s.wide:
			t := s.vec()
			VMOVAPS(least, t)
			VMOVAPS(v, i.k.k, t)
			v = t
		default:
			VBLENDVPS(i.k.v, v, least, v)
		}
		VMAXPS(v, acc[i.u], acc[i.u])
		if s.wide {
			k := K()
			VCMPPS(Imm(3), v, v, k)
			VORPS(v, nan, k, nan)
		} else {
			VCMPPS(Imm(3), v, v, v)
			VORPS(v, nan, nan)
		}
	})
	s.reduce(acc, VMAXPS)
	result(acc[0], 0)
	s.reduce([]reg.VecVirtual{nan}, VORPS)
	result(nan, 1)
	ret()
}

// softmax writes the parts of a softmax over a row and of its gradient.
func (s isa) softmax() {
	// dst = exp(c x - shift), and the sum of it.
	s.text("expSum", "func(dst, x *float32, c, shift float32, n int) float32")
	dst, x, c, shift := pointer("dst"), pointer("x"), s.scalar("c"), s.scalar("shift")
	e := s.exponential()
	acc := s.zeros(2)
	s.loop(pointer("n"), 2, func(i at) {
		v := i.load(x)
		VFMSUB213PS(shift, c, v)
		e.of(v)
		i.store(v, dst)
		s.clear(v, i.k)
		VADDPS(v, acc[i.u], acc[i.u])
	})
	s.reduce(acc, VADDPS)
	result(acc[0], 0)
	ret()

	// The sum of exp(x - shift).
	s.text("sumExp", "func(x *float32, shift float32, n int) float32")
	x, shift = pointer("x"), s.scalar("shift")
	e = s.exponential()
	acc = s.zeros(2)
	s.loop(pointer("n"), 2, func(i at) {
		v := i.load(x)
		VSUBPS(shift, v, v)
		e.of(v)
		s.clear(v, i.k)
		VADDPS(v, acc[i.u], acc[i.u])
	})
	s.reduce(acc, VADDPS)
	result(acc[0], 0)
	ret()

	// dst = y (dy - d).
	s.text("mulDiff", "func(dst, y, dy *float32, d float32, n int)")
	dst, y, dy, d := pointer("dst"), pointer("y"), pointer("dy"), s.scalar("d")
	s.loop(pointer("n"), 4, func(i at) {
		v := i.load(dy)
		VSUBPS(d, v, v)
		VMULPS(i.load(y), v, v)
		i.store(v, dst)
	})
	ret()
}

// layerNorm writes the parts of a layer normalisation and of its gradient.
func (s isa) layerNorm() {
	// dst = (x - mean) rstd gamma + beta.
	s.text("normalize", "func(dst, x, gamma, beta *float32, mean, rstd float32, n int)")
	dst, x, gamma, beta := pointer("dst"), pointer("x"), pointer("gamma"), pointer("beta")
	mean, rstd := s.scalar("mean"), s.scalar("rstd")
	s.loop(pointer("n"), 2, func(i at) {
		v := i.load(x)
		VSUBPS(mean, v, v)
		VMULPS(rstd, v, v)
		VFMADD213PS(i.load(beta), i.load(gamma), v)
		i.store(v, dst)
	})
	ret()

	// dst = (x - mean) rstd.
	s.text("standardise", "func(dst, x *float32, mean, rstd float32, n int)")
	dst, x = pointer("dst"), pointer("x")
	mean, rstd = s.scalar("mean"), s.scalar("rstd")
	s.loop(pointer("n"), 4, func(i at) {
		v := i.load(x)
		VSUBPS(mean, v, v)
		VMULPS(rstd, v, v)
		i.store(v, dst)
	})
	ret()

	// dst = dst + dy (x - mean) rstd.
	s.text("addStandardised", "func(dst, x, dy *float32, mean, rstd float32, n int)")
	dst, x = pointer("dst"), pointer("x")
	dy := pointer("dy")
	mean, rstd = s.scalar("mean"), s.scalar("rstd")
	s.loop(pointer("n"), 4, func(i at) {
		v, d := i.load(x), i.load(dst)
		VSUBPS(mean, v, v)
		VMULPS(rstd, v, v)
		VFMADD231PS(i.load(dy), v, d)
		i.store(d, dst)
	})
	ret()

	// The sums of g = gamma dy and of g (x - mean).
	s.text("normSums", "func(x, gamma, dy *float32, mean float32, n int) (sum, product float32)")
	x, gamma = pointer("x"), pointer("gamma")
	dy = pointer("dy")
	mean = s.scalar("mean")
	sg, sgx := s.zeros(2), s.zeros(2)
	s.loop(pointer("n"), 2, func(i at) {
		g, v := i.load(gamma), i.load(x)
		VMULPS(i.load(dy), g, g)
		VADDPS(g, sg[i.u], sg[i.u])
		VSUBPS(mean, v, v)
		VFMADD231PS(v, g, sgx[i.u])
	})
	s.reduce(sg, VADDPS)
	result(sg[0], 0)
	s.reduce(sgx, VADDPS)
	result(sgx[0], 1)
	ret()

	// dx = rstd gamma dy - c (x - mean) - d.
	s.text("normGrad", "func(dx, x, gamma, dy *float32, mean, rstd, c, d float32, n int)")
	dx, x, gamma := pointer("dx"), pointer("x"), pointer("gamma")
	dy = pointer("dy")
	mean, rstd = s.scalar("mean"), s.scalar("rstd")
	c, d := s.scalar("c"), s.scalar("d")
	s.loop(pointer("n"), 2, func(i at) {
		g, v := i.load(gamma), i.load(x)
		VMULPS(i.load(dy), g, g)
		VFMSUB213PS(d, rstd, g)
		VSUBPS(mean, v, v)
		VFNMADD231PS(c, v, g)
		i.store(g, dx)
	})
	ret()
}
