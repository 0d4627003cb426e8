package vit_test

import (
	"fmt"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
	"spotlighter/vit"
)

// BenchmarkCompile builds, differentiates and compiles a training step of all
// weights, of encoders of more and more blocks: the time grows with their number,
// not with its square. The second is as deep as ViT-B/16.
func BenchmarkCompile(b *testing.B) {
	for _, depth := range []int{6, 12, 24, 48} {
		b.Run(fmt.Sprint(depth, "blocks"), func(b *testing.B) {
			c := vit.Config{ImageSize: 32, PatchSize: 16, Width: 32, Layers: depth, Heads: 2, Embed: 16}
			for b.Loop() {
				s := graph.New(graph.NewStore(nil), graph.Float32)
				e := vit.New(s.Sub("visual"), layers.Weights{Kind: graph.Trainable}, c)
				loss := layers.SumAll(e.Forward(s.Input("images", graph.Float32, 2, 3, 32, 32)).Feature)
				trained := s.Trainables()
				grads, err := s.Grad(loss, trained)
				if err != nil {
					b.Fatal(err)
				}
				out := map[string]*graph.Node{"loss": loss}
				for i, v := range trained {
					out["grad/"+v.Name] = grads[i]
				}
				if _, err := s.Compile(cpu.NewPool(1), out); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*depth), "µs/block")
		})
	}
}
