package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"spotlighter/internal/pyrandom"
)

// valShots is the largest number of validation images a class, as in CoOp.
const valShots = 4

// FewShot returns the data set with shots training and at most four validation
// images a class, the very images and the order that CoOp and Dassl pick for
// that seed: one generator samples each class of the training part, in order
// of first appearance, then each class of the validation part. A class with
// fewer images is taken whole, none of them twice; a note says so. The test part
// stays. If an earlier run of the published code left its images in
// split_fewshot/shot_N-seed_S.pkl, they are taken from there, as it does itself.
func (d *Dataset) FewShot(shots, seed int) (*Dataset, error) {
	switch {
	case shots < 1 || seed < 0:
		return nil, fmt.Errorf("data set %s: %d shots with seed %d, wanted at least 1 and 0", d.Name, shots, seed)
	case len(d.Train) == 0:
		return nil, fmt.Errorf("data set %s is for testing only: it has no training images", d.Name)
	}
	few := *d
	file := filepath.Join(d.Folder, "split_fewshot", fmt.Sprintf("shot_%d-seed_%d.pkl", shots, seed))
	err := few.takeFrom(file)
	if err == nil {
		few.Notes = append(few.Notes[:len(few.Notes):len(few.Notes)], "few-shot images from "+file)
		return &few, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("data set %s: %w", d.Name, err)
	}
	r := pyrandom.New(uint64(seed))
	var short []int
	few.Train, short = sampleClasses(r, d.Train, shots)
	few.Val, _ = sampleClasses(r, d.Val, min(shots, valShots))
	if len(short) > 0 {
		few.Notes = append(few.Notes[:len(few.Notes):len(few.Notes)], fmt.Sprintf(
			"%d of %d classes have fewer than %d training images and are taken whole, such as %q",
			len(short), len(d.Classes), shots, d.Classes[short[0]]))
	}
	return &few, nil
}

// sampleClasses samples each class; short are the labels of those that have too
// few images, for which the generator is not touched.
func sampleClasses(r *pyrandom.Random, items []Item, shots int) (out []Item, short []int) {
	byLabel, order := group(items)
	for _, label := range order {
		picked, err := pyrandom.Sample(r, byLabel[label], shots)
		if err != nil {
			picked, short = byLabel[label], append(short, label)
		}
		out = append(out, picked...)
	}
	return out, short
}
