package experiments

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"

	"spotlighter/internal/datasets"
	"spotlighter/internal/tiny"
	"spotlighter/vit/preprocess"
)

// Picture is one labelled image, decoded or rendered when it is asked for.
type Picture struct {
	Label int
	Name  string // its path, or how it is rendered
	// ID is of the content: equal for equal images alone.
	ID func() (string, error)
	// Load returns the image and, where it is known, the share of each patch
	// that the object covers.
	Load func() (*preprocess.RGB, []float32, error)
}

// Benchmark is a data set cut for a protocol: its first classes are learned, all
// are tested.
type Benchmark struct {
	Name    string
	Classes []string
	Base    int // number of learned classes: ceil(C/2) in base-to-novel, else all
	Test    []Picture
	// Train draws training images of the first classes: so many shots of each, or all
	// of the training split where shots is 0. notes are what a user should know of
	// them, a line each.
	Train func(shots, seed, classes int) (ps []Picture, notes []string, err error)
	// Notes are what a user should know of the data set, a line each.
	Notes []string
	// Hash tells apart data that the name alone does not.
	Hash string
	// Content is the SHA-256 of all that the data set lists.
	Content func() string
}

// worldTest is how many test images a class of the world has unless the
// configuration says otherwise.
const worldTest = 60

// worldTrain is how many images of a class the world's training split has, which
// the few-shot images are the first of.
const worldTrain = 32

// OpenBenchmark opens a cell's data set.
func OpenBenchmark(c Config) (*Benchmark, error) {
	b, err := openAny(c.Dataset[0], c.Data)
	if err == nil && c.Protocol != BaseToNovel {
		b.Base = len(b.Classes)
	}
	return b, err
}

func openAny(name string, d Data) (*Benchmark, error) {
	if datasets.Known(name) {
		return openFiles(name, d)
	}
	task, err := tiny.FindTask(name)
	if err != nil {
		return nil, err
	}
	return openWorld(task, d), nil
}

func openWorld(t tiny.Task, d Data) *Benchmark {
	names := t.ClassNames()
	if d.Classes > 0 {
		names = names[:min(d.Classes, len(names))]
	}
	content := fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%+v", t)))
	b := &Benchmark{Name: t.Name, Classes: names, Base: half(len(names)), Hash: content[:16]}
	b.Content = func() string { return content }
	per := d.TestPerClass
	if per == 0 {
		per = worldTest
	}
	picture := func(split string, seed uint64, class, i int) Picture {
		return Picture{
			Label: class, Name: fmt.Sprintf("%s %s class %d image %d", t.Name, split, class, i),
			ID: func() (string, error) { return fmt.Sprintf("%+v %s %d %d %d", t, split, seed, class, i), nil },
			Load: func() (*preprocess.RGB, []float32, error) {
				img := t.Render(split, seed, class, i)
				return &preprocess.RGB{W: tiny.Size, H: tiny.Size, Pix: img.RGB}, img.Mask, nil
			},
		}
	}
	for class := range names {
		for i := range per {
			b.Test = append(b.Test, picture("test", 0, class, i))
		}
	}
	b.Train = func(shots, seed, classes int) (ps []Picture, notes []string, err error) {
		if shots == 0 {
			shots = worldTrain
		}
		for class := range classes {
			for i := range shots {
				ps = append(ps, picture("train", uint64(seed), class, i))
			}
		}
		return ps, nil, nil
	}
	return b
}

// half is how many of n classes are base.
func half(n int) int { return (n + 1) / 2 }

// augment is view v of a training image: a random crop and flip by a generator
// of the seed, the image and the view alone.
func augment(img *preprocess.RGB, size int, scale [2]float64, seed, image, view int) *preprocess.RGB {
	r := rand.New(rand.NewPCG(uint64(seed)<<32|uint64(view), uint64(image)))
	img = preprocess.RandomResizedCrop(img, size, scale, preprocess.DefaultRatio, r)
	if r.Float64() < .5 {
		img = preprocess.FlipHorizontal(img)
	}
	return img
}
