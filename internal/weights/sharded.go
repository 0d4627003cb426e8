package weights

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// folderFiles are the weights looked for in a folder, by the names that hubs
// use, best first.
var folderFiles = []string{
	"model.safetensors", "model.safetensors.index.json", "open_clip_model.safetensors",
	"pytorch_model.bin", "pytorch_model.bin.index.json", "open_clip_pytorch_model.bin",
}

// maxShards is far above what a CLIP is cut into.
const maxShards = 256

// Locate returns the file that a path stands for: itself, or the weights in the
// folder that it names.
func Locate(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("weights %s: %w", path, pathless(err))
	case !info.IsDir():
		return path, nil
	}
	for _, name := range folderFiles {
		file := filepath.Join(path, name)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("weights %s: a folder without weights, wanted one of %s", path, strings.Join(folderFiles, ", "))
}

// pathless is why a file could not be read, for messages that name it themselves.
func pathless(err error) error {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// openSharded opens the files that an index lists and makes them one.
func openSharded(path string, content []byte) (*File, error) {
	fail := func(err error) (*File, error) { return nil, fmt.Errorf("weights %s: %w", path, err) }
	if len(content) > maxHeader {
		return fail(fmt.Errorf("an index of %d bytes, at most %d are accepted", len(content), maxHeader))
	}
	var index struct {
		Map map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(content, &index); err != nil {
		return fail(fmt.Errorf("bad JSON: %w", err))
	}
	if len(index.Map) == 0 {
		return fail(errors.New("JSON without a weight_map: not an index of weights"))
	}
	all := &parsed{entries: make(map[string]entry, len(index.Map)), meta: map[string]string{}}
	shards := map[string]*File{}
	closeAll := func() error {
		var errs []error
		for _, s := range shards {
			errs = append(errs, s.Close())
		}
		return errors.Join(errs...)
	}
	for _, name := range slices.Sorted(maps.Keys(index.Map)) {
		file := index.Map[name]
		s := shards[file]
		if s == nil {
			var err error
			if s, err = openShard(path, file, len(shards)); err != nil {
				closeAll()
				return nil, err
			}
			shards[file] = s
			all.format = s.format
			maps.Copy(all.meta, s.meta)
		}
		e, ok := s.entries[name]
		if !ok {
			closeAll()
			return fail(fmt.Errorf("tensor %.100q is not in %s, where the index says it is", name, file))
		}
		all.entries[name] = e
	}
	f := newFile(path, all)
	f.unmap = closeAll
	f.hash = sync.OnceValue(func() string {
		h := sha256.New()
		for _, file := range slices.Sorted(maps.Keys(shards)) {
			fmt.Fprintln(h, file, shards[file].Hash())
		}
		return hex.EncodeToString(h.Sum(nil))
	})
	return f, nil
}

// openShard opens a file beside the index.
func openShard(index, file string, before int) (*File, error) {
	switch {
	case file != filepath.Base(file) || !filepath.IsLocal(file) || file == ".":
		return nil, fmt.Errorf("weights %s: the shard %.100q is not a file of the same folder", index, file)
	case before == maxShards:
		return nil, fmt.Errorf("weights %s: more than %d shards", index, maxShards)
	}
	path := filepath.Join(filepath.Dir(index), file)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("weights %s: the shard %.100q is a folder", index, file)
	}
	content, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("weights %s: its shard: %w", index, err)
	}
	head := make([]byte, 512)
	n, _ := content.Read(head)
	content.Close()
	if isJSON(head[:n]) { // an index of indices, or of itself
		return nil, fmt.Errorf("weights %s: the shard %.100q is JSON, not weights", index, file)
	}
	return Open(path)
}
