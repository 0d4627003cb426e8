//go:build cuda_backend

package blas

// #cgo LDFLAGS: -ldl
// #include <stdlib.h>
// #include "calls.h"
import "C"

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"unsafe"

	"spotlighter/graph/cuda/kernels"
)

// Off says whether Variable turns cuBLAS off.
func Off() (bool, error) {
	switch v := os.Getenv(Variable); v {
	case "":
		return false, nil
	case "off":
		return true, nil
	default:
		return false, fmt.Errorf("%s is %q, want off or nothing", Variable, v)
	}
}

// oldest is the oldest major version that is looked for.
const oldest = 12

var loaded struct {
	sync.Once
	version string
	err     error
}

// Open loads cuBLAS, once a process, and returns its version: that of the driver's
// major version, which has no use for a newer one, or else an older one.
func Open(driver int) (version string, err error) {
	loaded.Do(func() { loaded.version, loaded.err = load(driver) })
	return loaded.version, loaded.err
}

func load(driver int) (string, error) {
	var lacks []string
	for major := driver; major >= oldest; major-- {
		name := C.CString(fmt.Sprintf("libcublas.so.%d", major))
		defer C.free(unsafe.Pointer(name))
		var why *C.char
		var v [3]C.int
		if C.blas_open(name, &v[0], &why) != 0 {
			return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]), nil
		}
		lacks = append(lacks, C.GoString(why))
	}
	if lacks == nil {
		return "", fmt.Errorf("libcublas %d needs a driver of CUDA %d or later, this one is of %d", oldest, oldest, driver)
	}
	return "", fmt.Errorf("no libcublas: %s", strings.Join(lacks, "; "))
}

// Workspace is the memory, in bytes, that a Handle is given: what NVIDIA advises
// for a compute capability of that major number.
func Workspace(capability int) int64 {
	if capability >= 9 {
		return 32 << 20
	}
	return 4 << 20
}

// Handle computes products in one context. Operations of a Handle run in the order
// of the context's default stream, and give the same bits each time.
type Handle struct{ handle unsafe.Pointer }

// New makes a handle in the thread's context, with Workspace bytes of its memory.
func New(workspace uint64, bytes int64) (*Handle, error) {
	h := &Handle{}
	if status := C.blas_create(&h.handle, C.ulonglong(workspace), C.size_t(bytes)); status != 0 {
		return nil, fmt.Errorf("cuBLAS %s does not start: %s (%s=off does without it)", loaded.version, text(status), Variable)
	}
	return h, nil
}

// How products may be computed, by what a kernels.Product says: cublasComputeType_t.
var computes = map[string]C.int{"": 68, "tf32": 77, "bf16": 75}

// Multiply computes a product of matrices at these addresses.
func (h *Handle) Multiply(p kernels.Product, a, b, c uint64) error {
	compute, ok := computes[p.TensorCore]
	if !ok {
		return fmt.Errorf("products in %s are not known to cuBLAS", p.TensorCore)
	}
	q := C.struct_blas_product{
		a: C.ulonglong(a), b: C.ulonglong(b), c: C.ulonglong(c),
		m: C.int(p.M), n: C.int(p.N), k: C.int(p.K), lda: C.int(p.LDA), ldb: C.int(p.LDB), ldc: C.int(p.LDC),
		trans_a: flag(p.TransA), trans_b: flag(p.TransB), batch: C.int(p.Batch),
		stride_a: C.longlong(p.StrideA), stride_b: C.longlong(p.StrideB), stride_c: C.longlong(p.StrideC),
		alpha: C.float(p.Alpha),
	}
	if status := C.blas_multiply(h.handle, compute, &q); status != 0 {
		return fmt.Errorf("cuBLAS: %s", text(status))
	}
	return nil
}

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// Close frees what cuBLAS holds.
func (h *Handle) Close() { C.blas_destroy(h.handle) }

// text names a cublasStatus_t.
func text(status C.int) string {
	name, ok := map[C.int]string{
		1: "not initialised", 3: "out of memory", 7: "invalid value", 8: "architecture mismatch", 11: "mapping error",
		13: "execution failed", 14: "internal error", 15: "not supported",
	}[status]
	if !ok {
		name = "error"
	}
	return fmt.Sprintf("%s (status %d)", name, status)
}
