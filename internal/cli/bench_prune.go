package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"spotlighter/experiments"
	"spotlighter/experiments/methods"
	"spotlighter/experiments/pruning"
	"spotlighter/graph/cpu"
	"spotlighter/internal/clip"
	"spotlighter/internal/progress"
	"spotlighter/spotlight"
	"spotlighter/vit"
)

// pruneFlags are the flags of bench prune.
type pruneFlags struct {
	out            string
	blocks         []int
	keeps          []float64
	shapes         []string
	shapeBlock     int
	shapeKeep      float64
	rounds         int
	shapeRounds    int
	threads, batch int
	accuracy       bool
	quiet          bool
}

func benchPruneCommand() *cobra.Command {
	var f pruneFlags
	c := &cobra.Command{
		Use:   "prune [key=value...]",
		Short: "Pruning inside the image encoder: accuracy against images a second and FLOPs",
		Long: `Measure what pruning inside the image encoder is worth, for every block l and
share r: on the embedded CLIP the accuracy, the FLOPs and the images a second, on
the shapes of published encoders the FLOPs and the images a second. The folder
gets prune.md, prune.csv and prune.png. Keys are those of an experiment:

  spotlighter bench prune --out pruning method=[clip,coop+spotlighter] seed=[1,2,3]
  spotlighter bench prune --out pruning --shapes ViT-B/16 --accuracy=false`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := experiments.LoadEmbedded("prune.yaml", args)
			if err != nil {
				return err
			}
			if err := f.check(); err != nil {
				return err
			}
			return benchPrune(cmd.Context(), cfg, f)
		},
	}
	c.Flags().StringVar(&f.out, "out", "", "folder to write")
	c.Flags().IntSliceVar(&f.blocks, "blocks", []int{1, 2, 3}, "l on the embedded CLIP: patches are dropped after this block")
	c.Flags().Float64SliceVar(&f.keeps, "keeps", []float64{.625, .5, .4375, .375, .25}, "r: the shares of the patches that stay")
	c.Flags().StringSliceVar(&f.shapes, "shapes", []string{"ViT-B/16", "ViT-L/14"}, "published shapes to time with random weights; none: \"\"")
	c.Flags().IntVar(&f.shapeBlock, "shape-block", 0, "l on the shapes; 0: a third of the depth")
	c.Flags().Float64Var(&f.shapeKeep, "shape-keep", .4, "r on the shapes")
	c.Flags().IntVar(&f.rounds, "rounds", 15, "timed rounds of each setting on the embedded CLIP")
	c.Flags().IntVar(&f.shapeRounds, "shape-rounds", 5, "timed rounds of each setting on the shapes")
	c.Flags().IntVar(&f.batch, "batch", 32, "images of a round; evaluation encodes 32 at a time")
	c.Flags().BoolVar(&f.accuracy, "accuracy", true, "measure the embedded CLIP")
	c.Flags().IntVar(&f.threads, "threads", 0, "threads; 0: all cores")
	c.Flags().BoolVar(&f.quiet, "quiet", false, "no progress")
	return c
}

func (f pruneFlags) check() error {
	if f.out == "" {
		return usageError{errors.New("--out is needed")}
	}
	for _, x := range []struct {
		flag         string
		value, least int
	}{{"--rounds", f.rounds, 1}, {"--shape-rounds", f.shapeRounds, 1}, {"--batch", f.batch, 1}, {"--threads", f.threads, 0}, {"--shape-block", f.shapeBlock, 0}} {
		if err := wantAtLeast(x.flag, x.value, x.least); err != nil {
			return err
		}
	}
	for _, l := range f.blocks {
		if err := wantAtLeast("--blocks", l, 1); err != nil {
			return err
		}
	}
	for _, name := range f.shapes {
		if _, err := clip.ShapeOf(name); err != nil {
			return usageError{fmt.Errorf("--shapes: %w", err)}
		}
	}
	return nil
}

// The classes that the end-to-end speed is measured with: those of a task of the
// world, and as many as Caltech101 has.
const (
	embeddedClasses = 32
	shapeClasses    = 100
)

func benchPrune(ctx context.Context, cfg experiments.Config, f pruneFlags) error {
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return err
	}
	cfg.Threads = f.threads
	r := pruning.Report{
		Command: "spotlighter " + strings.Join(quoted(os.Args[1:]), " "), ShapeRounds: f.shapeRounds, Batch: f.batch,
		Machine: fmt.Sprintf("%s, %d threads", experiments.CPU(), cmp.Or(f.threads, runtime.GOMAXPROCS(0))), Rounds: f.rounds, By: cfg.Prune.By, TimedBy: timedBy(cfg.Prune.By),
		Model: cfg.Clip.Weights, Shapes: map[string][]pruning.Speed{}, EndToEnd: map[string][]pruning.Speed{},
	}
	if cfg.Clip.Weights == "tiny" {
		r.Model = "embedded CLIP"
	}
	var names []string
	if f.accuracy {
		names = append(names, r.Model)
	}
	var tasks []progress.Task
	for _, name := range append(names, f.shapes...) {
		tasks = append(tasks, progress.Task{Name: name, Work: 1})
	}
	p := progress.New(os.Stderr, tasks, f.quiet)
	defer p.Close()
	at := 0
	begin := func() func(phase string, from, to float64) func(share float64) {
		p.Start(at)
		return func(phase string, from, to float64) func(float64) {
			return func(share float64) { p.Step(progress.Step{Phase: phase, Done: from + share*(to-from)}) }
		}
	}
	rounds := pruning.Rounds{Count: f.rounds, Batch: f.batch, Pool: cpu.NewPool(f.threads)}
	if f.accuracy {
		if err := pruneEmbedded(ctx, cfg, f, rounds, &r, begin()); err != nil {
			return err
		}
		p.Finish(at, fmt.Sprintf("%d settings", len(r.Points)))
		at++
	}
	rounds.Count = f.shapeRounds
	for _, name := range f.shapes {
		m, err := pruning.Random(name)
		if err != nil {
			return err
		}
		cut := vit.Prune{Block: f.shapeBlock, Keep: f.shapeKeep, By: timedBy(cfg.Prune.By)}
		if cut.Block == 0 {
			cut.Block = m.Vision.Layers / 3
		}
		say := begin()
		if r.Shapes[name], err = m.Compare(ctx, rounds, pruning.Task{}, []pruning.Task{{Prune: cut}}, say("encode", 0, .4)); err != nil {
			return err
		}
		if r.EndToEnd[name], err = endToEnd(ctx, m, cfg, rounds, shapeClasses, cut, say("classify", .4, 1)); err != nil {
			return err
		}
		r.Order = append(r.Order, name)
		p.Finish(at, fmt.Sprintf("%.2f times the images a second at l = %d, r = %g", r.Shapes[name][1].Gain, cut.Block, cut.Keep))
		at++
	}
	p.Close()
	paths, err := r.Write(f.out)
	if err != nil {
		return err
	}
	fmt.Print(r.Markdown(), "\n")
	for _, path := range paths {
		fmt.Println(path)
	}
	return nil
}

// timedBy is what patches are ranked by where speed is measured, without classes:
// activations, which need some, are timed as attention.
func timedBy(by string) string {
	if spotlight.PrunedAlone(by) {
		return by
	}
	return vit.Attention
}

// pruneEmbedded measures every setting on the experiment's own model: first the
// accuracies, which are kept in run folders, then the speeds.
func pruneEmbedded(ctx context.Context, cfg experiments.Config, f pruneFlags, rounds pruning.Rounds, r *pruning.Report, say func(string, float64, float64) func(float64)) error {
	lab, err := experiments.NewLab(cfg)
	if err != nil {
		return err
	}
	settings := []experiments.Prune{{Keep: 1, By: cfg.Prune.By}}
	for _, l := range f.blocks {
		for _, keep := range f.keeps {
			settings = append(settings, experiments.Prune{Block: l, Keep: keep, By: cfg.Prune.By})
		}
	}
	for _, s := range settings { // before the hours that the others take
		if _, _, err := lab.Model().Pruned(vit.Prune{Block: s.Block, Keep: s.Keep}).Scope(); err != nil {
			return fmt.Errorf("--blocks %d: %w", s.Block, err)
		}
	}
	var tasks []pruning.Task
	for i, s := range settings {
		c := cfg
		c.Prune = s
		if err := c.Validate(); err != nil {
			return err
		}
		share := func(n int) float64 { return .6 * float64(n) / float64(len(settings)) }
		a, err := pruning.Accuracies(ctx, c, say("accuracy", share(i), share(i+1)))
		if err != nil {
			return err
		}
		r.Points = append(r.Points, pruning.Point{Accuracy: a})
		tasks = append(tasks, pruning.Task{Prune: vit.Prune{Block: s.Block, Keep: s.Keep, By: timedBy(s.By)}})
	}
	m := pruning.Of(r.Model, lab.Model())
	speeds, err := m.Compare(ctx, rounds, pruning.Task{}, tasks[1:], say("speed", .6, .9))
	if err != nil {
		return err
	}
	for i, s := range speeds {
		r.Points[i].Speed = s
	}
	of := max(0, slices.IndexFunc(cfg.Method, methods.Plugged)) // the method that is timed below
	cut, ok := r.Free(of)
	if !ok {
		cut = tasks[len(tasks)-1].Prune
	}
	r.EndToEnd[r.Model], err = endToEnd(ctx, m, cfg, rounds, embeddedClasses, cut, say("classify", .9, 1))
	return err
}

// endToEnd times zero-shot CLIP and Spotlighter, without and with pruning.
func endToEnd(ctx context.Context, m pruning.Model, cfg experiments.Config, rounds pruning.Rounds, classes int, cut vit.Prune, say func(float64)) ([]pruning.Speed, error) {
	with := pruning.Task{Classes: classes, Spotlighter: true, Config: cfg.Spotlight}
	pruned := with
	pruned.Prune = cut
	return m.Compare(ctx, rounds, pruning.Task{Classes: classes}, []pruning.Task{with, pruned}, say)
}
