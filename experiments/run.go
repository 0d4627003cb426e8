package experiments

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"spotlighter/experiments/runfmt"
	"spotlighter/internal/atomicfile"
	"spotlighter/internal/tensorboard"
)

// Run is one cell's folder, held by this process until Close.
type Run struct {
	Dir    string
	Config Config
	state  State
	lock   *os.File

	session int // counts the processes that worked on the run, from 1
	log     *logFile
	events  *events
}

// State is how far a run has come.
type State int

// A run without a checkpoint starts anew, one with a checkpoint but no result
// goes on from it, and one with a result is never run again.
const (
	New State = iota
	Unfinished
	Done
)

// String is the state in a word.
func (s State) String() string {
	return [...]string{"new", "unfinished", "done"}[s]
}

// RunName is the name of a cell's folder: <method>-<dataset>-s<seed>-<hash>.
func RunName(cell Config) string {
	return fmt.Sprintf("%s-%s-s%d-%s", cell.Method[0], DatasetName(cell.Dataset[0]), cell.Seed[0], cell.Hash()[:8])
}

// DatasetName is what a data set is called in folders and tables: its name, or
// that of its task's file without folder and extension, or that of a user's own
// folder.
func DatasetName(dataset string) string {
	if folder, ok := strings.CutPrefix(dataset, "folder:"); ok {
		return filepath.Base(folder)
	}
	if isTaskFile(dataset) {
		base := filepath.Base(dataset)
		return strings.TrimSuffix(base, filepath.Ext(base))
	}
	return dataset
}

// OpenRun creates or reopens the folder of a cell (a Config with single
// values) and locks it against other processes; the kernel releases the lock
// when the process ends, however it ends. It fails with one line if another
// process holds the run, if the folder holds another configuration or other
// weights, or if it cannot be written.
func OpenRun(cell Config, weightsHash string) (*Run, error) {
	if len(cell.Method) != 1 || len(cell.Dataset) != 1 || len(cell.Seed) != 1 {
		return nil, fmt.Errorf("open run: %d methods, %d data sets, %d seeds, want one of each (see Config.Cells)",
			len(cell.Method), len(cell.Dataset), len(cell.Seed))
	}
	r := &Run{Dir: filepath.Join(cell.Out, RunName(cell)), Config: cell}
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("open run: %w", err)
	}
	lock, err := LockFolder(r.Dir)
	if err != nil && !r.onlyRead(err) {
		return nil, fmt.Errorf("open run: %w", err)
	}
	r.lock = lock
	if err := r.reopen(weightsHash); err != nil {
		r.Close()
		return nil, fmt.Errorf("open run: %w", err)
	}
	return r, nil
}

// onlyRead says that the lock cannot be taken because nothing can be written, and
// that nothing need be: the run is done.
func (r *Run) onlyRead(err error) bool {
	if !errors.Is(err, fs.ErrPermission) && !isReadOnly(err) {
		return false
	}
	state, err := readState(r.Dir)
	return err == nil && state == Done
}

// Restart is OpenRun of a run that is to start anew: what is in the folder, of
// which a result that cannot be read may be a part, is deleted, but for the log.
func Restart(cell Config, weightsHash string) (*Run, error) {
	dir := filepath.Join(cell.Out, RunName(cell))
	if err := DeleteRun(dir); err != nil {
		return nil, fmt.Errorf("restart run: %w", err)
	}
	return OpenRun(cell, weightsHash)
}

// DeleteRun takes the lock of a run's folder, if there is one, and deletes what the
// run has made, but for the log, the result first: whatever happens, no old result
// stands beside new numbers.
func DeleteRun(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := LockFolder(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	events, err := filepath.Glob(filepath.Join(dir, tensorboard.Pattern))
	if err != nil {
		return err
	}
	names := []string{runfmt.ResultFile, runfmt.CheckpointFile, runfmt.MetricsFile, runfmt.ExamplesFile, runfmt.EnvFile}
	for i, name := range names {
		names[i] = filepath.Join(dir, name)
	}
	for _, path := range append(names, events...) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// reopen checks what the folder holds and brings it to a state to go on from.
func (r *Run) reopen(weightsHash string) error {
	_, err := os.Stat(r.path(runfmt.ConfigFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := atomicfile.WriteBytes(r.path(runfmt.ConfigFile), r.Config.YAML()); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		stored, err := Resolve(r.path(runfmt.ConfigFile), nil)
		if err != nil {
			return fmt.Errorf("%w; the folder is not of this program's version, move it away", err)
		}
		if stored.Hash() != r.Config.Hash() {
			return fmt.Errorf("%s: holds another configuration (hash %.8s, want %.8s); move it away", r.Dir, stored.Hash(), r.Config.Hash())
		}
	}
	if r.state, err = readState(r.Dir); err != nil {
		return err
	}
	if err := r.checkWeights(weightsHash); err != nil {
		return err
	}
	if r.state == Done {
		return nil // a done run is left as it is, to the byte
	}
	if err := atomicfile.Clean(r.Dir); err != nil {
		return err
	}
	if r.state == New {
		if _, err := r.TruncateMetrics(0); err != nil {
			return err
		}
	}
	if err := r.logEnv(weightsHash); err != nil {
		return err
	}
	r.log, err = openLog(r.path(runfmt.LogFile))
	return err
}

func readState(dir string) (State, error) {
	_, err := runfmt.ReadResult(dir)
	if err == nil {
		return Done, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return New, err
	}
	if _, err := os.Stat(filepath.Join(dir, runfmt.CheckpointFile)); err == nil {
		return Unfinished, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return New, err
	}
	return New, nil
}

// State is the run's state when it was opened, and Done after Finish.
func (r *Run) State() State { return r.state }

// Checkpoint is the path of the training state; who writes it writes it whole.
func (r *Run) Checkpoint() string { return r.path(runfmt.CheckpointFile) }

// Result reads the result of a done run.
func (r *Run) Result() (runfmt.Result, error) { return runfmt.ReadResult(r.Dir) }

// Finish writes the result and so marks the run done. What the configuration
// knows (names, seed, hash) is filled in here.
func (r *Run) Finish(result runfmt.Result) error {
	result.Config = r.Config.Hash()
	result.Protocol = r.Config.Protocol
	result.Method = r.Config.Method[0]
	result.Dataset = DatasetName(r.Config.Dataset[0])
	result.Seed = r.Config.Seed[0]
	if err := runfmt.WriteResult(r.Dir, result); err != nil {
		return err
	}
	r.state = Done
	return nil
}

// Close ends the log and the events, and lets other processes have the run.
func (r *Run) Close() error {
	if r.lock == nil {
		return nil
	}
	err := cmp.Or(r.log.Close(), r.events.Close(), r.lock.Close())
	r.lock = nil
	return err
}

func (r *Run) path(name string) string { return filepath.Join(r.Dir, name) }

// holder is what a lock file says about the process that holds it.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return "process " + strconv.Itoa(os.Getpid()) + " on " + host
}

// lockSoon takes the lock, or fails after a moment: somebody who only looks (see
// LookAt) holds it for less than that.
func lockSoon(f *os.File) error {
	err := tryLock(f)
	for try := 0; try < 10 && errors.Is(err, errLocked); try++ {
		time.Sleep(10 * time.Millisecond)
		err = tryLock(f)
	}
	return err
}

// errInUse says that another process holds a run; who it is follows.
var errInUse = errors.New("in use by")

// LockFolder takes the lock of a folder that one process may work in, or says who
// has it. It is held until the file is closed, or the process ends, however it ends.
func LockFolder(dir string) (*os.File, error) {
	path := filepath.Join(dir, runfmt.LockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := lockSoon(f); err != nil {
		f.Close()
		if errors.Is(err, errLocked) {
			who, _ := os.ReadFile(path) // only words for the error
			return nil, fmt.Errorf("%s: %w %s", dir, errInUse, strings.TrimSpace(string(who)))
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(holder()+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
