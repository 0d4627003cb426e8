// Package cache keeps features of frozen encoders on the disk, so that they are
// computed once for all runs and processes.
//
// A folder holds stores; a store holds the features that one encoder makes, as
// safetensors files of a few rows each. A file is written whole or not at all and
// never changes, so that a killed process leaves a store that can be used, and
// any number of processes can share one: at worst two compute the same rows.
package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"spotlighter/internal/atomicfile"
	"spotlighter/internal/weights"
)

// Types that features are stored as: F32 keeps every bit.
const (
	F32 = "F32"
	F16 = "F16"
)

const (
	aboutFile = "about.json"
	shardEnd  = ".safetensors"
	rowsKey   = "rows"    // in a file's metadata: the ids of its rows, as JSON
	tempAge   = time.Hour // after that a temporary file's process has died
)

// about is what a store says of itself.
type about struct {
	Features string `json:"features"` // all that they depend on but the image
	Type     string `json:"type"`
}

// Store holds the rows of one encoder. It is safe for concurrent use.
type Store struct {
	Dir string
	about

	mu     sync.RWMutex
	files  map[string]*weights.File // by name; nil for one that cannot be read
	places map[string]place
}

// place is where a row is.
type place struct {
	file *weights.File
	row  int
}

// Hash is the SHA-256 of text in hexadecimal.
func Hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Open opens the store in dir of the features that a text describes, everything
// that they depend on but the image, and makes it if there is none.
func Open(dir, features, dtype string) (*Store, error) {
	a := about{features, dtype}
	s := &Store{Dir: filepath.Join(dir, Hash(features + " " + dtype)[:16]), about: a, files: map[string]*weights.File{}, places: map[string]place{}}
	if err := s.create(); err != nil {
		return nil, err
	}
	now := time.Now() // when it was last used
	if err := os.Chtimes(filepath.Join(s.Dir, aboutFile), now, now); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	s.clean()
	return s, s.Refresh()
}

// create makes the folder, which somebody may also have removed in the meantime.
func (s *Store) create() error {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	path := filepath.Join(s.Dir, aboutFile)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	text, err := json.MarshalIndent(s.about, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(path, append(text, '\n'))
}

// clean removes what killed processes left half-written.
func (s *Store) clean() {
	entries, _ := os.ReadDir(s.Dir) // Refresh reports what is wrong with it
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), ".") && time.Since(info.ModTime()) > tempAge {
			os.Remove(filepath.Join(s.Dir, e.Name()))
		}
	}
}

// Refresh takes notice of what other processes have added.
func (s *Store) Refresh() error {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed; what is open stays
	}
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, ".") && strings.HasSuffix(name, shardEnd) {
			if _, known := s.files[name]; !known {
				s.files[name] = s.read(name)
			}
		}
	}
	return nil
}

// read opens a file and finds its rows. One that is damaged (a disk that was
// full, a machine that went down) counts as not there and is removed, so that
// its rows are computed again.
func (s *Store) read(name string) *weights.File {
	path := filepath.Join(s.Dir, name)
	f, err := weights.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var rows []string
	if err == nil {
		err = json.Unmarshal([]byte(f.Metadata()[rowsKey]), &rows)
	}
	if err == nil {
		for _, tensor := range f.Names() {
			if shape, _ := f.Shape(tensor); len(shape) == 0 || shape[0] != len(rows) {
				err = fmt.Errorf("tensor %s has no %d rows", tensor, len(rows))
			}
		}
	}
	if err != nil {
		if f != nil {
			f.Close()
		}
		os.Remove(path)
		return nil
	}
	for i, id := range rows {
		s.places[id] = place{f, i}
	}
	return f
}

// Has says whether there is a row of that id.
func (s *Store) Has(id string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.places[id]
	return ok
}

// Row reads a tensor's row of that id into dst.
func (s *Store) Row(tensor, id string, dst []float32) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, ok := s.places[id]
	if !ok {
		return fmt.Errorf("cache %s: no row %s", s.Dir, id)
	}
	return p.file.Row(tensor, p.row, dst)
}

// Holds says whether a row has that tensor.
func (s *Store) Holds(tensor, id string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, ok := s.places[id]
	if ok {
		_, ok = p.file.Shape(tensor)
	}
	return ok
}

// Add writes rows: tensors [len(ids), ...] by name.
func (s *Store) Add(ids []string, tensors map[string]weights.Tensor) error {
	rows, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	name := Hash(string(rows))[:24] + shardEnd
	save := func() error {
		return weights.Save(filepath.Join(s.Dir, name), tensors, map[string]string{rowsKey: string(rows)}, s.Type)
	}
	err = save()
	if errors.Is(err, fs.ErrNotExist) { // the folder was removed
		if err = s.create(); err == nil {
			err = save()
		}
	}
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files[name] == nil {
		s.files[name] = s.read(name)
	}
	if s.files[name] == nil {
		return fmt.Errorf("cache %s: %s cannot be read back", s.Dir, name)
	}
	return nil
}

// Close lets go of the files.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.files {
		if f != nil {
			f.Close()
		}
	}
	s.files, s.places = map[string]*weights.File{}, map[string]place{}
}
