// Package datasets reads image classification data sets from disk, in the
// folder layout and with the split files that CoOp's instructions give, and
// samples them as the published programs do.
package datasets

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
// ImageNet has no validation images (the published code takes the test images
// for them), and its four shifts have test images only.
type Dataset struct {
	Name             string
	Folder           string // where its files are
	Images           string // what the paths of a split file are relative to
	Classes          []string
	Train, Val, Test []Item

	// ImageNet holds the label in ImageNet of each class of a shift of it; the
	// published code tests ImageNet-A and -R among their own 200 classes.
	ImageNet []int
	// Notes are what a user should know of how the data set was read, a line each.
	Notes []string

	// lister is the file that names the images, with its kind, for errors; empty if they were
	// found on the disk.
	lister string
}

// Load reads the data set called name below root without looking for the images
// that a split file names. Where a data set has no split of its own, it is split
// by splitSeed. The error is one line with the file and the entry at fault; for
// an unknown name it lists the known ones.
//
// The name "folder" reads root itself, and "folder:SUB" the folder SUB below it,
// as classes of images.
func Load(name, root string, splitSeed int) (*Dataset, error) {
	l, ok := find(name)
	if !ok {
		return nil, fmt.Errorf("data set %q is unknown, wanted one of: %s", name, strings.Join(Names(), ", "))
	}
	d, err := l.load(root, splitSeed)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", name, err)
	}
	d.Name = name
	return d, nil
}

// Open is Load, and looks for every image that a split file names.
func Open(name, root string, splitSeed int) (*Dataset, error) {
	d, err := Load(name, root, splitSeed)
	if err != nil {
		return nil, err
	}
	if err := d.findImages(); err != nil {
		return nil, fmt.Errorf("data set %s: %w", name, err)
	}
	return d, nil
}

func (l layout) load(root string, splitSeed int) (*Dataset, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	r := request{layout: l, dir: filepath.Join(root, l.folder), seed: splitSeed}
	if filepath.IsAbs(l.folder) { // a user's own
		r.dir = l.folder
	}
	for _, dir := range []string{root, r.dir, r.images()} {
		if err := wantFolder(dir); err != nil {
			return nil, err
		}
	}
	d, err := l.read(r)
	if err != nil {
		return nil, err
	}
	d.Folder, d.Images = r.dir, r.images()
	return d, nil
}

// request is a data set to be read from dir.
type request struct {
	layout
	dir  string
	seed int
}

func (r request) images() string            { return filepath.Join(r.dir, r.layout.images) }
func (r request) file(name string) string   { return filepath.Join(r.dir, filepath.FromSlash(name)) }
func (r request) has(name string) bool      { _, err := os.Stat(r.file(name)); return err == nil }
func (r request) splitFile() (string, bool) { return r.file(r.split), r.split != "" && r.has(r.split) }

func wantFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no folder %s: %w", dir, fs.ErrNotExist)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", dir)
	}
	return nil
}

// part is one of a data set's lists under its name in the split file.
type part struct {
	name  string
	items *[]Item
}

func (d *Dataset) parts() []part {
	return []part{{"train", &d.Train}, {"val", &d.Val}, {"test", &d.Test}}
}

// Subsets of the classes, as CoOp calls them.
const (
	All  = "all"
	Base = "base" // the first half, the middle class included if their number is odd
	New  = "new"  // the rest
)

// Subset returns the images of a subset of the classes, relabelled from 0, in
// all three parts and in their order.
func (d *Dataset) Subset(subset string) (*Dataset, error) {
	half := (len(d.Classes) + 1) / 2
	switch subset {
	case All:
		return d, nil
	case Base:
		return d.classes(0, half), nil
	case New:
		return d.classes(half, len(d.Classes)), nil
	}
	return nil, fmt.Errorf("subset %q, wanted %s, %s or %s", subset, All, Base, New)
}

// classes returns the part with labels from lo to hi-1.
func (d *Dataset) classes(lo, hi int) *Dataset {
	sub := *d
	sub.Classes = d.Classes[lo:hi:hi]
	if d.ImageNet != nil {
		sub.ImageNet = d.ImageNet[lo:hi:hi]
	}
	for _, part := range sub.parts() {
		var kept []Item
		for _, item := range *part.items {
			if item.Label >= lo && item.Label < hi {
				kept = append(kept, Item{Path: item.Path, Label: item.Label - lo})
			}
		}
		*part.items = kept
	}
	return &sub
}

// Names are the data sets that Load knows, by the names of CoOp's configs.
func Names() []string {
	var names []string
	for _, l := range layouts {
		names = append(names, l.name)
	}
	return append(names, folderName)
}

func find(name string) (layout, bool) {
	if sub, ok := strings.CutPrefix(name, folderName); ok && (sub == "" || strings.HasPrefix(sub, ":")) {
		return layout{name: name, folder: filepath.FromSlash(strings.TrimPrefix(sub, ":")), read: readFolder}, true
	}
	i := slices.IndexFunc(layouts, func(l layout) bool { return l.name == name })
	return layouts[max(i, 0)], i >= 0
}

// Known says whether Load knows the name.
func Known(name string) bool { _, ok := find(name); return ok }

// Guide is what a user should know of a data set before having it.
type Guide struct {
	Folder string // below the common root
	Size   Size   // as published
	Steps  [3]string
}

// Size is the number of classes, and of images in each part.
type Size struct{ Classes, Train, Val, Test int }

// Size counts what was read.
func (d *Dataset) Size() Size {
	return Size{len(d.Classes), len(d.Train), len(d.Val), len(d.Test)}
}

// Describe says what a data set holds as published, what to download from where
// and how to unpack it.
func Describe(name string) (Guide, bool) {
	l, ok := find(name)
	return Guide{Folder: cmp.Or(l.folder, "."), Size: l.size, Steps: l.steps}, ok
}
