package datasets

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// builder puts a data set together from the entries of a list, checking each.
type builder struct {
	Dataset
	images  string         // what the entries' paths are relative to
	byLabel map[int]string // class names
	byName  map[string]int
	synsets bool // classes are told apart by their folders; two may have one name
}

func newBuilder(images string) *builder {
	return &builder{images: images, byLabel: map[int]string{}, byName: map[string]int{}}
}

// add appends an image to part. path is relative, with slashes.
func (b *builder) add(part *[]Item, path string, label int, class string) error {
	local := filepath.FromSlash(path)
	switch {
	case !utf8.ValidString(path):
		return fmt.Errorf("path %q is not UTF-8", path)
	case strings.ContainsRune(path, 0) || !filepath.IsLocal(local):
		return fmt.Errorf("path %q leaves the image folder", path)
	}
	if err := b.class(label, class); err != nil {
		return err
	}
	*part = append(*part, Item{Path: filepath.Join(b.images, local), Label: label})
	return nil
}

// class notes that a label has a name. One label has one name, and one name one
// label, in whichever way its accents are written.
func (b *builder) class(label int, name string) error {
	switch {
	case label < 0:
		return fmt.Errorf("label %d is negative", label)
	case strings.TrimSpace(name) == "":
		return fmt.Errorf("the class name of label %d is empty", label)
	case !utf8.ValidString(name):
		return fmt.Errorf("class name %q is not UTF-8", name)
	}
	if old, ok := b.byLabel[label]; ok {
		if old != name {
			return fmt.Errorf("label %d is called %q, before it was %q", label, name, old)
		}
		return nil
	}
	if old, ok := b.byName[norm.NFC.String(name)]; ok && !b.synsets {
		return fmt.Errorf("class %q has label %d, before it was %d", name, label, old)
	}
	b.byLabel[label], b.byName[norm.NFC.String(name)] = name, label
	return nil
}

// finish returns the data set: labels without a gap, and in each of the parts
// given an image of every class.
func (b *builder) finish(parts ...string) (*Dataset, error) {
	if len(b.byLabel) == 0 {
		return nil, errors.New("no images")
	}
	b.Classes = make([]string, len(b.byLabel))
	for label := range b.Classes {
		name, ok := b.byLabel[label]
		if !ok {
			return nil, fmt.Errorf("label %d has no image, but there are %d labels", label, len(b.byLabel))
		}
		b.Classes[label] = name
	}
	for _, part := range b.parts() {
		for _, wanted := range parts {
			if part.name != wanted {
				continue
			}
			if label := firstEmpty(*part.items, len(b.Classes)); label >= 0 {
				return nil, fmt.Errorf("class %d, %q, has no image in %q", label, b.Classes[label], part.name)
			}
		}
	}
	return &b.Dataset, nil
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
