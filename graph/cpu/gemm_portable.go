package cpu

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// tile is the side of the blocks that portableGemm hands to gonum: small enough
// that gonum starts no goroutines of its own, and that three of them share a cache.
const tile = 64

// portableGemm computes a product by gonum's kernels, a tile of C a task.
func portableGemm[T Float](p *Pool, a GemmArgs[T]) {
	mt, nt := (a.M+tile-1)/tile, (a.N+tile-1)/tile
	p.For(a.Batch*mt*nt, 1, func(i, _ int) {
		item, i0, j0 := i/(mt*nt), i/nt%mt*tile, i%nt*tile
		m, n := min(tile, a.M-i0), min(tile, a.N-j0)
		c := a.C[item*a.StrideC+i0*a.LDC+j0:]
		for r := range m {
			row := c[r*a.LDC:][:n]
			if !a.Accumulate {
				clear(row)
			}
			if a.Bias != nil {
				Add(row, row, a.Bias[j0:][:n])
			}
		}
		for k0 := 0; k0 < a.K; k0 += tile {
			k := min(tile, a.K-k0)
			ao, bo := i0*a.LDA+k0, k0*a.LDB+j0
			ta, tb := blas.NoTrans, blas.NoTrans
			if a.TransA {
				ta, ao = blas.Trans, k0*a.LDA+i0
			}
			if a.TransB {
				tb, bo = blas.Trans, j0*a.LDB+k0
			}
			x, y := a.A[item*a.StrideA+ao:], a.B[item*a.StrideB+bo:]
			if single[T]() {
				gonum.Implementation{}.Sgemm(ta, tb, m, n, k, float32(a.Alpha), f32(x), a.LDA, f32(y), a.LDB, 1, f32(c), a.LDC)
			} else {
				gonum.Implementation{}.Dgemm(ta, tb, m, n, k, float64(a.Alpha), f64(x), a.LDA, f64(y), a.LDB, 1, f64(c), a.LDC)
			}
		}
		a.finish(item, i0, i0+m, j0, j0+n)
	})
}
