package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"spotlighter/experiments"
	"spotlighter/results"
	"spotlighter/vit/preprocess"
)

// lookFlags are the flags of the look command.
type lookFlags struct {
	run, out, classes, task string
	indices                 []int
	top, threads            int
	device                  string
}

func lookCommand() *cobra.Command {
	var f lookFlags
	c := &cobra.Command{
		Use:   "look --run RUN IMAGES...",
		Short: "See what a finished run looks at: activations, kept tokens, matched prototypes",
		Long: `Draw, for each image, the predicted classes, both activations as heat maps, the
kept tokens by level and the prototypes that they matched: a PNG an image, and
index.html with all. The world's own test images are looked at by their number:

  spotlighter look --run RUN photo.jpg --out look
  spotlighter look --run RUN --task clutter --index 0,500 --out look`,
		Args: cobra.ArbitraryArgs,
		RunE: func(command *cobra.Command, args []string) error {
			switch {
			case f.run == "":
				return usageError{errors.New("--run is needed: the folder of a finished run")}
			case (f.task == "") != (len(f.indices) == 0):
				return usageError{errors.New("--task and --index belong together")}
			case len(args) == 0 && f.task == "":
				return usageError{errors.New("nothing to look at: give images, or --task and --index")}
			}
			if err := cmp.Or(wantAtLeast("--top", f.top, 1), wantAtLeast("--threads", f.threads, 0), checkDevice(f.device)); err != nil {
				return err
			}
			return look(command.Context(), f, args)
		},
	}
	c.Flags().StringVar(&f.run, "run", "", "folder of a finished run")
	c.Flags().StringVar(&f.out, "out", "look", "folder to write")
	c.Flags().StringVar(&f.classes, "classes", "", "file with a class name a line, in place of the run's classes")
	c.Flags().StringVar(&f.task, "task", "", "a task of the world, or its file")
	c.Flags().IntSliceVar(&f.indices, "index", nil, "numbers of the task's test images, from 0")
	c.Flags().IntVar(&f.top, "top", 5, "how many classes are shown of each image")
	c.Flags().IntVar(&f.threads, "threads", 0, "threads; 0: all cores")
	deviceFlag(c.Flags(), &f.device)
	return c
}

// subject is an image to look at.
type subject struct {
	experiments.Picture
	class string // the true one, "" if it is not known
}

func look(ctx context.Context, f lookFlags, args []string) error {
	names, err := readClasses(f.classes)
	if err != nil {
		return err
	}
	var all []subject
	for path, err := range eachImage(args, os.Stdin) {
		if err != nil {
			return err
		}
		all = append(all, subject{Picture: experiments.Picture{Name: path, Load: func() (*preprocess.RGB, []float32, error) {
			img, err := preprocess.Decode(path)
			return img, nil, err
		}}})
	}
	if f.task != "" {
		of, classes, err := taskPictures(f.task, f.indices)
		if err != nil {
			return err
		}
		all = append(all, of...)
		if names == nil {
			names = classes
		}
	}
	t, err := experiments.OpenTrained(ctx, f.run, experiments.Use{Classes: names, Batch: min(len(all), encodeBatch), Threads: f.threads, Device: f.device, Views: true})
	if err != nil {
		return err
	}
	tell(t)
	if err := t.CanView(); err != nil {
		return fmt.Errorf("run %s: %w", f.run, err)
	}
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return err
	}
	var looks []results.Look
	for at := 0; at < len(all); at += encodeBatch {
		part := all[at:min(at+encodeBatch, len(all))]
		of, err := lookBatch(ctx, t, part, f.top)
		if err != nil {
			return err
		}
		looks = append(looks, of...)
	}
	for i, l := range looks {
		path := filepath.Join(f.out, fmt.Sprintf("%03d-%s.png", i+1, fileName(l.Caption)))
		if err := results.LookPNG(path, l); err != nil {
			return err
		}
		fmt.Printf("%s: %s %.0f%%\t%s\n", l.Caption, l.Guesses[0].Class, 100*l.Guesses[0].Probability, path)
	}
	page := filepath.Join(f.out, "index.html")
	if err := results.LookPage(page, "What "+filepath.Base(filepath.Clean(f.run))+" looks at", looks); err != nil {
		return err
	}
	fmt.Println(page)
	return nil
}

// taskPictures are test images of a task of the world, and its classes.
func taskPictures(task string, indices []int) ([]subject, []string, error) {
	c := experiments.Default()
	c.Dataset = experiments.List[string]{task}
	b, err := experiments.OpenBenchmark(c)
	if err != nil {
		return nil, nil, err
	}
	var all []subject
	for _, i := range indices {
		if i < 0 || i >= len(b.Test) {
			return nil, nil, usageError{fmt.Errorf("--index: %d, task %s has test images 0 to %d", i, task, len(b.Test)-1)}
		}
		all = append(all, subject{b.Test[i], b.Classes[b.Test[i].Label]})
	}
	return all, b.Classes, nil
}

func lookBatch(ctx context.Context, t *experiments.Trained, part []subject, top int) ([]results.Look, error) {
	squares, masks := make([]*preprocess.RGB, len(part)), make([][]float32, len(part))
	faults, err := t.Classify(ctx, len(part), func(i int) (*preprocess.RGB, error) {
		img, mask, err := part[i].Load()
		if err != nil {
			return nil, err
		}
		squares[i], masks[i] = t.Square(img), mask
		return img, nil
	})
	if err != nil {
		return nil, err
	}
	var looks []results.Look
	for i, p := range part {
		if faults[i] != nil {
			return nil, faults[i]
		}
		looks = append(looks, lookOf(t, i, top, p, squares[i], masks[i]))
	}
	return looks, nil
}

// leastShare is the least share of a match that is told beside the best.
const leastShare = .01

// lookOf is what the run made of image i of the batch.
func lookOf(t *experiments.Trained, i, top int, p subject, img *preprocess.RGB, mask []float32) results.Look {
	v := t.View(i)
	l := results.Look{Tile: results.Tile{RGB: img.Pix, W: img.W, H: img.H, Grid: v.Grid, Caption: p.Name}, Class: p.class}
	for _, g := range t.Top(i, top) {
		l.Guesses = append(l.Guesses, results.Guess{Class: g.Class, Probability: g.Probability})
	}
	l.Right = l.Guesses[0].Class == p.class
	for _, m := range []struct {
		title  string
		values []float32
	}{{"Sample-wise activation", v.Sample}, {"Semantic-wise activation", v.Semantic}, {"Score", v.Score}} {
		if m.values != nil {
			l.Maps = append(l.Maps, results.Map{Title: m.title, Values: m.values})
		}
	}
	on := 0
	for _, k := range v.Kept {
		if k.Level == 1 {
			l.Level1 = append(l.Level1, k.Patch)
		} else {
			l.Level2 = append(l.Level2, k.Patch)
		}
		if mask != nil && experiments.OnObject(mask[k.Patch]) {
			on++
		}
		token := results.Token{Level: k.Level, Score: k.Score, Weight: k.Weight}
		for i, m := range k.Matches {
			switch {
			case i > 0 && m.Share < leastShare:
			case i > 0 && m.Class == k.Matches[i-1].Class:
				token.Matches = append(token.Matches, fmt.Sprintf("#%d %.0f%%", m.Prototype, 100*m.Share))
			default:
				token.Matches = append(token.Matches, fmt.Sprintf("%s #%d %.0f%%", m.Class, m.Prototype, 100*m.Share))
			}
		}
		if len(k.Matches) > 0 {
			token.Nearest = fmt.Sprintf("%s #%d, %.2f", k.Nearest.Class, k.Nearest.Prototype, k.Nearest.Similarity)
		}
		l.Tokens = append(l.Tokens, token)
	}
	if mask != nil {
		object := 0
		for _, share := range mask {
			if experiments.OnObject(share) {
				object++
			}
		}
		l.Note = fmt.Sprintf("%d of %d kept patches lie on the object, which covers %d of %d patches.", on, len(v.Kept), object, len(mask))
	}
	return l
}

// fileName makes a name that every file system takes of an image's.
func fileName(name string) string {
	base := strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	runes := []rune(strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>| `, r) {
			return '-'
		}
		return r
	}, base))
	return string(runes[:min(len(runes), 60)])
}
