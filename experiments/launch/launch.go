// Package launch runs the cells of a sweep, each in a process of its own: on
// this machine, or by Slurm.
//
// Run folders are the only state that is shared: a cell is done when its result
// is there, and at work while its lock is held (see experiments.LookAt for what
// a lock means on a shared file system). So any number of launchers may have the
// same cells; none is run twice, and none at the same time by two processes.
package launch

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"spotlighter/experiments"
	"spotlighter/experiments/runfmt"
)

// Job is one cell to run.
type Job struct {
	Name   string // for people
	Folder string // of the run
	Config string // file of the cell's configuration
	Log    string // file that gets the standard error
}

// run is the name of the run's folder, which is unique.
func (j Job) run() string { return filepath.Base(j.Folder) }

// Outcome is how a job ended.
type Outcome struct {
	Job
	Ending
	Reason string // of a broken one: its last line of standard error
	Result runfmt.Result
	Took   time.Duration
}

// Ending is the way in which a job ended.
type Ending int

const (
	Done    Ending = iota // by this launcher
	Before                // it was done already
	Others                // by another process, while we waited
	Broken                // without a result; the next launch goes on from its checkpoint
	Stopped               // with us, at a checkpoint
)

// Launcher runs jobs and says how each ended, one at a time. A job that breaks
// spares the others. The error is a launcher that cannot go on at all, or
// experiments.ErrStopped.
type Launcher interface {
	Run(ctx context.Context, jobs []Job, say func(Outcome)) error
}

// ended makes the outcome of a job whose process is gone, from its folder.
func ended(j Job, look experiments.Look, err error) Outcome {
	switch {
	case err != nil:
		return Outcome{Job: j, Ending: Broken, Reason: err.Error()}
	case look.State == experiments.Done:
		return Outcome{Job: j, Ending: Done, Result: look.Result}
	}
	return Outcome{Job: j, Ending: Broken, Reason: LastLine(j.Log, 0)}
}

// LastLine is the last line with text in the file at path, from offset on; "" if
// there is none.
func LastLine(path string, offset int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	const tail = 8 << 10
	size, err := f.Seek(0, 2)
	if err != nil {
		return ""
	}
	offset = max(offset, size-tail)
	text := make([]byte, max(size-offset, 0))
	n, _ := f.ReadAt(text, offset) // what could be read is what there is to say
	lines := strings.Split(strings.TrimSpace(string(text[:n])), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
