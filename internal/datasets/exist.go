package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/text/unicode/norm"
)

// findImages looks for every image that a list names, without opening it. The
// first one missing, in order, is the error.
func (d *Dataset) findImages() error {
	if d.lister == "" { // found on the disk a moment ago
		return nil
	}
	for _, part := range d.parts() {
		for i, err := range findAll(*part.items) {
			if err != nil {
				return fmt.Errorf("%s: %s[%d]: %w", d.lister, part.name, i, err)
			}
		}
	}
	return nil
}

// findAll looks for several images at a time, since a network disk answers
// slowly.
func findAll(items []Item) []error {
	errs := make([]error, len(items))
	inParallel(len(items), 16, func(i int) { errs[i] = findImage(items[i].Path) })
	return errs
}

// inParallel calls work for 0 to n-1, in order but several at a time.
func inParallel(n, workers int, work func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				work(i)
			}
		})
	}
	wg.Wait()
}

func findImage(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		for _, form := range []struct {
			norm.Form
			name string
		}{{norm.NFC, "composed (NFC)"}, {norm.NFD, "decomposed (NFD)"}} {
			other := form.String(path)
			if _, err := os.Stat(other); err == nil && other != path {
				return fmt.Errorf("no image %s: on the disk its accents are %s, unlike in the list; rename one: %w", path, form.name, fs.ErrNotExist)
			}
		}
		return fmt.Errorf("no image %s: %w", path, fs.ErrNotExist)
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file", path)
	case info.Size() == 0:
		return fmt.Errorf("image %s is empty", path)
	}
	return nil
}
