package interp_test

import (
	"math"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cuda/interp"
	"spotlighter/graph/cuda/kernels"
	"spotlighter/graph/cuda/producttest"
)

// Each kernel that multiplies gives the products of operands rounded as it should.
func TestProducts(t *testing.T) {
	for _, c := range producttest.Cases() {
		for _, tensorCore := range []string{"", "tf32", "bf16"} {
			j, got := multiplied(t, c, tensorCore, kernels.Plain, nil)
			if err := c.Compare(got, tensorCore); err != nil {
				t.Errorf("%q: %v", tensorCore, err)
			}
			want, _ := c.Want(tensorCore)
			record(t, j, want)
		}
	}
}

// What follows a product is the same after each kernel, at every element that a
// thread computes; residuals put some of them far from zero.
func TestEpilogues(t *testing.T) {
	var c producttest.Case
	for _, x := range producttest.Cases() {
		if x.M == 130 && x.Batch == 1 {
			c = x
		}
	}
	c.Alpha, c.LenC = .125, c.M*c.N
	bias, residual := make([]float32, c.N), make([]float32, c.LenC)
	graph.Normal(1, 1)("bias", bias)
	graph.Normal(2, 40)("residual", residual)
	for i := range 8 {
		e := kernels.Epilogue{Bias: kernels.Null, Residual: kernels.Null, QuickGELU: i&4 != 0}
		if i&1 != 0 {
			e.Bias = kernels.Ptr{Slot: 2}
		}
		if i&2 != 0 {
			e.Residual = kernels.Ptr{Slot: 3}
		}
		for _, tensorCore := range []string{"", "tf32", "bf16"} {
			j, got := multiplied(t, c, tensorCore, e, [][]float32{bias, residual})
			want, bound := c.Want(tensorCore)
			for k, w := range want {
				if i&1 != 0 {
					w += float64(bias[k%c.N])
				}
				if i&2 != 0 {
					w += float64(residual[k])
				}
				if e.QuickGELU {
					w /= 1 + math.Exp(-1.702*w)
				}
				want[k] = w
				if d := math.Abs(float64(got[k]) - w); !(d <= 2*bound[k]+1e-6*math.Abs(w)+1e-6) {
					t.Fatalf("%q, %+v: element %d is %v, want %v", tensorCore, e, k, got[k], w)
				}
			}
			record(t, j, want)
		}
	}
}

// multiplied is a job and C by its kernel, whose memory held NaNs before. The operands are A,
// B and more; C is the slot after.
func multiplied(t *testing.T, c producttest.Case, tensorCore string, e kernels.Epilogue, more [][]float32) (*interp.Job, []float32) {
	t.Helper()
	by, err := interp.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	j := &interp.Job{List: &kernels.List{TensorCore: tensorCore}, Over: -1, Want: graph.NewTensor(graph.Float64, c.LenC)}
	for _, data := range append([][]float32{c.DataA, c.DataB}, more...) {
		j.In = append(j.In, graph.Floats(data, len(data)))
	}
	p := c.Product
	p.C.Slot = len(j.In)
	if err := j.List.Gemm(p, e); err != nil {
		t.Fatal(err)
	}
	kernel := map[string]string{"": "gemm", "tf32": "gemm_tf32", "bf16": "gemm_bf16"}[tensorCore]
	if l := j.List.Launches; len(l) != 1 || l[0].Kernel != kernel {
		t.Fatalf("launches %+v, want one of %s", l, kernel)
	}
	r, err := j.Run(by, 0)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	return j, r.Out.F32
}

// record keeps a job for mutants of the kernels, if it is asked for.
func record(t *testing.T, j *interp.Job, want []float64) {
	t.Helper()
	r, err := interp.Recording()
	if err != nil {
		t.Fatal(err)
	}
	if r == nil {
		return
	}
	j.Name, j.Tol = t.Name(), interp.Tol
	copy(j.Want.F64, want)
	if err := r.Record(j); err != nil {
		t.Fatal(err)
	}
}

// A List refuses a way to multiply that no kernel has.
func TestUnknownProduct(t *testing.T) {
	l := &kernels.List{TensorCore: "fp8"}
	if err := l.Gemm(producttest.Cases()[0].Product, kernels.Plain); err == nil || !strings.Contains(err.Error(), "no kernel multiplies in fp8") {
		t.Error(err)
	}
}
