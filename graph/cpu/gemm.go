package cpu

import (
	"fmt"
	"unsafe"
)

// GemmArgs is a product of row-major matrices, for each of Batch items:
//
//	C[M,N] = Alpha op(A)[M,K] op(B)[K,N] + Bias[N] (+ C if Accumulate)
//
// where op(A) is A[M,K], or A[K,M] transposed if TransA is set, and op(B)
// likewise. LDA, LDB and LDC are the distances between rows as stored. C must
// not overlap A, B or Bias.
type GemmArgs[T Float] struct {
	TransA, TransB bool
	M, N, K        int
	A              []T
	LDA, StrideA   int // StrideA is the distance between batch items; 0 uses one A for all
	B              []T
	LDB, StrideB   int
	C              []T
	LDC, StrideC   int
	Bias           []T // nil, or one for each column, the same for all items
	Accumulate     bool
	Alpha          T   // 0 means 1
	Batch          int // 0 means 1
}

// Gemm computes a product. It panics if an operand is shorter than its sizes say.
func Gemm[T Float](p *Pool, a GemmArgs[T]) {
	if a.Batch == 0 {
		a.Batch = 1
	}
	if a.Alpha == 0 {
		a.Alpha = 1
	}
	if a.M <= 0 || a.N <= 0 || a.Batch < 0 {
		return
	}
	a.check()
	if k := active; k != nil && single[T]() && a.K > 0 {
		simdGemm(p, k, (*GemmArgs[float32])(unsafe.Pointer(&a)))
		return
	}
	portableGemm(p, a)
}

func (a *GemmArgs[T]) check() {
	ar, ac, br, bc := a.M, a.K, a.K, a.N
	if a.TransA {
		ar, ac = ac, ar
	}
	if a.TransB {
		br, bc = bc, br
	}
	operand := func(name string, x []T, rows, cols, ld, stride int) {
		if rows <= 0 || cols <= 0 {
			return
		}
		if ld < cols || stride < 0 {
			panic(fmt.Sprintf("cpu: gemm: %s has rows of %d, %d apart, and items %d apart", name, cols, ld, stride))
		}
		if want := (a.Batch-1)*stride + (rows-1)*ld + cols; len(x) < want {
			panic(fmt.Sprintf("cpu: gemm: %s has %d elements, wanted %d", name, len(x), want))
		}
	}
	operand("A", a.A, ar, ac, a.LDA, a.StrideA)
	operand("B", a.B, br, bc, a.LDB, a.StrideB)
	operand("C", a.C, a.M, a.N, a.LDC, a.StrideC)
	if a.Bias != nil && len(a.Bias) != a.N {
		panic(fmt.Sprintf("cpu: gemm: bias has %d elements, wanted %d", len(a.Bias), a.N))
	}
	if a.Batch > 1 && a.StrideC < (a.M-1)*a.LDC+a.N {
		panic(fmt.Sprintf("cpu: gemm: items of C are %d apart and overlap", a.StrideC))
	}
}
