package experiments

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"spotlighter/experiments/runfmt"
)

// Look is what a run folder tells somebody who does not open it.
type Look struct {
	State  State
	Begun  bool          // the folder is there: some process has worked on it
	Holder string        // the process at work on it now, "" if there is none
	Result runfmt.Result // of a done run
}

// Broken says that the run was begun, has no result, and nobody works on it.
func (l Look) Broken() bool { return l.Begun && l.State != Done && l.Holder == "" }

// LookAt reads the state of the run folder dir and changes nothing in it. The
// error is a result that cannot be read: cut, or of a newer program.
//
// Whether somebody is at work is asked of the lock itself. That is as good as
// the file system's flock: exact on a local disk, across hosts on NFS 3 with
// its lock daemon or NFS 4 and on Lustre mounted with flock, and of this host
// alone where locks are local (NFS with nolock or local_lock, Lustre with
// localflock).
func LookAt(dir string) (Look, error) {
	var l Look
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return l, nil
	} else if err != nil {
		return l, fmt.Errorf("look at run: %w", err)
	}
	l.Begun = true
	var err error
	if l.State, err = readState(dir); err != nil {
		return l, err
	}
	if l.State == Done {
		l.Result, err = runfmt.ReadResult(dir)
		return l, err
	}
	l.Holder, err = holderOf(filepath.Join(dir, runfmt.LockFile))
	return l, err
}

// holderOf names the process that has the lock of the file at path, "" if none.
func holderOf(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || isReadOnly(err) {
		return "", nil // who cannot write here cannot work here either
	}
	if err != nil {
		return "", fmt.Errorf("look at run: %w", err)
	}
	defer f.Close() // gives back the lock, if it was free
	err = tryLock(f)
	if !errors.Is(err, errLocked) {
		return "", err
	}
	who, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("look at run: %w", err)
	}
	if name := strings.TrimSpace(string(who)); name != "" {
		return name, nil
	}
	return "another process", nil // which has not yet written its name
}
