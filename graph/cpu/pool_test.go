package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestPoolVisitsEveryChunkOnce(t *testing.T) {
	for threads := 1; threads <= 4; threads++ {
		p := NewPool(threads)
		for _, s := range [][2]int{{0, 3}, {1, 3}, {3, 3}, {1000, 7}, {5, 0}, {64, 64}} {
			n, grain := s[0], s[1]
			count := make([]atomic.Int32, n)
			p.ForWorker(n, grain, func(worker, lo, hi int) {
				if worker < 0 || worker >= threads {
					t.Errorf("worker %d of %d", worker, threads)
				}
				if lo%max(grain, 1) != 0 || hi != min(lo+max(grain, 1), n) {
					t.Errorf("chunk [%d,%d) of %d by %d", lo, hi, n, grain)
				}
				for i := lo; i < hi; i++ {
					count[i].Add(1)
				}
			})
			for i := range count {
				if c := count[i].Load(); c != 1 {
					t.Fatalf("%d threads, n=%d, grain=%d: element %d visited %d times", threads, n, grain, i, c)
				}
			}
		}
	}
}

// Chunks that run at the same time have different workers, and all threads work.
func TestPoolWorkers(t *testing.T) {
	const threads = 3
	p := NewPool(threads)
	var busy [threads]atomic.Bool
	var met sync.WaitGroup
	met.Add(threads)
	p.ForWorker(threads, 1, func(worker, _, _ int) {
		if busy[worker].Swap(true) {
			t.Errorf("two chunks are at worker %d", worker)
		}
		met.Done()
		met.Wait() // returns when all threads have a chunk
		busy[worker].Store(false)
	})
}

func TestPoolNested(t *testing.T) {
	p := NewPool(2)
	var sum atomic.Int64
	p.For(8, 1, func(int, int) {
		p.For(8, 1, func(int, int) {
			p.For(8, 3, func(lo, hi int) { sum.Add(int64(hi - lo)) })
		})
	})
	if sum.Load() != 8*8*8 {
		t.Errorf("%d elements, want 512", sum.Load())
	}
}

func TestPoolSharedByGoroutines(t *testing.T) {
	p := NewPool(3)
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 50 {
				var sum atomic.Int64
				p.For(100, 3, func(lo, hi int) { sum.Add(int64(hi - lo)) })
				if sum.Load() != 100 {
					t.Errorf("%d elements, want 100", sum.Load())
				}
			}
		})
	}
	callers.Wait()
}

func TestPoolPanics(t *testing.T) {
	for threads := 1; threads <= 4; threads++ {
		p := NewPool(threads)
		for bad := range 20 {
			func() {
				defer func() {
					if r := recover(); r != bad {
						t.Errorf("%d threads: recovered %v, want %d", threads, r, bad)
					}
				}()
				p.For(20, 1, func(lo, _ int) {
					if lo == bad {
						panic(lo)
					}
				})
				t.Error("the panic got lost")
			}()
			// The pool still works.
			var n atomic.Int64
			p.For(20, 1, func(int, int) { n.Add(1) })
			if n.Load() != 20 {
				t.Fatalf("%d chunks after a panic, want 20", n.Load())
			}
		}
	}
}

func TestPoolAllocatesNothing(t *testing.T) {
	p := NewPool(2)
	f := func(worker, lo, hi int) {}
	if n := testing.AllocsPerRun(100, func() { p.ForWorker(100, 1, f) }); n != 0 && !raceEnabled {
		t.Errorf("%v allocations a call", n)
	}
}

// A Pool that nobody holds ends its goroutines.
func TestPoolIsCollected(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 10 {
		NewPool(4).For(100, 1, func(int, int) {})
	}
	for range 200 {
		runtime.GC()
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}
