// Package producttest has products of matrices, and what they give, for tests of
// whatever computes them.
package producttest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"spotlighter/graph/cuda/kernels"
)

// Slots of a product's operands.
const (
	SlotA = iota
	SlotB
	SlotC
)

// Case is a product, whose addresses are slots without an offset, and its operands.
type Case struct {
	Name string
	kernels.Product
	DataA, DataB []float32
	LenC         int // elements of the memory of C
}

// shapes are M, N, K: less than a tile, one, and more, of each kind of kernel.
var shapes = [][3]int{{1, 1, 1}, {3, 5, 7}, {64, 64, 16}, {17, 129, 33}, {130, 66, 40}, {131, 133, 9}}

// Cases are products of odd and of even shapes, of every transposition: dense ones,
// and batches with gaps between rows and items. C has room around it that is not to
// be written.
func Cases() (cases []Case) {
	for _, s := range shapes {
		for i := range 4 {
			for _, gap := range []int{0, 3} {
				p := kernels.Product{M: s[0], N: s[1], K: s[2], TransA: i&1 != 0, TransB: i&2 != 0, Batch: 1 + gap/2, Alpha: 1 - float32(gap)/4}
				p.A.Slot, p.B.Slot, p.C.Slot = SlotA, SlotB, SlotC
				rowsA, rowsB := p.M, p.K
				p.LDA, p.LDB, p.LDC = p.K+gap, p.N+gap, p.N+gap
				if p.TransA {
					rowsA, p.LDA = p.K, p.M+gap
				}
				if p.TransB {
					rowsB, p.LDB = p.N, p.K+gap
				}
				p.StrideA, p.StrideB, p.StrideC = rowsA*p.LDA+gap, rowsB*p.LDB+gap, p.M*p.LDC+gap
				if gap > 0 && i == 3 {
					p.StrideB = 0 // one B for all
				}
				c := Case{Name: fmt.Sprintf("%dx%dx%d %v %v gap %d", p.M, p.N, p.K, p.TransA, p.TransB, gap), Product: p, LenC: p.Batch * p.StrideC}
				r := rand.New(rand.NewPCG(uint64(len(cases)), 1))
				c.DataA, c.DataB = random(r, (p.Batch-1)*p.StrideA+rowsA*p.LDA), random(r, (p.Batch-1)*p.StrideB+rowsB*p.LDB)
				if p.K == 7 { // rounding keeps what is no number
					c.DataA[0], c.DataA[len(c.DataA)-1-gap] = float32(math.Inf(1)), float32(math.NaN())
				}
				cases = append(cases, c)
			}
		}
	}
	return cases
}

func random(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// Round rounds an operand as mathematics of that name (kernels.List.TensorCore)
// does: to 10 bits of fraction, the greater of two that are as near, or to 7, the
// even one.
func Round(x float32, math32 string) float32 {
	u := math.Float32bits(x)
	switch math32 {
	case "tf32":
		u = (u + 1<<12) &^ (1<<13 - 1)
	case "bf16":
		u = (u + 1<<15 - 1 + u>>16&1) &^ (1<<16 - 1)
	}
	return math.Float32frombits(u)
}

// Want is C, NaN where it is not written, of operands rounded so, and how far from it
// sums in float32 can be.
func (c Case) Want(math32 string) (want, bound []float64) {
	want, bound = make([]float64, c.LenC), make([]float64, c.LenC)
	for i := range want {
		want[i] = math.NaN()
	}
	at := func(x []float32, ld int, transposed bool, row, column int) float64 {
		if transposed {
			row, column = column, row
		}
		return float64(Round(x[row*ld+column], math32))
	}
	for item := range c.Batch {
		a, b := c.DataA[item*c.StrideA:], c.DataB[item*c.StrideB:]
		for i := range c.M {
			for j := range c.N {
				var sum, size float64
				for k := range c.K {
					v := at(a, c.LDA, c.TransA, i, k) * at(b, c.LDB, c.TransB, k, j)
					sum, size = sum+v, size+math.Abs(v)
				}
				o := item*c.StrideC + i*c.LDC + j
				want[o], bound[o] = float64(c.Alpha)*sum, float64(c.K+8)*size/(1<<23)
			}
		}
	}
	return want, bound
}

// Compare says what is wrong with a result, whose memory held NaNs before.
func (c Case) Compare(got []float32, math32 string) error {
	want, bound := c.Want(math32)
	for i, w := range want {
		g := float64(got[i])
		if math.IsNaN(w) != math.IsNaN(g) || math.IsInf(w, 0) && g != w || math.Abs(g-w) > bound[i] {
			return fmt.Errorf("%s: element %d is %v, want %v within %.1e", c.Name, i, g, w, bound[i])
		}
	}
	return nil
}
