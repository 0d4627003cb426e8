package launch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"spotlighter/experiments"
)

// Local runs jobs as processes of this machine.
type Local struct {
	Program  string // the binary
	Workers  int    // processes at a time
	Threads  int    // of all of them together
	FailFast bool   // a broken job stops the others
}

// patience is how long a worker may take to write its checkpoint when it is
// asked to stop.
const patience = time.Minute

// poll is the time between two looks at a run that another process works on.
const poll = time.Second

// errBroken stops the others under FailFast.
var errBroken = errors.New("a run is broken")

// Run runs the jobs in their order. When ctx ends, each worker is asked to stop
// as by Ctrl-C, checkpoints and ends.
func (l Local) Run(ctx context.Context, jobs []Job, say func(Outcome)) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	q := &queue{ready: jobs}
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range min(l.Workers, len(jobs)) {
		workers.Go(func() {
			for {
				job, ok := q.next(ctx)
				if !ok {
					return
				}
				o, elsewhere := l.one(ctx, job)
				if elsewhere {
					q.later(job)
					continue
				}
				q.ended()
				mu.Lock()
				say(o)
				if o.Ending == Broken && l.FailFast {
					stop(errBroken)
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errBroken) {
		return experiments.ErrStopped
	}
	return nil
}

// one runs a job, unless another process is at it.
func (l Local) one(ctx context.Context, j Job) (o Outcome, elsewhere bool) {
	look, err := experiments.LookAt(j.Folder)
	switch {
	case err != nil:
		return ended(j, look, err), false
	case look.State == experiments.Done:
		return Outcome{Job: j, Ending: Before, Result: look.Result}, false
	case look.Holder != "":
		return Outcome{}, true
	}
	start := time.Now()
	reason := l.process(ctx, j)
	if look, err = experiments.LookAt(j.Folder); err == nil && look.State != experiments.Done && look.Holder != "" {
		return Outcome{}, true // somebody was quicker
	}
	o = ended(j, look, err)
	o.Took = time.Since(start)
	if o.Ending == Broken {
		o.Reason = cmp.Or(reason, o.Reason)
		if ctx.Err() != nil {
			o.Ending = Stopped
		}
	}
	return o, false
}

// process runs the worker to its end and returns why it failed, "" if it did not.
func (l Local) process(ctx context.Context, j Job) string {
	log, err := os.OpenFile(j.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err.Error()
	}
	defer log.Close()
	info, err := log.Stat()
	if err != nil {
		return err.Error()
	}
	threads := max(1, l.Threads/max(1, l.Workers))
	cmd := exec.CommandContext(ctx, l.Program, append(Command(j.Config), "--threads", strconv.Itoa(threads))...)
	cmd.Stderr = log
	cmd.SysProcAttr = apart()
	cmd.Cancel = func() error { return interrupt(cmd.Process) }
	cmd.WaitDelay = patience
	if err := cmd.Run(); err == nil {
		return ""
	} else if cmd.ProcessState == nil { // it never ran
		return err.Error()
	}
	last := LastLine(j.Log, info.Size())
	if cmd.ProcessState.Exited() {
		return cmp.Or(last, cmd.ProcessState.String())
	}
	reason := cmd.ProcessState.String() // killed, or crashed: itself it could not say so
	if last != "" {
		reason += "; its last line: " + last
	}
	fmt.Fprintf(log, "spotlighter: the process ended by %s\n", reason)
	return reason
}

// Command are the arguments by which the program runs one cell.
func Command(config string) []string {
	return []string{"run", config, "--quiet", "--json", "--sheet=false"}
}

// queue hands out jobs; those that are at work elsewhere come back until they
// are not.
type queue struct {
	mu      sync.Mutex
	ready   []Job
	waiting []Job // at work elsewhere
	out     int   // in a worker's hands
}

// next is a job to look at, or false when there will be none.
func (q *queue) next(ctx context.Context) (Job, bool) {
	for ctx.Err() == nil {
		q.mu.Lock()
		switch {
		case len(q.ready) > 0:
			j := q.ready[0]
			q.ready = q.ready[1:]
			q.out++
			q.mu.Unlock()
			return j, true
		case len(q.waiting) == 0 && q.out == 0:
			q.mu.Unlock()
			return Job{}, false
		}
		q.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(poll):
			q.mu.Lock()
			q.ready, q.waiting = append(q.ready, q.waiting...), nil
			q.mu.Unlock()
		}
	}
	return Job{}, false
}

func (q *queue) later(j Job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, j)
	q.out--
}

func (q *queue) ended() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.out--
}
