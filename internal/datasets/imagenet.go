package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// classNamesFile gives each synset, the name of a class folder, the class name
// that CLIP's authors chose: "n01440764 tench".
const classNamesFile = "classnames.txt"

// synsets are the classes of ImageNet. Two of the names stand for two synsets.
type synsets struct {
	order []string          // as in the file; the position is ImageNet's label
	names map[string]string // class name by synset
}

// readSynsets reads classnames.txt of a data set, or for a shift of ImageNet
// without one that of ImageNet beside it.
func readSynsets(r request) (synsets, error) {
	s := synsets{names: map[string]string{}}
	if beside := "../imagenet/"; !r.has(classNamesFile) && r.has(beside+classNamesFile) {
		r.dir = filepath.Join(r.dir, beside)
	}
	err := r.eachLine(classNamesFile, func(line string) error {
		synset, name, _ := strings.Cut(line, " ")
		if name == "" {
			return fmt.Errorf("wanted a synset and a class name, found %q", line)
		}
		if _, ok := s.names[synset]; ok {
			return fmt.Errorf("synset %s is there twice", synset)
		}
		s.order = append(s.order, synset)
		s.names[synset] = name
		return nil
	})
	if err == nil && len(s.order) == 0 {
		err = fmt.Errorf("list %s is empty", r.file(classNamesFile))
	}
	return s, err
}

// readImageNet reads images/train and images/val, which is for testing: the
// labels are the places of the class folders by name. The published code samples
// from files as the disk happens to list them and keeps that order in
// preprocessed.pkl; where that file is, its order counts, else that of the names.
func readImageNet(r request) (*Dataset, error) {
	names, err := readSynsets(r)
	if err != nil {
		return nil, err
	}
	b := newBuilder(r.images())
	b.synsets = true
	var first []classFolder
	for _, list := range []struct {
		dir  string
		part *[]Item
	}{{"train", &b.Train}, {"val", &b.Test}} {
		dir := filepath.Join(r.images(), list.dir)
		folders, err := listClasses(dir)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = folders
		} else if name := difference(first, folders); name != "" {
			return nil, fmt.Errorf("folder %s: class folder %s is in only one of train and val", r.images(), name)
		}
		if err := names.add(b, list.part, list.dir, folders); err != nil {
			return nil, fmt.Errorf("folder %s: %w", dir, err)
		}
	}
	d, err := b.finish("train", "test")
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", r.images(), err)
	}
	return d, r.likePreprocessed(d)
}

// likePreprocessed puts the training images in the order of the file that the
// published code leaves behind, if it is there.
func (r request) likePreprocessed(d *Dataset) error {
	file := r.file("preprocessed.pkl")
	data, err := readPickle(file)
	if errors.Is(err, fs.ErrNotExist) {
		d.Notes = append(d.Notes, "no preprocessed.pkl of an earlier run of CoOp: training images are sampled in the order of their names, not in that of the disk")
		return nil
	}
	if err != nil {
		return err
	}
	items, err := d.match(data["train"], d.Train, r.dir)
	if err == nil && len(items) != len(d.Train) {
		err = fmt.Errorf("%d training images, on the disk are %d", len(items), len(d.Train))
	}
	if err != nil {
		return fmt.Errorf("%s: %w; without the file images are sampled in the order of their names", file, err)
	}
	d.Train = items
	return nil
}

// add adds the images of class folders, labelled by their places.
func (s synsets) add(b *builder, part *[]Item, dir string, folders []classFolder) error {
	total := 0
	for _, f := range folders {
		total += len(f.images)
	}
	*part = slices.Grow(*part, total)
	for label, f := range folders {
		class, ok := s.names[f.name]
		if !ok {
			return fmt.Errorf("class folder %q is not in %s", f.name, classNamesFile)
		}
		for _, image := range f.images {
			if err := b.add(part, path.Join(dir, f.name, image), label, class); err != nil {
				return err
			}
		}
		if len(f.images) == 0 {
			return fmt.Errorf("class folder %s has no image", f.name)
		}
	}
	return nil
}

// difference is a name that only one of two lists by name has, "" if none.
func difference(a, b []classFolder) string {
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			return b[i].name
		case i >= len(b) || a[i].name < b[i].name:
			return a[i].name
		case a[i].name > b[i].name:
			return b[i].name
		}
	}
	return ""
}

// readShift reads a test set in class folders by synset: ImageNet-Sketch, -A, -R.
func readShift(r request) (*Dataset, error) {
	names, err := readSynsets(r)
	if err != nil {
		return nil, err
	}
	folders, err := listClasses(r.images())
	if err != nil {
		return nil, err
	}
	b := newBuilder(r.images())
	b.synsets = true
	if err := names.add(b, &b.Test, "", folders); err != nil {
		return nil, fmt.Errorf("folder %s: %w", r.images(), err)
	}
	for _, f := range folders {
		b.ImageNet = append(b.ImageNet, slices.Index(names.order, f.name))
	}
	return b.finish("test")
}

// readImageNetV2 reads class folders called by ImageNet's labels: 0, 1, ....
func readImageNetV2(r request) (*Dataset, error) {
	names, err := readSynsets(r)
	if err != nil {
		return nil, err
	}
	folders, err := listClasses(r.images())
	if err != nil {
		return nil, err
	}
	byLabel := make([]*classFolder, len(names.order))
	for i, f := range folders {
		label, err := strconv.Atoi(f.name)
		if err != nil || label < 0 || label >= len(byLabel) || strconv.Itoa(label) != f.name {
			return nil, fmt.Errorf("folder %s: class folder %q, wanted 0 to %d, a label of ImageNet", r.images(), f.name, len(byLabel)-1)
		}
		byLabel[label] = &folders[i]
	}
	b := newBuilder(r.images())
	b.synsets = true
	for label, f := range byLabel {
		if f == nil || len(f.images) == 0 {
			return nil, fmt.Errorf("folder %s: no images in class folder %d, %q", r.images(), label, names.names[names.order[label]])
		}
		for _, image := range f.images {
			if err := b.add(&b.Test, path.Join(f.name, image), label, names.names[names.order[label]]); err != nil {
				return nil, fmt.Errorf("folder %s: %w", r.images(), err)
			}
		}
		b.ImageNet = append(b.ImageNet, label)
	}
	return b.finish("test")
}
