// Package datasets reads image classification data sets from disk, in the
// folder layout and with the split files that CoOp's instructions give, and
// samples them as the published programs do.
package datasets

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Item is one labelled image. Path is absolute; Label indexes Classes.
type Item struct {
	Path  string
	Label int
}

// Dataset is a set of classes with images for training, validation and
// testing, in the order of the split file. Class names are as written there.
type Dataset struct {
	Name             string
	Classes          []string
	Train, Val, Test []Item
}

// layout is where a data set keeps its files below the common root.
type layout struct {
	folder string // the data set's own folder
	images string // images, below folder
	split  string // split file, below folder
}

// layouts are the data sets by the names that CoOp's configs use.
var layouts = map[string]layout{
	"caltech101": {"caltech-101", "101_ObjectCategories", "split_zhou_Caltech101.json"},
}

// Open reads the data set called name below root and checks that its split is
// sound and that every image is there. The error is one line with the file and
// the entry at fault; for an unknown name it lists the known ones.
func Open(name, root string) (*Dataset, error) {
	l, ok := layouts[name]
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(layouts)), ", ")
		return nil, fmt.Errorf("data set %q is unknown, wanted one of: %s", name, known)
	}
	d, err := l.open(name, root)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", name, err)
	}
	return d, nil
}

// OpenCaltech101 reads root/caltech-101: 100 classes, the faces once and no
// background, 8,242 images.
func OpenCaltech101(root string) (*Dataset, error) {
	return Open("caltech101", root)
}
