//go:build cuda_backend

package cuda

import (
	"unsafe"

	"gorgonia.org/cu"

	"spotlighter/graph/cuda/kernels"
)

// card is a driver's context: api by gorgonia.org/cu.
type card struct {
	ctx       cu.CUContext
	modules   []cu.Module
	functions []cu.Function
	names     map[string]int // of functions
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

func (c *card) multiplies(kernels.Product) bool { return false }

func (c *card) multiply(kernels.Product, uint64, uint64, uint64) error {
	return cu.NotSupported
}

func (c *card) wait() error { return cu.Synchronize() }
