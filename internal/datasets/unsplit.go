package datasets

import (
	"fmt"
	"math"
	"path"
	"path/filepath"
	"slices"

	"spotlighter/internal/pyrandom"
)

// Shares of CoOp's split of class folders; the test part is the rest.
const (
	trainShare = .5
	valShare   = .2
)

// round is Python's round: halves go to the even neighbour.
func round(x float64) int { return int(math.RoundToEven(x)) }

// fromFolders reads class folders and splits them as CoOp does: with a generator
// of the seed each class is shuffled, 50% are for training and 20% for
// validation. Folders come by name, and so do their images; the published code
// takes images as the disk happens to list them.
func fromFolders(renamed map[string]string, ignored ...string) func(request) (*Dataset, error) {
	return func(r request) (*Dataset, error) {
		folders, err := listClasses(r.images())
		if err != nil {
			return nil, err
		}
		folders = slices.DeleteFunc(folders, func(f classFolder) bool { return slices.Contains(ignored, f.name) })
		if err := checkNames(r.images(), folders); err != nil {
			return nil, err
		}
		b, random := newBuilder(r.images()), pyrandom.New(uint64(r.seed))
		for label, f := range folders {
			names := slices.Clone(f.images)
			n := len(names)
			train, val := round(float64(n)*trainShare), round(float64(n)*valShare)
			if train < 1 || val < 1 || train+val >= n {
				return nil, fmt.Errorf("class folder %s has %d images, too few to be split for training, validation and test: wanted at least 4",
					filepath.Join(r.images(), f.name), n)
			}
			pyrandom.Shuffle(random, names)
			class := f.name
			if name, ok := renamed[class]; ok {
				class = name
			}
			for i, name := range names {
				part := &b.Test
				if i < train {
					part = &b.Train
				} else if i < train+val {
					part = &b.Val
				}
				if err := b.add(part, path.Join(f.name, name), label, class); err != nil {
					return nil, fmt.Errorf("folder %s: %w", r.images(), err)
				}
			}
		}
		return b.finish("train", "val", "test")
	}
}

// splitTrainVal moves 20% of each class from the training images to the
// validation images, as CoOp does where a data set has no validation part: each
// class is shuffled, in order of first appearance, and its first images go.
func splitTrainVal(d *Dataset, seed int) error {
	all := d.Train
	byLabel, order := group(all)
	random := pyrandom.New(uint64(seed))
	d.Train, d.Val = nil, nil
	for _, label := range order {
		items := byLabel[label]
		val := round(float64(len(items)) * valShare)
		if val < 1 {
			return fmt.Errorf("class %d, %q, has %d training images, too few to take validation images from: wanted at least 3",
				label, d.Classes[label], len(items))
		}
		pyrandom.Shuffle(random, items)
		d.Val = append(d.Val, items[:val]...)
		d.Train = append(d.Train, items[val:]...)
	}
	return nil
}

// group sorts items by label; order is that of first appearance.
func group(items []Item) (byLabel map[int][]Item, order []int) {
	byLabel = make(map[int][]Item)
	for _, item := range items {
		if byLabel[item.Label] == nil {
			order = append(order, item.Label)
		}
		byLabel[item.Label] = append(byLabel[item.Label], item)
	}
	return byLabel, order
}
