package datasets

import (
	"fmt"

	"spotlighter/internal/pyrandom"
)

// valShots is the largest number of validation images a class, as in CoOp.
const valShots = 4

// FewShot returns the data set with shots training and at most four validation
// images a class, the very images and the order that CoOp and Dassl pick for
// that seed: one generator samples each class of the training part, in order
// of first appearance, then each class of the validation part. A class with
// fewer images is taken whole. The test part stays.
func (d *Dataset) FewShot(shots, seed int) (*Dataset, error) {
	if shots < 1 || seed < 0 {
		return nil, fmt.Errorf("data set %s: %d shots with seed %d, wanted at least 1 and 0", d.Name, shots, seed)
	}
	few := *d
	r := pyrandom.New(uint64(seed))
	few.Train = sampleClasses(r, d.Train, shots)
	few.Val = sampleClasses(r, d.Val, min(shots, valShots))
	return &few, nil
}

func sampleClasses(r *pyrandom.Random, items []Item, shots int) []Item {
	byLabel := make(map[int][]Item)
	var order []int
	for _, item := range items {
		if byLabel[item.Label] == nil {
			order = append(order, item.Label)
		}
		byLabel[item.Label] = append(byLabel[item.Label], item)
	}
	var out []Item
	for _, label := range order {
		picked, err := pyrandom.Sample(r, byLabel[label], shots)
		if err != nil { // too few: all, and the generator is not touched
			picked = byLabel[label]
		}
		out = append(out, picked...)
	}
	return out
}

// BaseNovel splits the classes of all three parts: base is the first half, the
// middle one included if their number is odd, novel is the rest, relabelled
// from 0. Items keep their order.
func (d *Dataset) BaseNovel() (base, novel *Dataset) {
	half := (len(d.Classes) + 1) / 2
	return d.classes(0, half), d.classes(half, len(d.Classes))
}

// classes returns the part with labels from lo to hi-1.
func (d *Dataset) classes(lo, hi int) *Dataset {
	keep := func(items []Item) []Item {
		var out []Item
		for _, item := range items {
			if item.Label >= lo && item.Label < hi {
				out = append(out, Item{Path: item.Path, Label: item.Label - lo})
			}
		}
		return out
	}
	return &Dataset{
		Name: d.Name, Classes: d.Classes[lo:hi:hi],
		Train: keep(d.Train), Val: keep(d.Val), Test: keep(d.Test),
	}
}
