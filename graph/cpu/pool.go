package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Pool hands out work to a fixed number of threads. Its goroutines live as long
// as the Pool, and a call allocates nothing.
//
// One call at a time has the threads. A call made while another is under way,
// from inside its function or from another goroutine, runs on its caller.
type Pool struct{ *team }

// NewPool returns a Pool of that many threads, the caller's included; as many
// as GOMAXPROCS if threads <= 0.
func NewPool(threads int) *Pool {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	t := &team{threads: threads, wake: make(chan struct{}, threads), spins: threads <= runtime.GOMAXPROCS(0)}
	t.idle.L = &t.mu
	p := &Pool{t}
	for range threads {
		t.alone = append(t.alone, &Pool{&team{threads: 1}})
	}
	for w := 1; w < threads; w++ {
		go t.help(w)
	}
	// The helpers know the team alone, so the Pool can be collected.
	runtime.AddCleanup(p, func(wake chan struct{}) { close(wake) }, t.wake)
	return p
}

// Threads returns the number of threads.
func (p *Pool) Threads() int { return p.threads }

// Alone returns the thread's own Pool of one, for what it computes within a
// ForWorker: threads that share nothing do not wait for each other.
func (p *Pool) Alone(worker int) *Pool { return p.alone[worker] }

// For runs f over [0,n) in chunks of grain (the last one may be shorter), which
// the threads take as they get free. The borders of the chunks depend on n and
// grain alone, so that results do not depend on the number of threads. A panic
// in f stops the hand-out and is raised again in the caller.
func (p *Pool) For(n, grain int, f func(lo, hi int)) { p.do(task{n: n, grain: grain, f: f}) }

// ForWorker is For with the number of the thread, in [0,Threads()): the chunks
// that one call runs at the same time have different numbers, so that f can keep
// scratch memory by it.
func (p *Pool) ForWorker(n, grain int, f func(worker, lo, hi int)) {
	p.do(task{n: n, grain: grain, fw: f})
}

func (p *Pool) do(t task) {
	t.grain = max(t.grain, 1)
	if t.n <= t.grain || p.threads == 1 || !p.busy.CompareAndSwap(false, true) {
		for lo := 0; lo < t.n; lo += t.grain {
			t.run(0, lo)
		}
		return
	}
	p.share(t)
	runtime.KeepAlive(p)
}

// task is a loop to share; one of f and fw is set.
type task struct {
	n, grain int
	f        func(lo, hi int)
	fw       func(worker, lo, hi int)
}

func (t *task) run(worker, lo int) {
	hi := min(lo+t.grain, t.n)
	if t.f != nil {
		t.f(lo, hi)
	} else {
		t.fw(worker, lo, hi)
	}
}

// team is the part of a Pool that its goroutines hold on to.
type team struct {
	threads int
	busy    atomic.Bool   // a task has the team
	wake    chan struct{} // a token for each helper that is wanted
	task    task
	next    atomic.Int64 // chunks handed out
	spins   bool         // each thread has a processor

	mu     sync.Mutex   // of all below but reads of joined
	open   bool         // helpers may join the task
	joined atomic.Int32 // helpers at the task
	idle   sync.Cond    // joined became 0
	failed any          // the first panic

	alone []*Pool
	jobs  jobs
}

// share runs a task on the caller and the helpers that wake up in time.
func (t *team) share(work task) {
	t.task, t.failed = work, nil
	t.next.Store(0)
	t.mu.Lock()
	t.open = true
	t.mu.Unlock()
	for range min(t.threads, (work.n+work.grain-1)/work.grain) - 1 {
		select {
		case t.wake <- struct{}{}:
		default: // tokens that no helper has taken yet will do
		}
	}
	defer func() {
		t.mu.Lock()
		t.open = false
		t.mu.Unlock()
		t.spin(func() bool { return t.joined.Load() == 0 })
		t.mu.Lock()
		for t.joined.Load() > 0 {
			t.idle.Wait()
		}
		t.mu.Unlock()
		failed := t.failed
		t.task, t.failed = task{}, nil
		t.busy.Store(false)
		if failed != nil {
			panic(failed)
		}
	}()
	t.work(0)
}

// help is the life of a helper. A token may be older than the task it joins.
func (t *team) help(worker int) {
	for {
		t.spin(func() bool { return len(t.wake) > 0 })
		if _, more := <-t.wake; !more {
			return
		}
		t.mu.Lock()
		if !t.open {
			t.mu.Unlock()
			continue
		}
		t.joined.Add(1)
		t.mu.Unlock()
		t.work(worker)
		t.mu.Lock()
		if t.joined.Add(-1) == 0 {
			t.idle.Signal()
		}
		t.mu.Unlock()
	}
}

// spinTime is how long a thread looks out for what is likely to come at once before
// it sleeps. To wake one takes tens of microseconds, as long as a small op; others on
// the same processors lose little by so short a time.
const spinTime = 20 * time.Microsecond

// spin looks out for it.
func (t *team) spin(done func() bool) {
	if !t.spins {
		return
	}
	for began := time.Now(); time.Since(began) < spinTime; {
		for range 50 {
			if done() {
				return
			}
		}
	}
}

// work takes chunks until there are none, and keeps the first panic.
func (t *team) work(worker int) {
	defer func() {
		if r := recover(); r != nil {
			t.mu.Lock()
			if t.failed == nil {
				t.failed = r
			}
			t.mu.Unlock()
			t.next.Store(int64(t.task.n)) // no chunk is left
		}
	}()
	for {
		lo := (int(t.next.Add(1)) - 1) * t.task.grain
		if lo >= t.task.n {
			return
		}
		t.task.run(worker, lo)
	}
}
