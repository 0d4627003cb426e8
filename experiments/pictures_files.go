package experiments

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"spotlighter/internal/datasets"
	"spotlighter/vit/preprocess"
)

// openFiles opens a data set of image files.
func openFiles(name string, d Data) (*Benchmark, error) {
	if d.Root == "" {
		return nil, fmt.Errorf("data.root: not set; %s is read from a folder of image files (data.root=FOLDER)", name)
	}
	if _, err := os.Stat(d.Root); err != nil {
		return nil, fmt.Errorf("data.root: %w", err)
	}
	open := datasets.Open
	if d.OnBadImage == skipBad { // an image that is not there is a bad one
		open = datasets.Load
	}
	set, err := open(name, d.Root, d.SplitSeed)
	if err != nil {
		return nil, err
	}
	classes := len(set.Classes)
	if d.Classes > 0 {
		classes = min(d.Classes, classes)
	}
	b := &Benchmark{Name: name, Classes: set.Classes[:classes], Base: half(classes), Notes: prefixed(name, set.Notes), Hash: hashFiles(set)}
	b.Content = func() string { return content(set) }
	b.Test = ofFiles(perClass(set.Test, classes, d.TestPerClass))
	b.Train = func(shots, seed, classes int) ([]Picture, []string, error) {
		if shots == 0 {
			return ofFiles(perClass(set.Train, classes, 0)), nil, nil
		}
		few, err := set.FewShot(shots, seed)
		if err != nil {
			return nil, nil, err
		}
		return ofFiles(perClass(few.Train, classes, 0)), prefixed(name, few.Notes[len(set.Notes):]), nil
	}
	return b, nil
}

func prefixed(name string, notes []string) []string {
	out := make([]string, len(notes))
	for i, n := range notes {
		out[i] = name + ": " + n
	}
	return out
}

// hashFiles tells apart a user's own folders, whose names say nothing: by their
// classes and test images. The published data sets are what their names say.
func hashFiles(set *datasets.Dataset) string {
	if guide, _ := datasets.Describe(set.Name); guide.Size.Classes > 0 {
		return ""
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", set.Classes)
	for _, it := range set.Test {
		fmt.Fprintf(h, "%q %d\n", filepath.Base(it.Path), it.Label)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// content is the SHA-256 of a data set's classes and of all its images' paths and
// labels, in their order: what it lists, not the pixels.
func content(set *datasets.Dataset) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", set.Classes)
	for _, part := range [][]datasets.Item{set.Train, set.Val, set.Test} {
		for _, it := range part {
			path, err := filepath.Rel(set.Images, it.Path)
			if err != nil {
				path = it.Path
			}
			fmt.Fprintf(h, "%q %d\n", filepath.ToSlash(path), it.Label)
		}
		fmt.Fprintln(h)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// perClass keeps the first classes, and of each at most n items if n > 0.
func perClass(items []datasets.Item, classes, n int) []datasets.Item {
	count := make([]int, classes)
	return slices.DeleteFunc(slices.Clone(items), func(it datasets.Item) bool {
		if it.Label >= classes || n > 0 && count[it.Label] >= n {
			return true
		}
		count[it.Label]++
		return false
	})
}

func ofFiles(items []datasets.Item) []Picture {
	ps := make([]Picture, len(items))
	for i, it := range items {
		ps[i] = Picture{Label: it.Label, Name: it.Path, ID: func() (string, error) { return hashFile(it.Path) }, Load: func() (*preprocess.RGB, []float32, error) {
			img, err := preprocess.Decode(it.Path)
			return img, nil, err
		}}
	}
	return ps
}

// hashFile is the SHA-256 of a file's content.
func hashFile(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("image %s: %w", path, err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(content)), nil
}

// What happens to images that cannot be read.
const (
	refuseBad = "error"
	skipBad   = "skip"
)

// readable returns the pictures that can be read, in their order, and what is
// wrong with the others. Under on_bad_image: error that is found out when a
// picture is encoded; to leave one out, each is decoded beforehand, so that what
// a run sees does not depend on when it reads.
func (l *Lab) readable(ctx context.Context, c Config, ps []Picture) (good []Picture, bad []string, err error) {
	if c.Data.OnBadImage != skipBad || !datasets.Known(c.Dataset[0]) {
		return ps, nil, nil
	}
	errs := make([]error, len(ps))
	l.pool.For(len(ps), 1, func(lo, hi int) {
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			_, _, errs[i] = ps[i].Load()
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	for i, err := range errs {
		if err == nil {
			good = append(good, ps[i])
		} else {
			bad = append(bad, err.Error())
		}
	}
	if len(good) == 0 {
		return nil, nil, fmt.Errorf("data.on_bad_image: none of %d images can be read, such as %s", len(ps), bad[0])
	}
	if len(bad) > 0 {
		l.log.Warnf("%d of %d images cannot be read and are left out, such as %s", len(bad), len(ps), bad[0])
	}
	return good, bad, nil
}
