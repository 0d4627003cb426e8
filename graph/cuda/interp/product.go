package interp

import (
	"spotlighter/graph/cuda/kernels"
	"spotlighter/graph/cuda/ptx"
)

// multiply is a product as a library computes it.
func multiply(m *ptx.Memory, base map[int]uint64, p *kernels.Product) {
	a, b := m.Floats(base[p.A.Slot])[p.A.Off/4:], m.Floats(base[p.B.Slot])[p.B.Off/4:]
	c := m.Floats(base[p.C.Slot])
	at := func(x []float32, transposed bool, ld, i, j int) float64 {
		if transposed {
			i, j = j, i
		}
		return float64(x[i*ld+j])
	}
	for item := range p.Batch {
		a, b := a[item*p.StrideA:], b[item*p.StrideB:]
		for i := range p.M {
			for j := range p.N {
				var s float64
				for k := range p.K {
					s += at(a, p.TransA, p.LDA, i, k) * at(b, p.TransB, p.LDB, k, j)
				}
				c[int(p.C.Off/4)+item*p.StrideC+i*p.LDC+j] = float32(float64(p.Alpha) * s)
			}
		}
	}
	m.PutFloats(base[p.C.Slot], c)
}
