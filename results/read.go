// Package results turns run folders into tables and pictures. It knows the
// format of a run (experiments/runfmt) and nothing of how runs are made.
package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"spotlighter/experiments/runfmt"
)

// Read reads the results of the given run folders, in their order. A folder
// without a result is an error, as is a result that is cut off or of a newer
// program: one line that names the file.
func Read(runs []string) ([]runfmt.Result, error) {
	list := make([]runfmt.Result, 0, len(runs))
	for _, dir := range runs {
		r, err := runfmt.ReadResult(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: the run has no %s, it is not finished", dir, runfmt.ResultFile)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// ReadFolder reads every finished run below out, in the order of their names.
// Runs at work and folders that are no runs are passed over.
func ReadFolder(out string) ([]runfmt.Result, error) {
	entries, err := os.ReadDir(out)
	if err != nil {
		return nil, fmt.Errorf("results: %w", err)
	}
	var list []runfmt.Result
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		r, err := runfmt.ReadResult(filepath.Join(out, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}
