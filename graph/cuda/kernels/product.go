package kernels

import "fmt"

// Product is a product of row-major matrices for each item of a batch:
//
//	C[M,N] = Alpha op(A)[M,K] op(B)[K,N]
//
// with op(A) stored as A[K,M] if TransA, op(B) as B[N,K] if TransB. LD* are the
// distances between rows and Stride* those between items, in elements.
type Product struct {
	A, B, C                   Ptr
	M, N, K, LDA, LDB, LDC    int
	TransA, TransB            bool
	Batch                     int
	StrideA, StrideB, StrideC int
	Alpha                     float32
	TensorCore                string // as in List
}

// Epilogue is what follows a product, in this order: Bias [N] is added, Residual,
// laid out as C, is added, QuickGELU is applied. Null is none.
type Epilogue struct {
	Bias, Residual Ptr
	QuickGELU      bool
}

// Plain is no epilogue.
var Plain = Epilogue{Bias: Null, Residual: Null}

// product is a kernel that multiplies, and the side of the square of C that a block
// of it computes: see gemm.cuh and tensor.cuh.
type product struct {
	kernel string
	side   int
}

// products are the kernels by what a List's TensorCore says.
var products = map[string]product{"": {"gemm", 64}, "tf32": {"gemm_tf32", 128}, "bf16": {"gemm_bf16", 128}}

// Gemm multiplies.
func (l *List) Gemm(p Product, e Epilogue) error {
	if p.M*p.N*p.Batch == 0 {
		return nil
	}
	for _, n := range []int{p.M * p.N, p.M * p.K, p.K * p.N} {
		if n > most {
			return fmt.Errorf("a matrix of %d elements, of which CUDA kernels count %d at most", n, most)
		}
	}
	p.TensorCore = l.TensorCore
	if l.Multiply != nil && p.K > 0 && l.Multiply(p) {
		l.Launches = append(l.Launches, Launch{Product: &p})
		if e == Plain {
			return nil
		}
		if p.LDC != p.N || p.Batch > 1 && p.StrideC != p.M*p.N {
			return fmt.Errorf("the epilogue of a product wants a dense result")
		}
		if e.Residual == p.C {
			return fmt.Errorf("the epilogue of a product wants a residual that the product does not lie over")
		}
		n := p.M * p.N * p.Batch
		return l.Each("epilogue", n, p.C, e.Bias, e.Residual, n, p.N, e.QuickGELU)
	}
	by, ok := products[p.TensorCore]
	if !ok {
		return fmt.Errorf("no kernel multiplies in %s", p.TensorCore)
	}
	blocks := (p.M + by.side - 1) / by.side * ((p.N + by.side - 1) / by.side) * p.Batch
	return l.launch(by.kernel, blocks, threads, 0, []any{p.A, p.B, p.C, e.Bias, e.Residual, p.M, p.N, p.K, p.LDA, p.LDB, p.LDC,
		p.StrideA, p.StrideB, p.StrideC, p.TransA, p.TransB, e.QuickGELU, float64(p.Alpha)})
}
