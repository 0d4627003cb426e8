//go:build cuda_backend

package cuda

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"

	"spotlighter/graph/cuda/blas"
	"spotlighter/graph/cuda/kernels"
)

// card is a driver's context: api by gorgonia.org/cu.
type card struct {
	ctx       cu.CUContext
	modules   []cu.Module
	functions []cu.Function
	names     map[string]int // of functions
	blas      *blas.Handle   // nil: the kernels multiply
	version   string         // of cuBLAS
	workspace int64          // bytes that it was given
}

// openBLAS gives the context cuBLAS, if there is one.
func (c *card) openBLAS(capability int) error {
	off, err := blas.Off()
	if err != nil || off {
		return err
	}
	if c.version, err = blas.Open(cu.Version() / 1000); err != nil {
		return nil // the kernels multiply: doctor says why
	}
	bytes := blas.Workspace(capability)
	at, err := c.alloc(bytes)
	if err != nil {
		return fmt.Errorf("%s for cuBLAS: %w (%s=off does without it)", size(bytes), err, blas.Variable)
	}
	c.workspace = bytes
	c.blas, err = blas.New(at, bytes)
	return err
}

func (c *card) library() (string, int64) {
	if c.blas == nil {
		return "", 0
	}
	return "cuBLAS " + c.version, c.workspace
}

func (c *card) alloc(bytes int64) (uint64, error) {
	p, err := cu.MemAlloc(bytes)
	return uint64(p), err
}

func (c *card) free(address uint64) error { return cu.MemFree(cu.DevicePtr(address)) }

func (c *card) upload(to uint64, from unsafe.Pointer, bytes int64) error {
	return cu.MemcpyHtoD(cu.DevicePtr(to), from, bytes)
}

func (c *card) download(to unsafe.Pointer, from uint64, bytes int64) error {
	return cu.MemcpyDtoH(to, cu.DevicePtr(from), bytes)
}

func (c *card) copy(to, from uint64, bytes int64) error {
	return cu.MemcpyDtoD(cu.DevicePtr(to), cu.DevicePtr(from), bytes)
}

func (c *card) zero(at uint64, bytes int64) error {
	return cu.MemsetD32(cu.DevicePtr(at), 0, bytes/4)
}

func (c *card) memory() (free, total int64, err error) { return cu.MemInfo() }

func (c *card) kernel(name string) (int, error) {
	if i, ok := c.names[name]; ok {
		return i, nil
	}
	var err error
	for _, m := range c.modules {
		var f cu.Function
		if f, err = m.Function(name); err == nil {
			c.names[name] = len(c.functions)
			c.functions = append(c.functions, f)
			return c.names[name], nil
		}
	}
	return 0, err
}

func (c *card) launch(kernel int, grid, block [3]int, args []unsafe.Pointer) error {
	return c.functions[kernel].Launch(grid[0], grid[1], grid[2], block[0], block[1], block[2], 0, cu.NoStream, args)
}

func (c *card) multiplies(kernels.Product) bool { return c.blas != nil }

func (c *card) multiply(p kernels.Product, x, y, to uint64) error {
	return c.blas.Multiply(p, x, y, to)
}

func (c *card) wait() error { return cu.Synchronize() }
