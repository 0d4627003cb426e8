package cache

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// DefaultDir is the folder of stores in the user's cache folder.
func DefaultDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache_dir: %w", err)
	}
	return filepath.Join(dir, "spotlighter", "features"), nil
}

// Entry is a store, as it lies in a folder.
type Entry struct {
	Name     string
	Features string // "" of one whose description cannot be read
	Type     string
	Files    int
	Bytes    int64
	Used     time.Time // last opened
}

// List lists the stores of a folder, the last used first. A folder that is not
// there has none.
func List(dir string) ([]Entry, error) {
	folders, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	var all []Entry
	for _, folder := range folders {
		path := filepath.Join(dir, folder.Name(), aboutFile)
		info, err := os.Stat(path)
		if err != nil {
			continue // not a store: left alone
		}
		e := Entry{Name: folder.Name(), Used: info.ModTime()}
		var a about
		if text, err := os.ReadFile(path); err == nil && json.Unmarshal(text, &a) == nil {
			e.Features, e.Type = a.Features, a.Type
		}
		files, err := os.ReadDir(filepath.Join(dir, folder.Name()))
		if err != nil {
			return nil, fmt.Errorf("cache: %w", err)
		}
		for _, f := range files {
			if info, err := f.Info(); err == nil { // one that goes while we look takes no room
				e.Bytes += info.Size()
			}
			if strings.HasSuffix(f.Name(), shardEnd) {
				e.Files++
			}
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b Entry) int { return b.Used.Compare(a.Used) })
	return all, nil
}

// Prune removes the stores that were not used since then, and of the others the
// longest unused until the rest takes at most so many bytes. It returns what it
// removed. Processes at work keep the features that they have opened.
func Prune(dir string, since time.Time, bytes int64) ([]Entry, error) {
	all, err := List(dir)
	if err != nil {
		return nil, err
	}
	var gone []Entry
	var sum int64
	for _, e := range all {
		if !e.Used.Before(since) && sum+e.Bytes <= bytes {
			sum += e.Bytes
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name)); err != nil {
			return gone, fmt.Errorf("cache: %w", err)
		}
		gone = append(gone, e)
	}
	return gone, nil
}

// Room reports what all stores of a folder take and what its disk has left; left
// is negative where the system does not say.
func Room(dir string) (used, left int64, err error) {
	all, err := List(dir)
	for _, e := range all {
		used += e.Bytes
	}
	return used, free(dir), err
}
