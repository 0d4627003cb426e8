// Package atomicfile writes files that are either whole or absent: the content
// goes to a temporary file in the same folder, is flushed to the disk, and
// takes the name in one rename.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// tempSuffix ends the names of temporary files, which begin with a dot.
const tempSuffix = ".tmp"

// stale is the age from which a temporary file is what a killed process left: each
// write makes one that is in work young again.
const stale = time.Hour

// Write calls fill with a writer and, if it succeeds, makes its output the
// content of path. On any error path is left as it was and the temporary file
// is removed; so are those of the same path that killed processes left.
func Write(path string, fill func(io.Writer) error) (err error) {
	dir, prefix := filepath.Dir(path), "."+filepath.Base(path)+"."
	cleanStale(dir, prefix)
	f, err := os.CreateTemp(dir, prefix+"*"+tempSuffix)
	if err != nil {
		var missing *fs.PathError
		if errors.Is(err, fs.ErrNotExist) && errors.As(err, &missing) {
			missing.Path = dir // not the temporary file that it was to hold
		}
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if err = fill(f); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// WriteBytes makes data the content of path.
func WriteBytes(path string, data []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Clean removes the temporary files that killed processes left in dir. No
// other process may be writing there.
func Clean(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, ".") && strings.HasSuffix(name, tempSuffix) {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// cleanStale removes the temporary files of a name that nobody writes any more.
// What cannot be removed is in nobody's way and stays.
func cleanStale(dir, prefix string) {
	entries, _ := os.ReadDir(dir) // what Write does next fails too, and says why
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, prefix) && strings.HasSuffix(name, tempSuffix) {
			if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > stale {
				_ = os.Remove(filepath.Join(dir, name))
			}
		}
	}
}

// syncDir flushes the folder's entry, without which a rename may be lost when
// the machine loses power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
