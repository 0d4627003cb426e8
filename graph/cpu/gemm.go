package cpu

import (
	"fmt"
	"unsafe"
)

// GemmArgs is a product of row-major matrices, for each of Batch items:
//
//	C[M,N] = Alpha op(A)[M,K] op(B)[K,N] + Bias[N] (+ C if Accumulate)
//	C = C + Residual, then C = C sigmoid(1.702 C) if QuickGELU
//
// where op(A) is A[M,K], or A[K,M] transposed if TransA is set, and op(B)
// likewise. LDA, LDB and LDC are the distances between rows as stored. C must
// not overlap an operand.
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

	// The last two work on parts of C that are still in the caches, and give the
	// bits that Add and QuickGELU would give after the product.
	Residual  []T // nil, or as C, LDC and StrideC apart
	QuickGELU bool

	// Packed is op(B) as Pack arranged it, nil to do so for this product alone.
	// It changes no bit, and B is needed all the same.
	Packed *Packed
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
	if a.Residual != nil {
		operand("residual", a.Residual, a.M, a.N, a.LDC, a.StrideC)
	}
	if a.Bias != nil && len(a.Bias) != a.N {
		panic(fmt.Sprintf("cpu: gemm: bias has %d elements, wanted %d", len(a.Bias), a.N))
	}
	if a.Packed != nil && (a.Packed.k != a.K || a.Packed.n != a.N || a.Packed.trans != a.TransB || a.StrideB != 0) {
		panic(fmt.Sprintf("cpu: gemm: packed is [%d,%d] (transposed: %v), wanted one [%d,%d] (%v)", a.Packed.k, a.Packed.n, a.Packed.trans, a.K, a.N, a.TransB))
	}
	if a.Batch > 1 && a.StrideC < (a.M-1)*a.LDC+a.N {
		panic(fmt.Sprintf("cpu: gemm: items of C are %d apart and overlap", a.StrideC))
	}
}

// finish does what follows the sum, on rows [m0,m1) and columns [n0,n1) of C.
func (a *GemmArgs[T]) finish(item, m0, m1, n0, n1 int) {
	if a.Residual == nil && !a.QuickGELU {
		return
	}
	for m := m0; m < m1; m++ {
		at := item*a.StrideC + m*a.LDC
		c := a.C[at+n0 : at+n1]
		if a.Residual != nil {
			Add(c, c, a.Residual[at+n0:at+n1])
		}
		if a.QuickGELU {
			QuickGELU(c, c)
		}
	}
}
