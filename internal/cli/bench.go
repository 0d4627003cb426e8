package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"spotlighter/graph/cpu"
	"spotlighter/graph/inspect"
	"spotlighter/internal/bench"
	"spotlighter/textenc"
)

// benchFlags are the flags of the bench commands.
type benchFlags struct {
	json    bool
	threads int
	repeat  int
	seconds float64

	begin, model, method   string
	classes, batch, images int
	candidates             int
	trim, shared           bool
	device, math           string
	profile                string // a folder
}

func (f *benchFlags) effort() bench.Effort {
	return bench.Effort{Repeat: f.repeat, For: time.Duration(f.seconds * float64(time.Second))}
}

func (f *benchFlags) task() bench.Task {
	return bench.Task{Method: f.method, Classes: f.classes, Batch: f.batch, Text: textenc.Options{Trim: f.trim, SharedPrefix: f.shared}, Candidates: f.candidates}
}

func benchCommand() *cobra.Command {
	var f benchFlags
	var paths []string
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure this machine: hot operations, image encoders, training steps, evaluations",
		Long: `Measure this machine: its limit of arithmetic, the hot operations' share of it,
the image encoders of CLIP's sizes (random weights), the training step and the
evaluation of CoOp and of CoOp with Spotlighter (text side of ViT-B/16, random
features) as classes and batch grow, and the most memory each takes.

Each measurement has a process of its own, which is a command below.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return benchAll(cmd.Context(), f, paths)
		},
	}
	flags := c.PersistentFlags()
	flags.BoolVar(&f.json, "json", false, "print JSON, a line a measurement")
	flags.IntVar(&f.threads, "threads", 0, "threads; 0: all cores")
	flags.IntVar(&f.repeat, "repeat", 3, "least number of repetitions")
	flags.Float64Var(&f.seconds, "seconds", .5, "repeat for at least so long")
	c.Flags().StringSliceVar(&paths, "paths", cpu.Paths(), "kernels to measure, the first one in full")

	deviceFlag(flags, &f.device)
	mathFlag(flags, &f.math)

	leaf := func(use, short string, run func(ctx context.Context, on bench.On) (any, error)) *cobra.Command {
		l := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			if err := wantAtLeast("--threads", f.threads, 0); err != nil {
				return err
			}
			d, err := openDevice(f.device, f.math)
			if err != nil {
				return err
			}
			on := bench.On{Pool: cpu.NewPool(f.threads), Device: d}
			var p *inspect.Profile
			if f.profile != "" {
				p = newProfile(on.Pool)
				on.Watch = append(on.Watch, p)
			}
			r, err := run(cmd.Context(), on)
			if err == nil && p != nil {
				err = p.Take().Write(f.profile)
			}
			if err != nil {
				return err
			}
			return cmp.Or(printProfile(p), printBench(r, f.json))
		}}
		if use != "machine" {
			l.Flags().StringVar(&f.profile, "profile", "", "print where time and memory go, the first run counted too, and write it to a `FOLDER`, with a trace for ui.perfetto.dev")
		}
		c.AddCommand(l)
		return l
	}
	leaf("machine", "The machine and the limit of its arithmetic", func(_ context.Context, on bench.On) (any, error) {
		return bench.Describe(on.Pool), nil
	})
	ops := leaf("ops", "The hot operations", func(ctx context.Context, on bench.On) (any, error) {
		return bench.Ops(ctx, on, f.begin, f.effort())
	})
	ops.Flags().StringVar(&f.begin, "begin", "", "only those whose names begin so")
	image := leaf("image", "The image encoder", func(ctx context.Context, on bench.On) (any, error) {
		return bench.Image(ctx, on, f.model, f.batch, f.effort())
	})
	image.Flags().StringVar(&f.model, "model", "B/16", "B/32, B/16 or L/14")
	step := leaf("step", "A step of training", func(ctx context.Context, on bench.On) (any, error) {
		return bench.Step(ctx, on, f.task(), f.effort())
	})
	evaluate := leaf("evaluate", "An evaluation from pixels on", func(ctx context.Context, on bench.On) (any, error) {
		return bench.Evaluate(ctx, on, f.task(), f.images, f.effort())
	})
	evaluate.Flags().IntVar(&f.images, "images", 32, "images")
	pretrain := leaf("pretrain", "A step of training the small CLIP", func(ctx context.Context, on bench.On) (any, error) {
		return bench.Pretrain(ctx, on, f.batch, f.effort())
	})
	for l, batch := range map[*cobra.Command]int{image: 8, step: 32, evaluate: 8, pretrain: 128} {
		n := l.Flags().Int("batch", batch, "images at a time")
		l.PreRunE = func(*cobra.Command, []string) error {
			f.batch = *n
			return wantAtLeast("--batch", *n, 1)
		}
	}
	for _, l := range []*cobra.Command{step, evaluate} {
		l.Flags().StringVar(&f.method, "method", "coop", "coop or coop+spotlighter")
		l.Flags().IntVar(&f.classes, "classes", 50, "classes, of ImageNet's names")
		l.Flags().IntVar(&f.candidates, "candidates", 0, "classes that Spotlighter reads for; 0: the default")
		l.Flags().BoolVar(&f.trim, "trim", true, "leave out the positions after the last EOT")
		l.Flags().BoolVar(&f.shared, "shared-prefix", true, "compute what all prompts begin with once")
	}
	c.AddCommand(benchPruneCommand())
	return c
}

// printBench prints a measurement as a line of JSON, or as words.
func printBench(r any, asJSON bool) error {
	if asJSON {
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = fmt.Printf("%s\n", text)
		return err
	}
	_, err := os.Stdout.WriteString(bench.Words(r))
	return err
}
