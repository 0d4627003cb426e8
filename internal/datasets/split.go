package datasets

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// open reads the split file and looks for all its images.
func (l layout) open(name, root string) (*Dataset, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(root, l.folder)
	images := filepath.Join(folder, l.images)
	for _, dir := range []string{root, folder, images} {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("no folder %s: %w", dir, fs.ErrNotExist)
		case err != nil:
			return nil, err
		case !info.IsDir():
			return nil, fmt.Errorf("%s is not a folder", dir)
		}
	}
	path := filepath.Join(folder, l.split)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no split file %s: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("split file: %w", err)
	}
	d, err := parseSplit(content, images)
	if err != nil {
		return nil, fmt.Errorf("split file %s: %w", path, err)
	}
	if err := d.findImages(); err != nil {
		return nil, fmt.Errorf("split file %s: %w", path, err)
	}
	d.Name = name
	return d, nil
}

// parseSplit reads a split file: for each part a list of [path, label, class
// name], paths being relative to the folder images. It does not touch the disk.
func parseSplit(content []byte, images string) (*Dataset, error) {
	if !utf8.Valid(content) {
		return nil, errors.New("not UTF-8")
	}
	var parts map[string][]json.RawMessage
	if err := json.Unmarshal(content, &parts); err != nil {
		return nil, fmt.Errorf("bad JSON: %w", err)
	}
	d := &Dataset{}
	var names classNames
	for _, part := range d.parts() {
		for i, raw := range parts[part.name] {
			item, class, err := parseEntry(raw)
			if err == nil {
				err = names.add(item.Label, class)
			}
			if err != nil {
				return nil, fmt.Errorf("%s[%d]: %w", part.name, i, err)
			}
			item.Path = filepath.Join(images, item.Path)
			*part.items = append(*part.items, item)
		}
	}
	var err error
	if d.Classes, err = names.list(); err != nil {
		return nil, err
	}
	for _, part := range d.parts() {
		if part.name == "val" { // not every data set has validation images
			continue
		}
		if label := firstEmpty(*part.items, len(d.Classes)); label >= 0 {
			return nil, fmt.Errorf("class %d, %q, has no image in %q", label, d.Classes[label], part.name)
		}
	}
	return d, nil
}

// part is one of a data set's lists under its name in the split file.
type part struct {
	name  string
	items *[]Item
}

func (d *Dataset) parts() []part {
	return []part{{"train", &d.Train}, {"val", &d.Val}, {"test", &d.Test}}
}

// parseEntry reads one [path, label, class name].
func parseEntry(raw json.RawMessage) (item Item, class string, err error) {
	var fields []json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || len(fields) != 3 ||
		json.Unmarshal(fields[0], &item.Path) != nil ||
		json.Unmarshal(fields[1], &item.Label) != nil ||
		json.Unmarshal(fields[2], &class) != nil {
		return item, "", fmt.Errorf("wanted [path, label, class name], found %.120s", compact(raw))
	}
	item.Path = filepath.FromSlash(item.Path)
	switch {
	case !filepath.IsLocal(item.Path):
		return item, "", fmt.Errorf("path %q leaves the image folder", item.Path)
	case item.Label < 0:
		return item, "", fmt.Errorf("label %d is negative", item.Label)
	case class == "":
		return item, "", fmt.Errorf("the class name of label %d is empty", item.Label)
	}
	return item, class, nil
}

// compact puts JSON on one line.
func compact(raw json.RawMessage) []byte {
	line, err := json.Marshal(raw)
	if err != nil {
		return raw
	}
	return line
}

// classNames collects which label has which name.
type classNames struct {
	byLabel map[int]string
	byName  map[string]int
}

func (c *classNames) add(label int, name string) error {
	if c.byLabel == nil {
		c.byLabel, c.byName = map[int]string{}, map[string]int{}
	}
	if old, ok := c.byLabel[label]; ok && old != name {
		return fmt.Errorf("label %d is called %q, before it was %q", label, name, old)
	}
	if old, ok := c.byName[name]; ok && old != label {
		return fmt.Errorf("class %q has label %d, before it was %d", name, label, old)
	}
	c.byLabel[label], c.byName[name] = name, label
	return nil
}

// list returns the names by label, which must run from 0 without a gap.
func (c *classNames) list() ([]string, error) {
	if len(c.byLabel) == 0 {
		return nil, errors.New(`no images: wanted lists "train", "val" and "test"`)
	}
	names := make([]string, len(c.byLabel))
	for label := range names {
		name, ok := c.byLabel[label]
		if !ok {
			return nil, fmt.Errorf("label %d has no image, but there are %d labels", label, len(c.byLabel))
		}
		names[label] = name
	}
	return names, nil
}

// firstEmpty returns the lowest label without an item, or -1.
func firstEmpty(items []Item, classes int) int {
	seen := make([]bool, classes)
	for _, item := range items {
		seen[item.Label] = true
	}
	for label, ok := range seen {
		if !ok {
			return label
		}
	}
	return -1
}

// findImages looks for every image without opening it. The first one missing,
// in order, is the error.
func (d *Dataset) findImages() error {
	for _, part := range d.parts() {
		for i, err := range findAll(*part.items) {
			if err != nil {
				return fmt.Errorf("%s[%d]: %w", part.name, i, err)
			}
		}
	}
	return nil
}

// findAll looks for several images at a time, since a network disk answers
// slowly.
func findAll(items []Item) []error {
	errs := make([]error, len(items))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(items); i = int(next.Add(1)) - 1 {
				errs[i] = findImage(items[i].Path)
			}
		})
	}
	wg.Wait()
	return errs
}

func findImage(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
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
