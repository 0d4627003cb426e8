package layers

import (
	"fmt"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// patches cuts images into squares.
type patches struct{ Size int }

// PatchEmbed cuts images [B, 3, S, S] into squares of the kernel's size p and
// maps each by the kernel [W, 3, p, p], a convolution of stride p: [B, N, W]
// with N = (S/p)², row by row.
func PatchEmbed(images, kernel *Node) *Node {
	k := ShapeOf(kernel)
	if len(k) != 4 || k[2] != k[3] || k[3] == 0 {
		graph.Refusef("patch embedding", []*Node{images, kernel}, "want images [B, channels, S, S] and a kernel [W, channels, p, p]")
	}
	return Linear(graph.Apply(patches{k[3]}, images), Reshape(kernel, k[0], k[1]*k[2]*k[3]), nil)
}

func (patches) Loops()       {}
func (patches) Name() string { return "patches" }
func (o patches) Infer(in []graph.Type) (graph.Type, error) {
	s := in[0].Shape
	if len(s) != 4 || s[2]%o.Size != 0 || s[3]%o.Size != 0 {
		return graph.Type{}, fmt.Errorf("want images [B, channels, H, W] that patches of %d fill", o.Size)
	}
	n := s[2] / o.Size * (s[3] / o.Size)
	return graph.Type{Shape: graph.Shape{s[0], n, s[1] * o.Size * o.Size}, Dtype: in[0].Dtype}, floats(in...)
}
func (o patches) Grad(in []*Node, _, dy *Node) []*Node {
	s := ShapeOf(in[0])
	return []*Node{graph.Apply(unpatch{Size: o.Size, C: s[1], H: s[2], W: s[3]}, dy)}
}
func (o patches) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		patchKernel(c, o.Size, in[0].Shape, out.F64, in[0].F64, false)
	} else {
		patchKernel(c, o.Size, in[0].Shape, out.F32, in[0].F32, false)
	}
	return nil
}

// patchKernel moves rows of p pixels between an image batch of shape s and its
// patches, which hold every pixel once.
func patchKernel[T cpu.Float](c *graph.Ctx, p int, s graph.Shape, patch, image []T, back bool) {
	ch, h, w := s[1], s[2], s[3]
	c.For(s[0]*(h/p), 1, func(lo, hi int) {
		for t := lo; t < hi; t++ { // one row of patches
			b, py := t/(h/p), t%(h/p)
			for px := 0; px < w/p; px++ {
				row := patch[((b*(h/p)+py)*(w/p)+px)*ch*p*p:]
				for k := 0; k < ch*p; k++ { // channel k/p, line k%p
					line := image[((b*ch+k/p)*h+py*p+k%p)*w+px*p:]
					if back {
						copy(line[:p], row[k*p:])
					} else {
						copy(row[k*p:k*p+p], line)
					}
				}
			}
		}
	})
}

// unpatch puts squares back into images: the gradient of patches.
type unpatch struct{ Size, C, H, W int }

func (unpatch) Loops()       {}
func (unpatch) Name() string { return "unpatch" }
func (o unpatch) Infer(in []graph.Type) (graph.Type, error) {
	return graph.Type{Shape: graph.Shape{in[0].Shape[0], o.C, o.H, o.W}, Dtype: in[0].Dtype}, nil
}
func (o unpatch) Grad(_ []*Node, _, dy *Node) []*Node {
	return []*Node{graph.Apply(patches{o.Size}, dy)}
}
func (o unpatch) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		patchKernel(c, o.Size, out.Shape, in[0].F64, out.F64, true)
	} else {
		patchKernel(c, o.Size, out.Shape, in[0].F32, out.F32, true)
	}
	return nil
}
