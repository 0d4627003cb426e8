package ptx

import (
	"fmt"
	"math"
	"strings"
)

// mma is a product of a warp's fragments, d = a b + c, of tensor cores.
type mma struct {
	bf16       bool // words hold two bf16s, else a tf32
	d, a, b, c []int
}

// mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {d...}, {a...}, {b...}, {c...}
func (k *Kernel) compileMMA(in *instruction, parts, o []string) error {
	in.kind, in.mma = kindMMA, &mma{}
	switch name := strings.Join(parts, "."); name {
	case "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32":
	case "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32":
		in.mma.bf16 = true
	default:
		return fmt.Errorf("not known here")
	}
	if len(o) != 4 {
		return fmt.Errorf("want four fragments")
	}
	for i, to := range []*[]int{&in.mma.d, &in.mma.a, &in.mma.b, &in.mma.c} {
		var err error
		if *to, err = k.vector(o[i]); err != nil {
			return err
		}
		if want := []int{4, 4, 2, 4}[i]; len(*to) != want {
			return fmt.Errorf("fragment %d has %d registers, want %d", i+1, len(*to), want)
		}
	}
	return nil
}

// run multiplies: a is [16, 8 words], b [8 words, 8], c and d [16, 8]. Lane 4g+t
// holds of a the words (g, t), (g+8, t), (g, t+4), (g+8, t+4), of b (t, g), (t+4, g),
// and of c (g, 2t), (g, 2t+1), (g+8, 2t), (g+8, 2t+1). The sum is exact but for the
// last rounding; that of hardware is not, in a way that NVIDIA does not tell.
func (m *mma) run(warp []thread) error {
	if len(warp) != warpSize {
		return fmt.Errorf("want a whole warp")
	}
	var a, b [16][8][2]float64 // b by its columns
	for lane := range warp {
		r, g, t := warp[lane].r, lane/4, lane%4
		for i, slot := range m.a {
			if err := m.unpack(&a[g+i%2*8][t+i/2*4], r[slot]); err != nil {
				return err
			}
		}
		for i, slot := range m.b {
			if err := m.unpack(&b[g][t+i*4], r[slot]); err != nil {
				return err
			}
		}
	}
	for lane := range warp {
		r, g, t := warp[lane].r, lane/4, lane%4
		var sums [4]float64
		for i, slot := range m.c {
			sums[i] = float64(f32(r[slot]))
			for k := range 8 {
				x, y := a[g+i/2*8][k], b[2*t+i%2][k]
				sums[i] += x[0]*y[0] + x[1]*y[1]
			}
		}
		for i, slot := range m.d {
			r[slot] = b32(float32(sums[i]))
		}
	}
	return nil
}

// unpack reads a word. What hardware cuts off silently is an error.
func (m *mma) unpack(to *[2]float64, word uint64) error {
	if m.bf16 {
		to[0], to[1] = float64(f32(word<<16&(1<<32-1))), float64(f32(word&0xffff0000))
		return nil
	}
	if x := f32(word); word&(1<<13-1) != 0 && x == x && !math.IsInf(float64(x), 0) {
		return fmt.Errorf("operand %v is not rounded to tf32", x)
	}
	to[0] = float64(f32(word))
	return nil
}

// toTF32 rounds to 10 bits of fraction, to the greater of two that are as near.
func toTF32(a uint64) uint64 {
	if x := f32(a); x != x {
		return 0x7fffffff &^ (1<<13 - 1)
	} else if math.IsInf(float64(x), 0) {
		return low(a)
	}
	return low(a+1<<12) &^ (1<<13 - 1)
}

// toBF16 rounds to 7 bits of fraction, to the even one of two that are as near.
func toBF16(a uint64) uint64 {
	if x := f32(a); x != x {
		return 0x7fff
	}
	return low(low(a)+1<<15-1+a>>16&1) >> 16
}
