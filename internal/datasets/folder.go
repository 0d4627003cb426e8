package datasets

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/text/unicode/norm"
)

// folderName is the data set of a user's own images in class folders.
const folderName = "folder"

// readFolder reads class/image, split by seed with CoOp's shares, or
// train/class/image with val/ and test/ beside it. Of train and val alone, val is
// for testing, as it is in ImageNet. Class names are the folders', composed (NFC).
func readFolder(r request) (*Dataset, error) {
	names, err := subfolders(r.dir)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(names, "train") {
		d, err := fromFolders(nil)(r)
		if err == nil {
			composeClasses(d)
		}
		return d, err
	}
	b := newBuilder(r.dir)
	lists := []struct {
		dir  string
		part *[]Item
	}{{"train", &b.Train}, {"val", &b.Val}, {"test", &b.Test}}
	switch {
	case !slices.Contains(names, "val") && !slices.Contains(names, "test"):
		return nil, fmt.Errorf("folder %s has train, but neither val nor test beside it", r.dir)
	case !slices.Contains(names, "test"):
		lists[1].part, lists = &b.Test, lists[:2]
	case !slices.Contains(names, "val"):
		lists = slices.Delete(lists, 1, 2)
	}
	for _, name := range names {
		if name != "train" && name != "val" && name != "test" {
			return nil, fmt.Errorf("folder %s has train and also %q, wanted train, val and test, or class folders", r.dir, name)
		}
	}
	var first []classFolder
	for _, list := range lists {
		dir := filepath.Join(r.dir, list.dir)
		folders, err := listClasses(dir)
		if err != nil {
			return nil, err
		}
		if err := checkNames(dir, folders); err != nil {
			return nil, err
		}
		if first == nil {
			first = folders
		} else if name := difference(first, folders); name != "" && list.dir != "val" {
			return nil, fmt.Errorf("folder %s: class folder %s is in only one of train and %s", r.dir, name, list.dir)
		}
		for _, f := range folders {
			label := slices.IndexFunc(first, func(c classFolder) bool { return c.name == f.name })
			if label < 0 {
				return nil, fmt.Errorf("folder %s: class folder %s is not in train", dir, f.name)
			}
			for _, image := range f.images {
				if err := b.add(list.part, path.Join(list.dir, f.name, image), label, f.name); err != nil {
					return nil, fmt.Errorf("folder %s: %w", dir, err)
				}
			}
			if len(f.images) == 0 {
				return nil, fmt.Errorf("class folder %s has no image", filepath.Join(dir, f.name))
			}
		}
	}
	d, err := b.finish("train", "test")
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", r.dir, err)
	}
	composeClasses(d)
	return d, nil
}

// composeClasses writes accents in one character, as texts do and some disks do not.
func composeClasses(d *Dataset) {
	for i, class := range d.Classes {
		d.Classes[i] = norm.NFC.String(class)
	}
}
