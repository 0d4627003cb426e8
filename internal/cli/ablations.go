package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"spotlighter/experiments"
	"spotlighter/experiments/ablations"
	"spotlighter/experiments/sweep"
	"spotlighter/internal/atomicfile"
	"spotlighter/results"
)

// ablationFlags are the flags of the ablation tables.
type ablationFlags struct {
	datasets         []string
	seeds, output    string
	dryRun, failFast bool
	run              runFlags
}

func ablationsCommand() *cobra.Command {
	var f ablationFlags
	c := &cobra.Command{
		Use:   "ablations [NAME|FILE.yaml]... [key=value...]",
		Short: "What each stage of the method is worth: run the ablation tables, and write them",
		Long: `Run every row of the ablation tables that has no result yet, and write
ablations.md, ablations.csv and a plot of each table. Each row is compared with the
first of its table, by pairs of the same data set and seed. Without names: all of

  ` + wrapped(ablations.Names) + `

A file of your own names a configuration, and rows that override it, as those of
experiments/ablations do. The same command again runs what is missing or broken.

  spotlighter ablations
  spotlighter ablations keep window --datasets clutter --seeds 1 -o /tmp/ablations`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return ablate(cmd.Context(), f, args) },
	}
	fl := c.Flags()
	fl.StringSliceVar(&f.datasets, "datasets", nil, "data sets, in place of the files'")
	fl.StringVar(&f.seeds, "seeds", "", "seeds, such as 1-3, in place of the files'")
	fl.StringVarP(&f.output, "output", "o", "results", "folder of what is written")
	fl.BoolVar(&f.dryRun, "dry-run", false, "show the plan and the tables so far, and run and write nothing")
	fl.BoolVar(&f.failFast, "fail-fast", false, "end at the first run that breaks")
	fl.BoolVar(&f.run.quiet, "quiet", false, "no progress")
	fl.BoolVar(&f.run.force, "force", false, "run what is done or begun anew")
	fl.IntVar(&f.run.threads, "threads", 0, "threads; 0: all cores")
	deviceFlag(fl, &f.run.device)
	return c
}

// wrapped is names in lines of a help text.
func wrapped(names []string) string {
	var lines []string
	line := ""
	for _, n := range names {
		if len(line)+len(n) > 76 {
			lines, line = append(lines, line), ""
		}
		line += n + " "
	}
	return strings.Join(append(lines, line), "\n  ")
}

func ablate(ctx context.Context, f ablationFlags, args []string) error {
	plan, err := planAblations(f, args)
	if err != nil {
		return err
	}
	plan.look(f.run.force)
	if !f.run.quiet {
		fmt.Fprintln(os.Stderr, plan.summary())
	}
	var broken brokenCells
	if !f.dryRun {
		if err := plan.run(ctx, f.run, f.failFast); err != nil && !errors.As(err, &broken) {
			return err
		}
	}
	tables, err := plan.tables()
	if err != nil {
		return err
	}
	text := tables.Terminal()
	if !f.dryRun {
		if err := writeAblations(tables, f.output); err != nil {
			return err
		}
		text += "\nwritten: " + filepath.Join(f.output, "ablations.md") + "\n"
	}
	if _, err := os.Stdout.WriteString(text); err != nil {
		return err
	}
	if broken.error != nil {
		return broken
	}
	return nil
}

// ablationPlan is the runs of ablation tables, each once: rows of several tables
// may be the same.
type ablationPlan struct {
	cellPlan
	groups []ablations.Group
	at     map[string]int // of the cells, by the name of the run
}

func planAblations(f ablationFlags, args []string) (*ablationPlan, error) {
	var names, overrides []string
	for _, a := range args {
		if strings.Contains(a, "=") {
			overrides = append(overrides, a)
		} else {
			names = append(names, a)
		}
	}
	if len(names) == 0 {
		names = ablations.Names
	}
	grid, err := gridOverrides(f.datasets, f.seeds)
	if err != nil {
		return nil, err
	}
	overrides = append(overrides, grid...)
	p := &ablationPlan{cellPlan: cellPlan{name: "ablations", protocol: experiments.BaseToNovel}, at: map[string]int{}}
	type labelled struct {
		experiments.Config
		name string
	}
	var cells []labelled
	for i, name := range names {
		g, err := ablations.Load(name, overrides)
		if err != nil {
			return nil, err
		}
		for _, r := range g.Rows {
			if i == 0 && p.cfg.Protocol == "" {
				p.cfg = r.Config
			}
			if r.Config.Protocol != p.protocol {
				return nil, fmt.Errorf("%s: row %q: protocol: found %s, want %s", g.Name, r.Name, r.Config.Protocol, p.protocol)
			}
			if r.Config.Clip != p.cfg.Clip {
				return nil, fmt.Errorf("%s: row %q: clip: found %+v, want that of the other rows, %+v", g.Name, r.Name, r.Config.Clip, p.cfg.Clip)
			}
			for _, d := range r.Config.Dataset {
				if !slices.Contains(p.cfg.Dataset, d) {
					p.cfg.Dataset = append(slices.Clone(p.cfg.Dataset), d)
				}
			}
			if err := f.run.set(&r.Config); err != nil {
				return nil, err
			}
			for _, cell := range r.Config.Cells() {
				cells = append(cells, labelled{cell, fmt.Sprintf("%s: %s", g.Name, r.Name)})
			}
		}
		p.groups = append(p.groups, g)
	}
	if err := f.run.set(&p.cfg); err != nil {
		return nil, err
	}
	// Neighbours share what the frozen encoder says of their images.
	slices.SortStableFunc(cells, func(a, b labelled) int {
		return cmp.Or(cmp.Compare(slices.Index(p.cfg.Dataset, a.Dataset[0]), slices.Index(p.cfg.Dataset, b.Dataset[0])),
			cmp.Compare(a.Spotlight.FeatureKey(), b.Spotlight.FeatureKey()), cmp.Compare(a.Seed[0], b.Seed[0]))
	})
	for _, c := range cells {
		run := experiments.RunName(c.Config)
		if _, ok := p.at[run]; !ok {
			p.at[run] = len(p.cells)
			p.add(c.Config, results.Planned{Group: experiments.DatasetName(c.Dataset[0]), Method: c.name, Seed: c.Seed[0]})
		}
	}
	return p, nil
}

// gridOverrides are data sets and seeds of flags as overrides.
func gridOverrides(datasets []string, seeds string) ([]string, error) {
	var overrides []string
	if datasets != nil {
		text, err := json.Marshal(datasets) // which is YAML too
		if err != nil {
			return nil, err
		}
		overrides = append(overrides, "dataset="+string(text))
	}
	if seeds != "" {
		list, err := sweep.ParseSeeds(seeds)
		if err != nil {
			return nil, usageError{fmt.Errorf("--seeds: %w", err)}
		}
		text, err := json.Marshal(list)
		if err != nil {
			return nil, err
		}
		overrides = append(overrides, "seed="+string(text))
	}
	return overrides, nil
}

// tables are the groups with the results so far.
func (p *ablationPlan) tables() (results.Ablations, error) {
	var list []results.Ablation
	for _, g := range p.groups {
		t := results.Ablation{Name: g.Name, Title: g.Title, About: g.About, Key: g.Key}
		for _, r := range g.Rows {
			row := results.AblationRow{Name: r.Name, Settings: r.Set}
			for _, cell := range r.Config.Cells() {
				row.Planned++
				if c := p.planned[p.at[experiments.RunName(cell)]]; c.Result != nil {
					row.Runs = append(row.Runs, *c.Result)
				}
			}
			t.Rows = append(t.Rows, row)
		}
		list = append(list, t)
	}
	return results.NewAblations("spotlighter "+strings.Join(quoted(os.Args[1:]), " "), list)
}

// plotFolder is where the plots lie, beside the page.
const plotFolder = "ablations"

func writeAblations(a results.Ablations, folder string) error {
	plots := filepath.Join(folder, plotFolder)
	if err := os.MkdirAll(plots, 0o755); err != nil {
		return fmt.Errorf("ablations: %w", err)
	}
	drawn, err := a.Plots(plots)
	if err != nil {
		return err
	}
	text, err := a.CSV()
	if err != nil {
		return err
	}
	if err := atomicfile.WriteBytes(filepath.Join(folder, "ablations.csv"), text); err != nil {
		return err
	}
	return atomicfile.WriteBytes(filepath.Join(folder, "ablations.md"), []byte(a.Markdown(plotFolder, drawn)))
}
