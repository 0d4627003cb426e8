package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// eachPath runs a test with every set of kernels that this processor has.
func eachPath(t *testing.T, f func(t *testing.T)) {
	was, _ := Path()
	defer Use(was)
	for _, name := range Paths() {
		t.Run(name, func(t *testing.T) {
			if err := Use(name); err != nil {
				t.Fatal(err)
			}
			f(t)
		})
	}
}

func random[T Float](r *rand.Rand, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(r.Float64() - .5)
	}
	return x
}

// randomGemm draws a product of random form; gaps between rows and items hold
// numbers that must neither be read nor written.
func randomGemm[T Float](r *rand.Rand) GemmArgs[T] {
	size := func(most int) int { return 1 + r.IntN(most) }
	a := GemmArgs[T]{M: size(120), N: size(260), K: size(300), Batch: r.IntN(2)}
	switch r.IntN(8) {
	case 0:
		a.M = size(4)
	case 1:
		a.K = 700 + r.IntN(900) // several blocks
		a.M, a.N = size(40), size(40)
	case 2, 3:
		a.M, a.N, a.K, a.Batch = size(70), size(70), size(40), size(20)
	case 4:
		a.K = r.IntN(3)
	}
	a.TransA, a.TransB, a.Accumulate = r.IntN(2) == 1, r.IntN(2) == 1, r.IntN(2) == 1
	if r.IntN(2) == 1 {
		a.Bias = random[T](r, a.N)
	}
	if r.IntN(2) == 1 {
		a.Alpha = T(r.Float64() + .5)
	}
	items := max(a.Batch, 1)
	matrix := func(rows, cols int, trans bool) (x []T, ld, stride int) {
		if trans {
			rows, cols = cols, rows
		}
		ld = cols + r.IntN(4)
		stride = rows*ld + r.IntN(2)*r.IntN(9)
		// The last row ends where it ends: reading on would leave the slice.
		return random[T](r, max(0, (items-1)*stride+(rows-1)*ld+cols)), ld, stride
	}
	a.A, a.LDA, a.StrideA = matrix(a.M, a.K, a.TransA)
	a.B, a.LDB, a.StrideB = matrix(a.K, a.N, a.TransB)
	a.C, a.LDC, a.StrideC = matrix(a.M, a.N, false)
	if r.IntN(3) == 0 {
		a.StrideB = 0
	}
	if r.IntN(3) == 0 {
		a.Residual = random[T](r, len(a.C))
	}
	a.QuickGELU = r.IntN(3) == 0
	return a
}

// compare checks C against the definition, and against what was there where the
// product has no business.
func (a *GemmArgs[T]) compare(t *testing.T, before []T, tolerance float64) {
	t.Helper()
	want := make([]float64, len(before))
	for i, x := range before {
		want[i] = float64(x)
	}
	inside := make([]bool, len(before))
	alpha := float64(a.Alpha)
	if alpha == 0 {
		alpha = 1
	}
	for item := range max(a.Batch, 1) {
		for m := range a.M {
			for n := range a.N {
				var s float64
				for k := range a.K {
					i, j := m*a.LDA+k, k*a.LDB+n
					if a.TransA {
						i = k*a.LDA + m
					}
					if a.TransB {
						j = n*a.LDB + k
					}
					s += float64(a.A[item*a.StrideA+i]) * float64(a.B[item*a.StrideB+j])
				}
				s *= alpha
				if a.Bias != nil {
					s += float64(a.Bias[n])
				}
				c := item*a.StrideC + m*a.LDC + n
				if a.Accumulate {
					s += want[c]
				}
				if a.Residual != nil {
					s += float64(a.Residual[c])
				}
				if a.QuickGELU {
					s /= 1 + math.Exp(-1.702*s)
				}
				want[c], inside[c] = s, true
			}
		}
	}
	for i, x := range a.C {
		e := math.Abs(float64(x) - want[i])
		if !(e <= tolerance*math.Sqrt(float64(a.K+1))) || !inside[i] && x != before[i] {
			t.Fatalf("element %d is %g, want %g (inside %v)", i, x, want[i], inside[i])
		}
	}
}

func (a GemmArgs[T]) String() string {
	return fmt.Sprintf("m=%d n=%d k=%d transA=%v transB=%v accumulate=%v alpha=%v batch=%d bias=%v residual=%v quickgelu=%v lda=%d ldb=%d ldc=%d strides %d %d %d",
		a.M, a.N, a.K, a.TransA, a.TransB, a.Accumulate, a.Alpha, a.Batch, a.Bias != nil, a.Residual != nil, a.QuickGELU, a.LDA, a.LDB, a.LDC, a.StrideA, a.StrideB, a.StrideC)
}

func TestGemm(t *testing.T) {
	pools := []*Pool{NewPool(1), NewPool(2), NewPool(3), NewPool(4)}
	eachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for range 200 {
			a := randomGemm[float32](r)
			t.Log(a)
			testGemm(t, pools, a, 1e-6)
		}
		for range 20 {
			testGemm(t, pools, randomGemm[float64](r), 1e-14)
		}
	})
}

// testGemm checks one product, and that every number of threads gives the same bits.
func testGemm[T Float](t *testing.T, pools []*Pool, a GemmArgs[T], tolerance float64) {
	t.Helper()
	before := slices.Clone(a.C)
	var first []T
	for _, p := range pools {
		copy(a.C, before)
		Gemm(p, a)
		if first == nil {
			a.compare(t, before, tolerance)
			first = slices.Clone(a.C)
		} else if !slices.Equal(a.C, first) {
			t.Fatalf("%d threads and 1 thread differ: %v", p.Threads(), a)
		}
	}
}

// Large products take the ways that small ones do not: shared packing, several
// passes over K, panels in groups.
func TestGemmLarge(t *testing.T) {
	pools := []*Pool{NewPool(1), NewPool(2), NewPool(3)}
	eachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, a := range []GemmArgs[float32]{
			{M: 211, N: 500, K: 801, TransB: true},
			{M: 34, N: 30, K: 5000, TransA: true},
			{M: 3, N: 7000, K: 33},
			{M: 2, N: 6, K: 40000, TransB: true},
			{M: 33, N: 6200, K: 1000, Accumulate: true}, // more than is packed at a time
		} {
			a.LDA, a.LDB, a.LDC = a.K, a.N, a.N
			if a.TransA {
				a.LDA = a.M
			}
			if a.TransB {
				a.LDB = a.K
			}
			a.A, a.B, a.C, a.Bias = random[float32](r, a.M*a.K), random[float32](r, a.K*a.N), random[float32](r, a.M*a.N), random[float32](r, a.N)
			if name, _ := Path(); name == portable && a.M*a.N*a.K > 1e8 {
				continue
			}
			testGemm(t, pools, a, 1e-6)
		}
	})
}

// One product of a tall matrix and the same with its rows as a batch agree.
func TestGemmFoldsBatch(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		p := NewPool(2)
		a := GemmArgs[float32]{M: 60, N: 50, K: 40, A: random[float32](r, 60*40), LDA: 40, B: random[float32](r, 40*50), LDB: 50, C: make([]float32, 60*50), LDC: 50}
		Gemm(p, a)
		want := slices.Clone(a.C)
		clear(a.C)
		a.M, a.Batch, a.StrideA, a.StrideC = 12, 5, 12*40, 12*50
		Gemm(p, a)
		if !slices.Equal(a.C, want) {
			t.Error("the batch differs from the tall product")
		}
	})
}

// A product that is given B packed has the bits of one that packs it itself, and
// what is done to hot parts of C has the bits of what is done to all of it later.
func TestGemmPackedAndFinished(t *testing.T) {
	pools := []*Pool{NewPool(1), NewPool(3)}
	eachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 10))
		for range 100 {
			a := randomGemm[float32](r)
			a.StrideB = 0
			before := slices.Clone(a.C)
			plain := a
			plain.Residual, plain.QuickGELU = nil, false
			Gemm(pools[0], plain)
			for item := range max(a.Batch, 1) {
				for m := range a.M {
					at := item*a.StrideC + m*a.LDC
					row := a.C[at : at+a.N]
					if a.Residual != nil {
						Add(row, row, a.Residual[at:])
					}
					if a.QuickGELU {
						QuickGELU(row, row)
					}
				}
			}
			want := slices.Clone(a.C)
			for _, p := range pools {
				for _, packed := range []*Packed{nil, Pack(p, a.B, a.LDB, a.K, a.N, a.TransB)} {
					copy(a.C, before)
					a.Packed = packed
					Gemm(p, a)
					if !slices.Equal(a.C, want) {
						t.Fatalf("%d threads, packed %v: other bits for %v", p.Threads(), packed != nil, a)
					}
				}
			}
		}
	})
}

// What was packed for other kernels does no harm.
func TestGemmPackedForAnotherPath(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	a := GemmArgs[float32]{M: 50, N: 70, K: 90, A: random[float32](r, 50*90), LDA: 90, B: random[float32](r, 90*70), LDB: 70, C: make([]float32, 50*70), LDC: 70}
	p := NewPool(1)
	a.Packed = Pack(p, a.B, a.LDB, a.K, a.N, false)
	eachPath(t, func(t *testing.T) { testGemm(t, []*Pool{p}, a, 1e-6) })
}

func TestGemmAllocatesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, name := range Paths() {
		if name == portable {
			continue // gonum's kernels allocate nothing, the loop around them does
		}
		was, _ := Path()
		defer Use(was)
		if err := Use(name); err != nil {
			t.Fatal(err)
		}
		for _, p := range []*Pool{NewPool(1), NewPool(2)} {
			for _, a := range []GemmArgs[float32]{
				{M: 200, N: 200, K: 200, TransA: true},
				{M: 65, N: 65, K: 32, Batch: 20, TransB: true},
				{M: 1, N: 65, K: 32, Batch: 20, TransB: true},
			} {
				a.LDA, a.LDB, a.LDC = max(a.K, a.M), max(a.K, a.N), a.N
				a.StrideA, a.StrideB, a.StrideC = a.LDA*a.LDA, a.LDB*a.LDB, a.M*a.N
				n := max(a.Batch, 1)
				a.A, a.B, a.C = random[float32](r, n*a.StrideA), random[float32](r, n*a.StrideB), make([]float32, n*a.StrideC)
				if n := testing.AllocsPerRun(20, func() { Gemm(p, a) }); n != 0 && !raceEnabled {
					t.Errorf("%s, %d threads: %v allocations for %v", name, p.Threads(), n, a)
				}
			}
		}
	}
}

func TestGemmChecksItsOperands(t *testing.T) {
	ok := func() GemmArgs[float32] {
		return GemmArgs[float32]{M: 2, N: 3, K: 4, A: make([]float32, 8), LDA: 4, B: make([]float32, 12), LDB: 3, C: make([]float32, 6), LDC: 3}
	}
	for want, spoil := range map[string]func(a *GemmArgs[float32]){
		"cpu: gemm: A has 7 elements, wanted 8":                  func(a *GemmArgs[float32]) { a.A = a.A[:7] },
		"cpu: gemm: B has 11 elements, wanted 12":                func(a *GemmArgs[float32]) { a.B = a.B[:11] },
		"cpu: gemm: C has 6 elements, wanted 7":                  func(a *GemmArgs[float32]) { a.LDC = 4 },
		"cpu: gemm: A has rows of 4, 3 apart, and items 0 apart": func(a *GemmArgs[float32]) { a.LDA = 3 },
		"cpu: gemm: bias has 2 elements, wanted 3":               func(a *GemmArgs[float32]) { a.Bias = make([]float32, 2) },
		"cpu: gemm: residual has 5 elements, wanted 6":           func(a *GemmArgs[float32]) { a.Residual = make([]float32, 5) },
		"cpu: gemm: items of C are 1 apart and overlap":          func(a *GemmArgs[float32]) { a.Batch, a.StrideC, a.C = 2, 1, make([]float32, 9) },
	} {
		a := ok()
		spoil(&a)
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("panic %v, want %q", got, want)
				}
			}()
			Gemm(NewPool(1), a)
		}()
	}
	Gemm(NewPool(1), ok())
}
