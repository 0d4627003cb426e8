package datasets

import (
	"context"
	"crypto/sha256"
	"os"
	"sync/atomic"

	"spotlighter/vit/preprocess"
)

// Report is what is wrong with a data set's images.
type Report struct {
	Images int // looked at
	// Bad are the images that are missing, empty or cannot be decoded, one error
	// each, which names the file.
	Bad []error
	// Duplicates are images with the very same content in different parts, in
	// the order of the parts.
	Duplicates []Duplicate
}

// Duplicate is one image under two paths of different parts, or one path in two.
type Duplicate struct{ Part, Path, OtherPart, OtherPath string }

// Check decodes every image. At most workers images are in memory at a time;
// done is told how many have been looked at, from several goroutines. The error
// is the context's.
func (d *Dataset) Check(ctx context.Context, workers int, done func(images int)) (Report, error) {
	type place struct {
		part string
		Item
	}
	var all []place
	for _, part := range d.parts() {
		for _, item := range *part.items {
			all = append(all, place{part.name, item})
		}
	}
	sums, errs := make([][sha256.Size]byte, len(all)), make([]error, len(all))
	var count atomic.Int64
	inParallel(len(all), workers, func(i int) {
		if ctx.Err() != nil {
			return
		}
		sums[i], errs[i] = examine(all[i].Path)
		done(int(count.Add(1)))
	})
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	r := Report{Images: len(all)}
	first := make(map[[sha256.Size]byte]int, len(all))
	for i, p := range all {
		if errs[i] != nil {
			r.Bad = append(r.Bad, errs[i])
			continue
		}
		at, seen := first[sums[i]]
		if !seen {
			first[sums[i]] = i
		} else if all[at].part != p.part {
			r.Duplicates = append(r.Duplicates, Duplicate{all[at].part, all[at].Path, p.part, p.Path})
		}
	}
	return r, nil
}

// examine decodes an image and sums up its file.
func examine(path string) (sum [sha256.Size]byte, err error) {
	if err := findImage(path); err != nil {
		return sum, err
	}
	if _, err := preprocess.Decode(path); err != nil {
		return sum, err
	}
	content, err := os.ReadFile(path)
	return sha256.Sum256(content), err
}
