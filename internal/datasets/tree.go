package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

var errNoClasses = errors.New("no class folders in it")

// classFolder is a folder of images.
type classFolder struct {
	name    string
	images  []string // file names, sorted
	changed time.Time
}

// listClasses returns the folders below dir by name, each with its images. What
// has not changed since the last time is not listed again: see index.
func listClasses(dir string) ([]classFolder, error) {
	names, err := subfolders(dir)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("folder %s: %w", dir, errNoClasses)
	}
	known := readIndex(dir)
	started := time.Now()
	folders, errs, reused := make([]classFolder, len(names)), make([]error, len(names)), make([]bool, len(names))
	inParallel(len(names), 16, func(i int) {
		folders[i], reused[i], errs[i] = listClass(dir, names[i], known)
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	if slices.Contains(reused, false) || len(known) != len(folders) {
		writeIndex(dir, folders, started)
	}
	return folders, nil
}

// subfolders are the folders in dir by name, those that links lead to included,
// hidden ones not.
func subfolders(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", dir, err)
	}
	var names []string
	for _, e := range entries {
		is, err := isFolder(dir, e)
		if err != nil {
			return nil, err
		}
		if is && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// isFolder follows a link; a loop of links is an error that names it.
func isFolder(dir string, e fs.DirEntry) (bool, error) {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir(), nil
	}
	info, err := os.Stat(filepath.Join(dir, e.Name()))
	if err != nil {
		return false, fmt.Errorf("link in %s: %w", dir, err)
	}
	return info.IsDir(), nil
}

func listClass(parent, name string, known map[string]classFolder) (f classFolder, reused bool, err error) {
	dir := filepath.Join(parent, name)
	info, err := os.Stat(dir)
	if err != nil {
		return f, false, fmt.Errorf("class folder: %w", err)
	}
	if old, ok := known[name]; ok && old.changed.Equal(info.ModTime()) {
		return old, true, nil
	}
	f = classFolder{name: name, changed: info.ModTime()}
	d, err := os.Open(dir)
	if err != nil {
		return f, false, fmt.Errorf("class folder: %w", err)
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	if err != nil {
		return f, false, fmt.Errorf("class folder %s: %w", dir, err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		is, err := isFolder(dir, e)
		switch {
		case err != nil:
			return f, false, err
		case is:
			return f, false, fmt.Errorf("class folder %s holds a folder, %q, wanted images", dir, e.Name())
		case !utf8.ValidString(e.Name()):
			return f, false, fmt.Errorf("class folder %s: file name %q is not UTF-8", dir, e.Name())
		case isImage(e.Name()):
			f.images = append(f.images, e.Name())
		}
	}
	slices.Sort(f.images)
	return f, false, nil
}

// isImage tells images from the lists and thumbnails that lie beside them.
func isImage(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp":
		return true
	}
	return false
}

// checkNames refuses folders that one class name stands for, and names that are
// no text.
func checkNames(dir string, folders []classFolder) error {
	seen := map[string]string{}
	for _, f := range folders {
		if !utf8.ValidString(f.name) {
			return fmt.Errorf("folder %s: class folder %q is not UTF-8", dir, f.name)
		}
		composed := norm.NFC.String(f.name)
		if old, ok := seen[composed]; ok {
			return fmt.Errorf("folder %s: class folders %+q and %+q are one name", dir, old, f.name)
		}
		seen[composed] = f.name
	}
	return nil
}
