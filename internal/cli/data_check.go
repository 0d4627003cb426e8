package cli

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"spotlighter/internal/datasets"
	"spotlighter/internal/progress"
)

// shown is how many bad images are printed before the rest is only counted.
const shown = 20

func dataCheckCommand(f *dataFlags) *cobra.Command {
	var threads int
	var quiet, all bool
	c := &cobra.Command{
		Use:   "check [NAME...]",
		Short: "Decode every image; find missing, empty and broken ones, and the same image in two parts",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := checkNames(names); err != nil {
				return err
			}
			if len(names) == 0 {
				for _, name := range datasets.Names() {
					if guide, _ := datasets.Describe(name); guide.Size.Classes > 0 && !f.absent(name) {
						names = append(names, name)
					}
				}
			}
			if len(names) == 0 {
				return fmt.Errorf("no data set in %s (--root); \"spotlighter data list\" names those looked for", f.root)
			}
			limit := shown
			if all {
				limit = -1
			}
			return f.check(cmd.Context(), names, max(threads, 0), quiet, limit)
		},
	}
	c.Flags().IntVar(&threads, "threads", 0, "threads; 0: all cores")
	c.Flags().BoolVar(&quiet, "quiet", false, "no progress")
	c.Flags().BoolVar(&all, "all", false, fmt.Sprintf("print every image with a fault, not only the first %d", shown))
	return c
}

// check looks at data sets one after the other; the error counts those with a
// fault, after they have been printed.
func (f *dataFlags) check(ctx context.Context, names []string, threads int, quiet bool, limit int) error {
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	tasks := make([]progress.Task, len(names))
	sets, errs := make([]*datasets.Dataset, len(names)), make([]error, len(names))
	for i, name := range names {
		sets[i], errs[i] = datasets.Load(name, f.root, f.seed)
		tasks[i] = progress.Task{Name: name}
		if errs[i] == nil {
			say(sets[i])
			size := sets[i].Size()
			tasks[i].Work = float64(size.Train + size.Val + size.Test)
		}
	}
	p := progress.New(os.Stderr, tasks, quiet)
	defer p.Close()
	faulty := 0
	for i, d := range sets {
		if errs[i] != nil {
			faulty++
			fmt.Println(oneLine(errs[i]))
			continue
		}
		p.Start(i)
		r, err := d.Check(ctx, threads, func(n int) {
			share := float64(n) / tasks[i].Work
			p.Step(progress.Step{Phase: fmt.Sprintf("%s %d of %.0f images", bar(share), n, tasks[i].Work), Done: share})
		})
		if err != nil {
			return err
		}
		p.Finish(i, fmt.Sprintf("%d images", r.Images))
		p.Close()
		printReport(d, r, limit)
		if len(r.Bad) > 0 {
			faulty++
		}
	}
	if faulty > 0 {
		return fmt.Errorf("%d of %d data sets have faults", faulty, len(names))
	}
	return nil
}

// bar draws a share in 20 columns.
func bar(share float64) string {
	const columns = 20
	done := min(int(share*columns), columns)
	return strings.Repeat("█", done) + strings.Repeat("░", columns-done)
}

func printReport(d *datasets.Dataset, r datasets.Report, limit int) {
	size := d.Size()
	fmt.Printf("%s: %d classes, %d + %d + %d images: %d bad, %d in two parts\n",
		d.Name, size.Classes, size.Train, size.Val, size.Test, len(r.Bad), len(r.Duplicates))
	for i, err := range r.Bad {
		if i == limit {
			fmt.Printf("  and %d more (--all prints them)\n", len(r.Bad)-i)
			break
		}
		fmt.Printf("  %s\n", oneLine(err))
	}
	for i, dup := range r.Duplicates {
		if i == limit {
			fmt.Printf("  and %d more in two parts (--all prints them)\n", len(r.Duplicates)-i)
			break
		}
		fmt.Printf("  the same image in %s and %s: %s, %s\n", dup.Part, dup.OtherPart, dup.Path, dup.OtherPath)
	}
}
