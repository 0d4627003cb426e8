//go:build cuda_backend

package cuda

import (
	"math"
	"os"
	"testing"
	"unsafe"

	"spotlighter/graph/cuda/blas"
	"spotlighter/graph/cuda/kernels"
	"spotlighter/graph/cuda/producttest"
)

// Products by cuBLAS and by the kernels are those of the operands, rounded as they
// should be, of every transposition and layout. (How a real cuBLAS rounds to tf32
// and bf16 is its own affair.)
func TestProducts(t *testing.T) {
	for _, setting := range []string{"", "off"} {
		t.Setenv(blas.Variable, setting)
		for mode, tensorCore := range map[string]string{FP32: "", TF32: "tf32", BF16: "bf16"} {
			g, err := Open(0, mode)
			if err != nil {
				if os.Getenv("SPOTLIGHTER_CARD") == "" {
					t.Skip(err)
				}
				t.Fatal(err)
			}
			d := g.(*Device)
			library, _ := d.api.library()
			emulated := d.card.Name == "emulated card"
			if setting == "" && (library == "" || mode != FP32 && !emulated) {
				if emulated {
					t.Error("no cuBLAS is beside the emulated driver")
				}
				continue
			}
			for _, c := range producttest.Cases() {
				got := make([]float32, c.LenC)
				for i := range got {
					got[i] = float32(math.NaN())
				}
				if err := d.do(func() error { return multiply(d, c, tensorCore, got) }); err != nil {
					t.Fatal(err)
				}
				if err := c.Compare(got, tensorCore); err != nil {
					t.Errorf("%s: %v", d.Arithmetic(), err)
				}
			}
		}
	}
}

// multiply computes c on the card; got is what C holds before and after.
func multiply(d *Device, c producttest.Case, tensorCore string, got []float32) error {
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
	l := &kernels.List{TensorCore: tensorCore, Multiply: d.api.multiplies}
	if err := l.Gemm(c.Product, kernels.Plain); err != nil {
		return err
	}
	for _, launch := range l.Launches {
		if p := launch.Product; p != nil {
			if err := d.api.multiply(*p, at[p.A.Slot], at[p.B.Slot], at[p.C.Slot]); err != nil {
				return err
			}
			continue
		}
		cells, args := make([]uint64, len(launch.Args)), make([]unsafe.Pointer, len(launch.Args))
		for i, a := range launch.Args {
			args[i], cells[i] = unsafe.Pointer(&cells[i]), a.Bits
			if a.IsPtr {
				cells[i] = at[a.Ptr.Slot]
			}
		}
		kernel, err := d.api.kernel(launch.Kernel)
		if err != nil {
			return err
		}
		if err := d.api.launch(kernel, launch.Grid, launch.Block, args); err != nil {
			return err
		}
	}
	return d.api.download(unsafe.Pointer(&got[0]), at[producttest.SlotC], int64(len(got))*floatSize)
}
