package cuda

import (
	"unsafe"

	"spotlighter/graph/cuda/kernels"
)

// api is what a Device needs of a driver. One goroutine calls it. What it starts
// is done in order; only download and wait are sure to come after it is done.
type api interface {
	alloc(bytes int64) (address uint64, err error)
	free(address uint64) error
	upload(to uint64, from unsafe.Pointer, bytes int64) error
	download(to unsafe.Pointer, from uint64, bytes int64) error
	copy(to, from uint64, bytes int64) error
	zero(at uint64, bytes int64) error // a multiple of 4

	// memory is what the card has, and what of it is free.
	memory() (free, total int64, err error)
	// kernel finds a kernel; launch takes its number.
	kernel(name string) (int, error)
	// launch runs a kernel, each of whose arguments is a cell of 8 bytes.
	launch(kernel int, grid, block [3]int, args []unsafe.Pointer) error
	// multiplies says whether a library computes the product. multiply does.
	multiplies(p kernels.Product) bool
	multiply(p kernels.Product, a, b, c uint64) error
	// library names it, "" without one, and says how many bytes it holds.
	library() (name string, bytes int64)
	// wait returns when all is done, and the first thing that went wrong.
	wait() error
}
