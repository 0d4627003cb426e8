package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"spotlighter/internal/datasets"
)

func dataSampleCommand(f *dataFlags) *cobra.Command {
	var shots, seed int
	var subset string
	c := &cobra.Command{
		Use:   "sample NAME",
		Short: "Print the few-shot images that CoOp and PromptKD pick for a seed",
		Long: `Print the few-shot images that CoOp and PromptKD pick for a seed, in their order:
training images, then at most four validation images a class. A line is the part,
the label, the class and the path, as the split file has it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkNames(args); err != nil {
				return err
			}
			d, err := datasets.Open(args[0], f.root, f.seed)
			if err != nil {
				return err
			}
			few, err := d.FewShot(shots, seed)
			if err != nil {
				return err
			}
			say(few)
			if few, err = few.Subset(subset); err != nil {
				return usageError{fmt.Errorf("--subset: %w", err)}
			}
			s, err := newSample(few, shots, seed, subset)
			if err != nil {
				return err
			}
			if f.json {
				text, err := json.Marshal(s)
				if err == nil {
					_, err = fmt.Printf("%s\n", text)
				}
				return err
			}
			return s.print(os.Stdout)
		},
	}
	c.Flags().IntVar(&shots, "shots", 16, "training images a class")
	c.Flags().IntVar(&seed, "seed", 1, "seed of Python's generator")
	c.Flags().StringVar(&subset, "subset", datasets.All, "classes: all, base (the first half) or new (the rest)")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON, with entries as in a split file")
	return c
}

// sample is a few-shot data set with entries as in a split file.
type sample struct {
	Dataset string        `json:"dataset"`
	Shots   int           `json:"shots"`
	Seed    int           `json:"seed"`
	Subset  string        `json:"subset"`
	Train   []sampleEntry `json:"train"`
	Val     []sampleEntry `json:"val"`
}

type sampleEntry struct {
	path  string // below the data set's images, with slashes
	label int
	class string
}

// MarshalJSON writes [path, label, class name].
func (e sampleEntry) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{e.path, e.label, e.class})
}

func newSample(d *datasets.Dataset, shots, seed int, subset string) (sample, error) {
	s := sample{Dataset: d.Name, Shots: shots, Seed: seed, Subset: subset, Train: []sampleEntry{}, Val: []sampleEntry{}}
	for _, part := range []struct {
		from []datasets.Item
		to   *[]sampleEntry
	}{{d.Train, &s.Train}, {d.Val, &s.Val}} {
		for _, item := range part.from {
			path, err := filepath.Rel(d.Images, item.Path)
			if err != nil {
				return s, err
			}
			*part.to = append(*part.to, sampleEntry{filepath.ToSlash(path), item.Label, d.Classes[item.Label]})
		}
	}
	return s, nil
}

func (s sample) print(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, e := range s.Train {
		fmt.Fprintf(b, "train\t%d\t%s\t%s\n", e.label, e.class, e.path)
	}
	for _, e := range s.Val {
		fmt.Fprintf(b, "val\t%d\t%s\t%s\n", e.label, e.class, e.path)
	}
	return b.Flush()
}
