package layers

import (
	"fmt"
	"math/bits"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// Dropout multiplies x with a mask, elementwise, with broadcasting. The mask
// comes from DropoutMask, or from elsewhere when recorded masks are replayed.
func Dropout(x, mask *Node) *Node { return Mul(x, mask) }

// DropoutMask draws a mask of inverted dropout (Srivastava et al., JMLR 15,
// 2014): each element is 0 with probability p in [0, 1), else 1/(1-p). Element i
// depends on the seed, the step (a scalar, a whole number below 2^24) and i
// alone, so it is the same for any number of threads, and training that resumes
// draws the masks it would have drawn. Two masks of one program want two seeds.
func DropoutMask(step *Node, p float64, seed uint64, shape ...int) *Node {
	return graph.Apply(dropoutMask{P: p, Seed: seed, To: encode(shape)}, step)
}

type dropoutMask struct {
	graph.NoGrad
	P    float64
	Seed uint64
	To   string
}

func (dropoutMask) Name() string { return "dropout mask" }
func (o dropoutMask) Infer(in []graph.Type) (graph.Type, error) {
	if len(in[0].Shape) != 0 || !(o.P >= 0 && o.P < 1) {
		return graph.Type{}, fmt.Errorf("probability %g, want 0 <= p < 1 and a scalar step", o.P)
	}
	return graph.Type{Shape: decode(o.To), Dtype: in[0].Dtype}, floats(in...)
}
func (o dropoutMask) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		dropoutMaskKernel(c, o, uint64(in[0].F64[0]), out.F64)
	} else {
		dropoutMaskKernel(c, o, uint64(in[0].F32[0]), out.F32)
	}
	return nil
}

func dropoutMaskKernel[T cpu.Float](c *graph.Ctx, o dropoutMask, step uint64, y []T) {
	const words = 4 // of one draw
	drop, kept := uint32(o.P*(1<<32)), T(1/(1-o.P))
	key := [2]uint32{uint32(o.Seed), uint32(o.Seed >> 32)}
	c.For((len(y)+words-1)/words, grain/words, func(lo, hi int) {
		for b := lo; b < hi; b++ {
			r := philox([4]uint32{uint32(b), uint32(b >> 32), uint32(step), uint32(step >> 32)}, key)
			for i := b * words; i < min((b+1)*words, len(y)); i++ {
				y[i] = 0
				if r[i-b*words] >= drop {
					y[i] = kept
				}
			}
		}
	})
}

// philox is the counter-based generator Philox4x32-10 (Salmon et al., "Parallel
// random numbers: as easy as 1, 2, 3", SC 2011): 128 random bits of a counter
// and a key.
func philox(counter [4]uint32, key [2]uint32) [4]uint32 {
	for range 10 {
		h0, l0 := bits.Mul32(0xD2511F53, counter[0])
		h1, l1 := bits.Mul32(0xCD9E8D57, counter[2])
		counter = [4]uint32{h1 ^ counter[1] ^ key[0], l1, h0 ^ counter[3] ^ key[1], l0}
		key[0] += 0x9E3779B9
		key[1] += 0xBB67AE85
	}
	return counter
}
