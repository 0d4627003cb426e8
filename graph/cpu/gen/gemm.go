package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gemm writes the kernel that computes tiles of mr rows and nv vectors, one
// below the other:
//
//	C = alpha A B (+ bias if mode&1) (+ C if mode&2)
//
// Element (i,k) of a tile of A is at a[i*rsa+k*csa], the next tile step
// further. B has rows ldb apart and C ldc; lanes of the last vector are used.
// Every element of C is one chain of fused multiply-adds in the order of k,
// whatever the tile, so that the way a matrix is cut up does not show.
func (s isa) gemm(mr, nv int) {
	const unroll, ahead = 4, 12 // ahead: rows of B to prefetch
	s.text(fmt.Sprintf("gemm%dx%d", mr, nv), "func(tiles, k int, a *float32, step, rsa, csa int, b *float32, ldb int, c *float32, ldc int, bias *float32, alpha float32, mode, lanes int)")
	a, rsa, csa := pointer("a"), pointer("rsa"), pointer("csa")
	ldb, c, ldc := pointer("ldb"), pointer("c"), pointer("ldc")
	// AVX2 has no register to spare for a mask in its widest tile.
	var last *mask
	if s.wide || nv == 1 {
		last = s.first(pointer("lanes"))
	}
	for _, r := range []reg.Register{rsa, csa, ldb, ldc} {
		SHLQ(U8(2), r)
	}
	load := func(j int, m Mem, v reg.VecVirtual) {
		m.Disp = j * s.bytes
		if j == nv-1 {
			s.load(m, v, last)
		} else {
			s.load(m, v, nil)
		}
	}
	acc := make([][]reg.VecVirtual, mr)
	nextTile := label("tile")
	Label(nextTile)
	for i := range acc {
		acc[i] = s.zeros(nv)
	}

	// The tile of C is fetched while the product runs.
	p := GP64()
	MOVQ(c, p)
	for range mr {
		for j := 0; j < nv*s.bytes; j += 64 {
			PREFETCHT0(Mem{Base: p, Disp: j})
		}
		ADDQ(ldc, p)
	}

	// Rows 0..7 from three pointers.
	rows := []reg.GPVirtual{GP64()}
	MOVQ(a, rows[0])
	for i := 3; i < mr && i <= 6; i += 3 {
		r := GP64()
		LEAQ(Mem{Base: rows[len(rows)-1], Index: rsa, Scale: 2}, r)
		ADDQ(rsa, r)
		rows = append(rows, r)
	}
	element := func(i int) Mem {
		base, scale := i/3, i%3
		switch i {
		case 4:
			base, scale = 0, 4
		case 5:
			base, scale = 1, 2
		case 7:
			base, scale = 1, 4
		}
		if scale == 0 {
			return Mem{Base: rows[base]}
		}
		return Mem{Base: rows[base], Index: rsa, Scale: uint8(scale)}
	}
	b := pointer("b")
	k := pointer("k")
	var fetch reg.GPVirtual
	if s.wide {
		fetch = GP64()
		IMUL3Q(Imm(ahead), ldb, fetch)
		ADDQ(b, fetch)
	}
	bv := make([]reg.VecVirtual, nv)
	for j := range bv {
		bv[j] = s.vec()
	}
	av := make([]reg.VecVirtual, 2)
	for i := range av {
		av[i] = s.vec()
	}
	multiply := func() {
		for j := range bv {
			load(j, Mem{Base: b}, bv[j])
			if s.wide {
				PREFETCHT0(Mem{Base: fetch, Disp: j * s.bytes})
			}
		}
		for i := range mr {
			VBROADCASTSS(element(i), av[i%len(av)])
			for j := range bv {
				VFMADD231PS(bv[j], av[i%len(av)], acc[i][j])
			}
		}
		for _, r := range rows {
			ADDQ(csa, r)
		}
		ADDQ(ldb, b)
		if s.wide {
			ADDQ(ldb, fetch)
		}
	}
	main, rest, one, done := label("main"), label("rest"), label("one"), label("product")
	SUBQ(Imm(unroll), k)
	JL(LabelRef(rest))
	Label(main)
	for range unroll {
		multiply()
	}
	SUBQ(Imm(unroll), k)
	JGE(LabelRef(main))
	Label(rest)
	ADDQ(Imm(unroll), k)
	JE(LabelRef(done))
	Label(one)
	multiply()
	DECQ(k)
	JNE(LabelRef(one))
	Label(done)

	alpha := s.scalar("alpha")
	for i := range acc {
		for j := range acc[i] {
			VMULPS(alpha, acc[i][j], acc[i][j])
		}
	}
	mode, t := pointer("mode"), bv[0]
	noBias, noC := label("nobias"), label("noc")
	TESTQ(I32(1), mode)
	JE(LabelRef(noBias))
	bias := pointer("bias")
	for j := range nv {
		load(j, Mem{Base: bias}, t)
		for i := range acc {
			VADDPS(t, acc[i][j], acc[i][j])
		}
	}
	Label(noBias)
	TESTQ(I32(2), mode)
	JE(LabelRef(noC))
	MOVQ(c, p)
	for i := range acc {
		for j := range nv {
			load(j, Mem{Base: p}, t)
			VADDPS(t, acc[i][j], acc[i][j])
		}
		ADDQ(ldc, p)
	}
	Label(noC)
	for i := range acc {
		for j := range nv {
			m := Mem{Base: c, Disp: j * s.bytes}
			if j == nv-1 {
				s.store(acc[i][j], m, last)
			} else {
				s.store(acc[i][j], m, nil)
			}
		}
		ADDQ(ldc, c)
	}
	step := pointer("step")
	LEAQ(Mem{Base: a, Index: step, Scale: 4}, a)
	tiles, err := Param("tiles").Resolve()
	if err != nil {
		panic(err)
	}
	DECQ(tiles.Addr)
	JNE(LabelRef(nextTile))
	ret()
}

// pack writes the kernel that copies rows of nv vectors, of the last one lanes,
// from lds apart to one after the other.
func (s isa) pack(nv int) {
	s.text(fmt.Sprintf("pack%d", nv), "func(dst, src *float32, lds, rows, lanes int)")
	dst, src, lds, rows := pointer("dst"), pointer("src"), pointer("lds"), pointer("rows")
	last := s.first(pointer("lanes"))
	SHLQ(U8(2), lds)
	again := label("row")
	Label(again)
	for j := range nv {
		v, k := s.vec(), last
		if j < nv-1 {
			k = nil
		}
		s.load(Mem{Base: src, Disp: j * s.bytes}, v, k)
		s.store(v, Mem{Base: dst, Disp: j * s.bytes}, nil)
	}
	ADDQ(lds, src)
	ADDQ(I32(int32(nv*s.bytes)), dst)
	DECQ(rows)
	JNE(LabelRef(again))
	ret()
}

// transpose writes dst[k*ldd+j] = src[j*lds+k] for j < 8, k < n, n a positive
// multiple of 8.
func transpose() {
	TEXT("transpose8", NOSPLIT, "func(dst *float32, ldd int, src *float32, lds, n int)")
	Pragma("noescape")
	dst, ldd, src, lds, n := pointer("dst"), pointer("ldd"), pointer("src"), pointer("lds"), pointer("n")
	SHLQ(U8(2), ldd)
	SHLQ(U8(2), lds)
	src3 := GP64()
	LEAQ(Mem{Base: src, Index: lds, Scale: 2}, src3)
	ADDQ(lds, src3)
	src4 := GP64()
	LEAQ(Mem{Base: src, Index: lds, Scale: 4}, src4)
	src7 := GP64()
	LEAQ(Mem{Base: src3, Index: lds, Scale: 4}, src7)
	row := func(j, disp int) Mem {
		base := []reg.GPVirtual{src, src3, src4, src7}[j/4*2+j%4/3]
		if j%4 == 1 || j%4 == 2 {
			return Mem{Base: base, Index: lds, Scale: uint8(j % 4), Disp: disp}
		}
		return Mem{Base: base, Disp: disp}
	}
	again := label("block")
	Label(again)
	var in [2][4]reg.VecVirtual // in[h][j] holds columns 4h..4h+3 of rows j and j+4
	for h := range in {
		for j := range 4 {
			in[h][j] = YMM()
			VMOVUPS(row(j, 16*h), in[h][j].AsX())
			VINSERTF128(Imm(1), row(j+4, 16*h), in[h][j], in[h][j])
		}
	}
	for _, r := range in {
		lo, hi := [2]reg.VecVirtual{}, [2]reg.VecVirtual{}
		for j := range 2 {
			lo[j], hi[j] = YMM(), YMM()
			VUNPCKLPS(r[2*j+1], r[2*j], lo[j])
			VUNPCKHPS(r[2*j+1], r[2*j], hi[j])
		}
		for _, pair := range [][2]reg.VecVirtual{lo, hi} {
			for _, pick := range []U8{0x44, 0xee} {
				out := YMM()
				VSHUFPS(pick, pair[1], pair[0], out)
				VMOVUPS(out, Mem{Base: dst})
				ADDQ(ldd, dst)
			}
		}
	}
	for _, r := range []reg.GPVirtual{src, src3, src4, src7} {
		ADDQ(Imm(32), r)
	}
	SUBQ(Imm(8), n)
	JG(LabelRef(again))
	ret()
}
