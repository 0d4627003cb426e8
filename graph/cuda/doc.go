// Package cuda runs compiled graphs on NVIDIA's cards, through the driver API of
// gorgonia.org/cu and the kernels of package kernels.
//
// A program has the steps, the order and the plan of memory that it has on the
// CPU. Its variables stay on the card; a Run moves the inputs in and the outputs
// out. All computed values of all programs lie in one arena, since one program
// runs at a time; one goroutine, locked to its thread, calls the driver.
//
// Products of matrices are computed by cuBLAS (package blas) where a machine has it,
// else by the kernels.
//
// The card is reached only in binaries built with the tag cuda_backend; README
// says how. Everything else is plain Go, and builds and runs without CUDA.
package cuda

// How products of matrices are computed.
const (
	FP32 = "fp32" // as on the CPU, but for the order of sums
	TF32 = "tf32" // operands rounded to 10 bits of fraction, on tensor cores
	BF16 = "bf16" // operands rounded to bfloat16, on tensor cores
)

// Found is what a machine has for this package to run on.
type Found struct {
	Built  bool   // the binary can use CUDA
	Err    error  // why there is no card, nil if there is one
	Driver string // version of the driver API, such as "12.4"
	Cards  []Card
	// BLAS is cuBLAS's version, or why it is not used.
	BLAS    string
	BLASErr error
}

// Card is one of the machine's cards.
type Card struct {
	Name         string
	Major, Minor int // of the compute capability
	Memory       int64
	Free         int64 // at present
	Err          error // why it cannot be used, if that is so
}
