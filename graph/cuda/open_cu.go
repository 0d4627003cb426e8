//go:build cuda_backend

package cuda

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"gorgonia.org/cu"

	"spotlighter/graph"
	"spotlighter/graph/cuda/blas"
	"spotlighter/graph/cuda/driver"
	"spotlighter/graph/cuda/kernels"
)

// opened are the devices of this process: a card has one context a way to compute
// products.
var opened = struct {
	sync.Mutex
	devices map[string]*Device
}{devices: map[string]*Device{}}

// Open opens a card for programs whose products are computed by math.
func Open(card int, math string) (graph.Device, error) {
	opened.Lock()
	defer opened.Unlock()
	key := fmt.Sprintf("%d %s %s", card, math, os.Getenv(blas.Variable))
	if d := opened.devices[key]; d != nil {
		return d, nil
	}
	n, err := count()
	if err != nil {
		return nil, err
	}
	if card >= n {
		return nil, fmt.Errorf("no card %d: the driver has %d", card, n)
	}
	c, dev, err := inspect(card)
	if err != nil {
		return nil, err
	}
	if math != FP32 && c.Major < tensorCores {
		return nil, fmt.Errorf("%s has compute capability %d.%d, products in %s need %d.0 (cuda.math and --math choose)", c.Name, c.Major, c.Minor, math, tensorCores)
	}
	d, err := newDevice(fmt.Sprintf("cuda:%d", card), c, math, func() (api, error) { return openCard(card, c, math, dev) })
	if err != nil {
		return nil, err
	}
	opened.devices[key] = d
	return d, nil
}

// count starts the driver and counts its cards.
func count() (int, error) {
	if err := driver.Open(); err != nil {
		return 0, err
	}
	n, err := cu.NumDevices()
	if err == nil && n == 0 {
		err = errors.New("the NVIDIA driver finds no card")
	}
	return n, err
}

// Compute capabilities: the least that the kernels need, and that tensor cores for
// tf32 and bf16 come with.
const least, tensorCores = 7, 8

// inspect reads what the driver knows of a card.
func inspect(i int) (c Card, dev cu.Device, err error) {
	if dev, err = cu.GetDevice(i); err != nil {
		return c, dev, err
	}
	if c.Name, err = dev.Name(); err != nil {
		return c, dev, err
	}
	if c.Memory, err = dev.TotalMem(); err != nil {
		return c, dev, err
	}
	if c.Major, c.Minor, err = dev.ComputeCapability(); err != nil {
		return c, dev, err
	}
	if c.Major < least {
		err = fmt.Errorf("%s has compute capability %d.%d, the kernels need %d.0", c.Name, c.Major, c.Minor, least)
	}
	return c, dev, err
}

// openCard makes a context on the thread that calls it, and loads the kernels.
func openCard(i int, found Card, math string, dev cu.Device) (api, error) {
	ctx, err := dev.MakeContext(cu.SchedAuto)
	if err != nil {
		return nil, fmt.Errorf("card %d: no context: %w", i, err)
	}
	c := &card{ctx: ctx, names: map[string]int{}}
	modules := []string{kernels.Base}
	if math != FP32 {
		modules = append(modules, kernels.TensorCores)
	}
	for _, ptx := range modules {
		m, err := cu.LoadData(ptx)
		if err != nil {
			_ = ctx.Destroy() // err says more
			return nil, fmt.Errorf("card %d: the driver does not take the kernels (an older one than CUDA 11's?): %w", i, err)
		}
		c.modules = append(c.modules, m)
	}
	if err := c.openBLAS(found.Major); err != nil {
		_ = ctx.Destroy()
		return nil, fmt.Errorf("card %d: %w", i, err)
	}
	return c, nil
}

// Find looks for cards.
func Find() Found {
	f := Found{Built: true}
	n, err := count()
	if err != nil {
		f.Err = err
		return f
	}
	v := cu.Version()
	f.Driver = fmt.Sprintf("%d.%d", v/1000, v%1000/10)
	if off, err := blas.Off(); off {
		f.BLASErr = fmt.Errorf("%s=off: the program's own kernels compute products", blas.Variable)
	} else if f.BLASErr = err; err == nil {
		f.BLAS, f.BLASErr = blas.Open(v / 1000)
	}
	for i := range n {
		c, _, err := inspect(i)
		if err == nil {
			c.Free, err = freeOf(i)
		}
		c.Err = err
		f.Cards = append(f.Cards, c)
	}
	return f
}

// freeOf asks a card for its free memory, which takes a context.
func freeOf(i int) (int64, error) {
	d, err := Open(i, FP32)
	if err != nil {
		return 0, err
	}
	return d.(*Device).free()
}

// newDevice starts the goroutine that calls the driver. open makes the driver's
// context, which belongs to that goroutine's thread.
func newDevice(name string, card Card, math string, open func() (api, error)) (*Device, error) {
	d := &Device{name: name, card: card, math: math, jobs: make(chan func())}
	failed := make(chan error)
	go func() {
		runtime.LockOSThread()
		var err error
		d.api, err = open()
		if err != nil {
			failed <- err
			return // and the thread ends
		}
		_, bytes := d.api.library()
		d.held.Store(bytes)
		d.peak.Store(bytes)
		failed <- nil
		for job := range d.jobs {
			job()
		}
	}()
	return d, <-failed
}
