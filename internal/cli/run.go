package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"spotlighter/experiments"
	"spotlighter/experiments/methods"
	"spotlighter/experiments/runfmt"
	"spotlighter/internal/progress"
	"spotlighter/results"
	"spotlighter/vit/preprocess"
)

// baseline is the method that the table compares with.
const baseline = "coop"

// runFlags are the flags of commands that run experiments.
type runFlags struct {
	json, quiet bool
	sheet       bool // draw the contact sheet
	force       bool
	threads     int
	device      string

	numerics bool     // stop at the first NaN or infinity
	dump     []string // nodes to write
	profile  bool
}

func (f *runFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.json, "json", false, "print the table as JSON")
	c.Flags().BoolVar(&f.quiet, "quiet", false, "no progress")
	c.Flags().BoolVar(&f.force, "force", false, "run what is done or begun anew")
	c.Flags().BoolVar(&f.sheet, "sheet", true, "draw the contact sheet of the kept tokens")
	c.Flags().IntVar(&f.threads, "threads", 0, "threads; 0: all cores")
	deviceFlag(c.Flags(), &f.device)
	c.Flags().BoolVar(&f.numerics, "check-numerics", false, "stop at the first NaN or infinity, and say in which op it arose (slower)")
	c.Flags().BoolVar(&f.profile, "profile", false, "print where time and memory go, and write it to the run's folder, with a trace for ui.perfetto.dev, as profile/")
	c.Flags().StringArrayVar(&f.dump, "dump", nil, "write a `NODE` of the graphs to the run's folder, as dump/PROGRAM/NODE.npy: a name or a pattern with *; repeatable (slower)")
}

func runCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run CONFIG.yaml [key=value...]",
		Short: "Run an experiment: every method, data set and seed of a configuration",
		Long: `Run every method, data set and seed of a configuration that has no result yet,
and print the table. A run that was interrupted goes on from its checkpoint.

  spotlighter run experiments/base-to-novel.yaml dataset=caltech101 data.root=DATA`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := experiments.Load(args[0], args[1:])
			if err != nil {
				return err
			}
			name := strings.TrimSuffix(filepath.Base(args[0]), filepath.Ext(args[0]))
			return runAll(cmd.Context(), cfg, f, name)
		},
	}
	f.add(c)
	return c
}

func quickstartCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "quickstart [key=value...]",
		Short: "The main job on the embedded CLIP and world: four methods, three tasks, three seeds",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := experiments.LoadEmbedded("quickstart.yaml", args)
			if err != nil {
				return err
			}
			return runAll(cmd.Context(), cfg, f, "quickstart")
		},
	}
	f.add(c)
	return c
}

// set gives a configuration what the flags say.
func (f *runFlags) set(cfg *experiments.Config) error {
	cfg.Threads, cfg.Device = cmp.Or(f.threads, cfg.Threads), cmp.Or(f.device, cfg.Device)
	return cmp.Or(wantAtLeast("--threads", f.threads, 0), checkDevice(f.device))
}

// runAll runs the cells of a configuration, prints their table and draws their
// contact sheet.
func runAll(ctx context.Context, cfg experiments.Config, f runFlags, name string) error {
	if err := f.set(&cfg); err != nil {
		return err
	}
	lab, err := experiments.NewLab(cfg)
	if err != nil {
		return err
	}
	looked, err := f.inspect(lab, cfg.Threads)
	if err != nil {
		return err
	}
	cells := cfg.Cells()
	left := slices.DeleteFunc(slices.Clone(cells), func(c experiments.Config) bool { return !f.force && isDone(c) })
	if err := checkCells(ctx, lab, left, func(i int) string { return left[i].Method[0] }); err != nil {
		return err
	}
	tasks := make([]progress.Task, len(cells))
	for i, c := range cells {
		tasks[i] = progress.Task{Name: fmt.Sprintf("%s %s seed %d", c.Method[0], experiments.DatasetName(c.Dataset[0]), c.Seed[0]), Work: work(c)}
	}
	p := progress.New(os.Stderr, tasks, f.quiet)
	defer p.Close()
	lab.Note, lab.Force = p.Note, f.force
	var all []runfmt.Result
	var dirs []string
	for i, c := range cells {
		p.Start(i)
		res, dir, done, err := lab.RunCell(ctx, c, func(s experiments.Step) { p.Step(progress.Step(s)) })
		if err != nil {
			return withDump(err, looked.Dump)
		}
		all, dirs = append(all, res), append(dirs, dir)
		outcome := scores(cfg.Protocol, res)
		if done {
			p.Skip(i, outcome)
		} else {
			p.Finish(i, outcome)
		}
	}
	p.Close()
	if err := reportDump(looked.Dump); err != nil {
		return err
	}
	if err := printProfile(looked.Profile); err != nil {
		return err
	}
	sheet := ""
	if f.sheet {
		if sheet, err = drawSheet(cfg.Out, name, cells, dirs); err != nil {
			return err
		}
	}
	if cfg.Protocol != experiments.BaseToNovel {
		return printSets(cfg, cells, all, f.json, sheet)
	}
	return printTable(all, f.json, cfg.Out, sheet)
}

// isDone says that a cell has its result. One that cannot be read is for the run to
// tell.
func isDone(cell experiments.Config) bool {
	look, err := experiments.LookAt(filepath.Join(cell.Out, experiments.RunName(cell)))
	return err == nil && look.State == experiments.Done
}

// scores is a result in a few words.
func scores(protocol string, res runfmt.Result) string {
	text := fmt.Sprintf("base %.1f  novel %.1f  HM %.1f", res.Base, res.Novel, res.HM)
	if protocol != experiments.BaseToNovel {
		text = fmt.Sprintf("accuracy %.1f", res.Base)
		if len(res.Sets) > 1 {
			text += fmt.Sprintf("  targets %.1f", res.Novel)
		}
	}
	if fault := res.Collapsed(); fault != "" {
		text += "  collapsed: " + fault
	}
	return text
}

// printSets prints the table of a protocol without halves.
func printSets(cfg experiments.Config, cells []experiments.Config, all []runfmt.Result, asJSON bool, sheet string) error {
	planned := make([]results.Planned, len(all))
	for i, r := range all {
		planned[i] = results.Planned{Group: r.Dataset, Method: r.Method, Seed: r.Seed, State: "done", Result: &all[i]}
	}
	against := cells[0].Method[0]
	if slices.Contains(cfg.Method, baseline) {
		against = baseline
	}
	table := results.Compare(cfg.Protocol, "spotlighter "+strings.Join(quoted(os.Args[1:]), " "), against, planned)
	if asJSON {
		text, err := table.JSON()
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(text)
		return err
	}
	return writeTable(table.Terminal(), cfg.Out, sheet)
}

// work guesses a cell's time, in images.
func work(c experiments.Config) float64 {
	w := 1.0
	if methods.Learns(c.Method[0]) {
		w += 4
	}
	if methods.KeepsTokens(c.Method[0], c.Spotlight) {
		w *= 2
	}
	return w
}

func printTable(all []runfmt.Result, asJSON bool, out, sheet string) error {
	table, err := results.New(all, baseline)
	if err != nil {
		return err
	}
	if asJSON {
		text, err := table.JSON()
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(text)
		return err
	}
	return writeTable(table.Terminal(), out, sheet)
}

// writeTable prints a table and where its runs are.
func writeTable(table, out, sheet string) error {
	text := fmt.Sprintf("%s\nruns: %s\n", table, out)
	if sheet != "" {
		text += fmt.Sprintf("kept tokens: %s\n", sheet)
	}
	_, err := os.Stdout.WriteString(text)
	return err
}

// drawSheet draws the examples of the last method that keeps tokens, on each
// data set, by the first seed; "" if there is none.
func drawSheet(out, name string, cells []experiments.Config, dirs []string) (string, error) {
	method := ""
	for _, c := range cells {
		if methods.KeepsTokens(c.Method[0], c.Spotlight) {
			method = c.Method[0]
		}
	}
	if method == "" {
		return "", nil
	}
	var tiles []results.Tile
	for i, c := range cells {
		if c.Method[0] != method || c.Seed[0] != cells[0].Seed[0] {
			continue
		}
		xs, err := runfmt.ReadExamples(dirs[i])
		if err != nil {
			return "", err
		}
		for _, x := range xs {
			img, err := png.Decode(bytes.NewReader(x.PNG))
			if err != nil {
				return "", fmt.Errorf("%s: an example's picture: %w", dirs[i], err)
			}
			rgb := preprocess.FromImage(img)
			tiles = append(tiles, results.Tile{RGB: rgb.Pix, W: rgb.W, H: rgb.H, Grid: x.Grid, Level1: x.Level1, Level2: x.Level2, Caption: x.Caption, Right: x.Right})
		}
	}
	path := filepath.Join(out, name+".png")
	return path, results.Sheet(path, tiles)
}
