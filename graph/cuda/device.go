package cuda

import (
	"cmp"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"spotlighter/graph"
)

// Device is a card that runs programs.
type Device struct {
	name string
	card Card
	math string
	api  api
	jobs chan func()

	// The arena holds the computed values of whatever program runs. It is as large
	// as the largest program's. Only jobs touch it.
	arena struct {
		at    uint64
		bytes int64
	}
	held, peak atomic.Int64 // bytes allocated
}

// do runs job where the driver may be called.
func (d *Device) do(job func() error) error {
	done := make(chan error)
	d.jobs <- func() { done <- job() }
	return <-done
}

// Name implements graph.Device.
func (d *Device) Name() string { return d.name }

// Arithmetic says what the last digits of its numbers depend on: the card, and how
// and by what products are computed.
func (d *Device) Arithmetic() string {
	by, _ := d.api.library()
	return fmt.Sprintf("%s, %s by %s", d.card.Name, d.math, cmp.Or(by, "own kernels"))
}

// Peak is the most memory, in bytes, that was allocated on the card at a time. The
// driver's context is not counted.
func (d *Device) Peak() int64 { return d.peak.Load() }

// alloc is called inside a job.
func (d *Device) alloc(bytes int64) (uint64, error) {
	at, err := d.api.alloc(max(bytes, 1))
	if err != nil {
		return 0, fmt.Errorf("%s: %s of memory: %w", d.name, size(bytes), err)
	}
	d.peak.Store(max(d.peak.Load(), d.held.Add(bytes)))
	return at, nil
}

// release is called inside a job.
func (d *Device) release(at uint64, bytes int64) error {
	d.held.Add(-bytes)
	return d.api.free(at)
}

// grow makes the arena at least so large. It is called inside a job.
func (d *Device) grow(bytes int64) error {
	if bytes <= d.arena.bytes {
		return nil
	}
	if d.arena.bytes > 0 {
		if err := d.release(d.arena.at, d.arena.bytes); err != nil {
			return err
		}
		d.arena.at, d.arena.bytes = 0, 0
	}
	at, err := d.alloc(bytes)
	if err != nil {
		return err
	}
	d.arena.at, d.arena.bytes = at, bytes
	return nil
}

// free is the memory that programs can still have, the arena counted as theirs.
func (d *Device) free() (bytes int64, err error) {
	err = d.do(func() error {
		bytes, _, err = d.api.memory()
		bytes += d.arena.bytes
		return err
	})
	return bytes, err
}

// collect frees what programs and variables that are gone have held.
func collect() {
	runtime.GC()
	time.Sleep(20 * time.Millisecond) // cleanups have a goroutine of their own
}

// memory is a variable's place on the card.
type memory struct {
	d     *Device
	typ   graph.Type
	at    uint64
	bytes int64
}

// Alloc implements graph.Device.
func (d *Device) Alloc(t graph.Type) (graph.Memory, error) {
	m := &memory{d: d, typ: t, bytes: bytesOf(t)}
	return m, d.do(func() (err error) {
		m.at, err = d.alloc(m.bytes)
		return err
	})
}

func (m *memory) Upload(t graph.Tensor) error {
	return m.d.do(func() error { return m.d.upload(m.at, t, m.bytes) })
}

func (m *memory) Download(t graph.Tensor) error {
	return m.d.do(func() error { return m.d.download(t, m.at, m.bytes) })
}

func (m *memory) Free() {
	_ = m.d.do(func() error { return m.d.release(m.at, m.bytes) }) // a cleanup has nobody to tell
}

func (d *Device) upload(to uint64, t graph.Tensor, bytes int64) error {
	if bytes == 0 {
		return nil
	}
	return d.api.upload(to, start(t), bytes)
}

func (d *Device) download(t graph.Tensor, from uint64, bytes int64) error {
	if bytes == 0 {
		return nil
	}
	return d.api.download(start(t), from, bytes)
}

// start is the tensor's first element. Ints are of 8 bytes on either side.
func start(t graph.Tensor) unsafe.Pointer {
	if t.Dtype == graph.Int {
		return unsafe.Pointer(unsafe.SliceData(t.Int))
	}
	return unsafe.Pointer(unsafe.SliceData(t.F32))
}

func bytesOf(t graph.Type) int64 {
	n := int64(t.Dtype.Size())
	for _, d := range t.Shape {
		n *= int64(d)
	}
	return n
}

// size is a number of bytes in words.
func size(bytes int64) string {
	switch {
	case bytes < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	case bytes < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%.2f GiB", float64(bytes)/(1<<30))
}

// failed says of which card an error is.
func (d *Device) failed(err error) error { return fmt.Errorf("%s: %w", d.name, err) }
