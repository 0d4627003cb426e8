package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func BenchmarkGemm(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range []struct {
		name string
		a    GemmArgs[float32]
	}{
		{"1576x3072x768", GemmArgs[float32]{M: 1576, N: 3072, K: 768}},
		{"1576x768x3072", GemmArgs[float32]{M: 1576, N: 768, K: 3072}},
		{"1576x768x3072/B'", GemmArgs[float32]{M: 1576, N: 768, K: 3072, TransB: true}},
		{"768x3072x1576/A'", GemmArgs[float32]{M: 768, N: 3072, K: 1576, TransA: true}},
		{"8320x384x128", GemmArgs[float32]{M: 8320, N: 384, K: 128}},
		{"8320x512x128", GemmArgs[float32]{M: 8320, N: 512, K: 128}},
		{"128x384x8320/A'", GemmArgs[float32]{M: 128, N: 384, K: 8320, TransA: true}},
		{"512of65x65x32", GemmArgs[float32]{M: 65, N: 65, K: 32, Batch: 512}},
		{"512of65x65x32/B'", GemmArgs[float32]{M: 65, N: 65, K: 32, Batch: 512, TransB: true}},
		{"512of65x32x65", GemmArgs[float32]{M: 65, N: 32, K: 65, Batch: 512}},
		{"512of65x32x65/A'", GemmArgs[float32]{M: 65, N: 32, K: 65, Batch: 512, TransA: true}},
		{"2048of1x65x32/B'", GemmArgs[float32]{M: 1, N: 65, K: 32, Batch: 2048, TransB: true}},
		{"1x3072x768", GemmArgs[float32]{M: 1, N: 3072, K: 768}},
		{"4x768x3072/B'", GemmArgs[float32]{M: 4, N: 768, K: 3072, TransB: true}},
		{"32x512x512", GemmArgs[float32]{M: 32, N: 512, K: 512}},
	} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/threads=%d", s.name, threads), func(b *testing.B) {
				a := s.a
				items := max(a.Batch, 1)
				a.LDA, a.LDB, a.LDC = a.K, a.N, a.N
				if a.TransA {
					a.LDA = a.M
				}
				if a.TransB {
					a.LDB = a.K
				}
				a.StrideA, a.StrideB, a.StrideC = a.M*a.K, a.K*a.N, a.M*a.N
				a.A, a.B, a.C = random[float32](r, items*a.StrideA), random[float32](r, items*a.StrideB), make([]float32, items*a.StrideC)
				a.Bias = random[float32](r, a.N)
				p := NewPool(threads)
				Gemm(p, a)
				b.ReportAllocs()
				for b.Loop() {
					Gemm(p, a)
				}
				b.ReportMetric(2*float64(items*a.M*a.N*a.K)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

func BenchmarkRows(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{65, 384, 3072} {
		x, y, z, g := random[float32](r, n), random[float32](r, n), make([]float32, n), random[float32](r, n)
		for _, f := range []struct {
			name string
			run  func()
		}{
			{"Add", func() { Add(z, x, y) }},
			{"Dot", func() { Dot(x, y) }},
			{"Max", func() { Max(x) }},
			{"Exp", func() { Exp(z, x) }},
			{"QuickGELU", func() { QuickGELU(z, x) }},
			{"QuickGELUGrad", func() { QuickGELUGrad(z, x, y) }},
			{"SoftmaxRow", func() { SoftmaxRow(z, x, .125) }},
			{"SoftmaxGradRow", func() { SoftmaxGradRow(z, x, y) }},
			{"LayerNormRow", func() { LayerNormRow(z, x, g, y, 1e-5) }},
			{"LayerNormGradRow", func() { LayerNormGradRow(z, x, g, y, .1, 3) }},
		} {
			b.Run(fmt.Sprintf("%s/%d", f.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f.run()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/elem")
			})
		}
	}
}

// Tasks of two chunks of a few microseconds, one after the other, as a graph of small
// ops has them; "alone" is the same work on one thread.
func BenchmarkPoolShortTasks(b *testing.B) {
	x := make([]float32, 1<<16)
	for _, c := range []struct {
		name    string
		threads int
	}{{"alone", 1}, {"two threads", 2}} {
		b.Run(c.name, func(b *testing.B) {
			p := NewPool(c.threads)
			work := func(lo, hi int) { Exp(x[lo:hi], x[lo:hi]) }
			for b.Loop() {
				p.For(len(x), len(x)/2, work)
			}
		})
	}
}
