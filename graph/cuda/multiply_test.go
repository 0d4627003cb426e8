//go:build cuda_backend

package cuda

import (
	"math"
	"os"
	"testing"
	"unsafe"

	"spotlighter/graph/cuda/blas"
	"spotlighter/graph/cuda/producttest"
)

// Products by cuBLAS are those of the operands, rounded as they should be, of every
// transposition and layout. (How a real one rounds is its own affair.)
func TestBLAS(t *testing.T) {
	for mode, tensorCore := range map[string]string{FP32: "", TF32: "tf32", BF16: "bf16"} {
		g, err := Open(0, mode)
		if err != nil {
			if os.Getenv("SPOTLIGHTER_CARD") == "" {
				t.Skip(err)
			}
			t.Fatal(err)
		}
		d := g.(*Device)
		if by, _ := d.api.library(); by == "" {
			if os.Getenv(blas.Variable) != "off" && os.Getenv("SPOTLIGHTER_CARD") != "" {
				t.Error("there is no cuBLAS")
			}
			t.Skip("no cuBLAS")
		}
		if mode != FP32 && d.card.Name != "emulated card" {
			continue
		}
		for _, c := range producttest.Cases() {
			c.TensorCore = tensorCore
			got := make([]float32, c.LenC)
			for i := range got {
				got[i] = float32(math.NaN())
			}
			if err := d.do(func() error { return multiplied(d, c, got) }); err != nil {
				t.Fatal(err)
			}
			if err := c.Compare(got, tensorCore); err != nil {
				t.Errorf("%s: %v", mode, err)
			}
		}
	}
}

// multiplied computes c on the card; got is what C holds before and after.
func multiplied(d *Device, c producttest.Case, got []float32) error {
	var at [3]uint64
	for slot, data := range [][]float32{c.DataA, c.DataB, got} {
		bytes := int64(len(data)) * floatSize
		var err error
		if at[slot], err = d.alloc(bytes); err != nil {
			return err
		}
		defer func() { _ = d.release(at[slot], bytes) }()
		if err := d.api.upload(at[slot], unsafe.Pointer(&data[0]), bytes); err != nil {
			return err
		}
	}
	if err := d.api.multiply(c.Product, at[0], at[1], at[2]); err != nil {
		return err
	}
	return d.api.download(unsafe.Pointer(&got[0]), at[2], int64(len(got))*floatSize)
}
