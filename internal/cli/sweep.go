package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"spotlighter/experiments"
	"spotlighter/experiments/sweep"
)

// sweepFlags are the flags of a sweep, but for those of its launcher.
type sweepFlags struct {
	sweep.Options
	zips         []string
	seeds        string
	halving      bool
	dryRun, skip bool
	force        bool
	json, quiet  bool
	formats      []string
	launch       launchFlags
}

func sweepCommand() *cobra.Command {
	var f sweepFlags
	c := &cobra.Command{
		Use:   "sweep CONFIG.yaml [key=a,b,c | key=range(low,high,step)]...",
		Short: "Run a configuration at many values of its keys, and rank them",
		Long: `Run a configuration at every combination of values, or at some of them, and write
a leaderboard, the effect of each key and plots into the sweep's folder.

  key=a,b,c              each of a list
  key=range(0,1,0.1)     from 0 to 1 in steps, both ends included
  key=range(0,1)         anywhere between (with --strategy random or latin)
  key=log(1e-4,1e-1)     anywhere between, every decade as likely (the same)
  key=value              for every run, as in spotlighter run

All combinations are checked before the first one runs. The same command again
runs what is missing or broken and nothing else: run folders are the only state,
and any number of launchers may work on one folder. On a shared file system they
need locks that reach across hosts: NFS 4, NFS 3 with its lock daemon, or Lustre
mounted with flock; not NFS with nolock.

Choose by data sets that the final table does not have, such as tuning-1.

  spotlighter sweep experiments/debug.yaml train.lr=.01,.02,.04 spotlight.keep=5,9 --seeds 1-3
  spotlighter sweep experiments/debug.yaml 'train.lr=log(1e-3,1e-1)' --strategy random --budget 20
  spotlighter sweep experiments/debug.yaml train.lr=.01,.02,.04 --halving --workers 2
  spotlighter sweep experiments/debug.yaml train.lr=.01,.02 --launcher slurm --time 1:00:00 --mem 8G`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Config = args[0]
			return runSweep(cmd.Context(), f, args[1:])
		},
	}
	fl := c.Flags()
	fl.StringArrayVar(&f.zips, "zip", nil, "keys whose lists move together, such as train.lr,train.batch; may be given several times")
	fl.StringVar(&f.Strategy, "strategy", sweep.Grid, "grid, random, or latin (hypercube)")
	fl.IntVar(&f.Budget, "budget", 0, "combinations at most; 0: no bound")
	fl.Uint64Var(&f.Draw, "draw", 1, "seed of the random strategies")
	fl.StringVar(&f.seeds, "seeds", "", "seeds of each combination, such as 1-3; default: the configuration's")
	fl.StringVar(&f.Metric, "metric", "hm", "what combinations are ranked by: hm, base or novel")
	fl.BoolVar(&f.halving, "halving", false, "stop early: all for a few epochs, the best of them for more, and so on")
	fl.IntVar(&f.Halving.Eta, "eta", 3, "with --halving: 1 of so many goes on, for so many times the epochs")
	fl.IntVar(&f.Halving.MinEpochs, "min-epochs", 1, "with --halving: epochs of the first round at least")
	fl.BoolVar(&f.dryRun, "dry-run", false, "show what would run, and run nothing")
	fl.BoolVar(&f.skip, "skip-impossible", false, "leave combinations out that cannot run, instead of refusing all")
	fl.BoolVar(&f.force, "force", false, "run what is done or begun anew")
	fl.BoolVar(&f.json, "json", false, "print the leaderboard as JSON")
	fl.BoolVar(&f.quiet, "quiet", false, "no progress")
	fl.StringSliceVar(&f.formats, "plots", []string{"png"}, "formats of the plots: png, svg, pdf")
	f.launch.add(c)
	c.AddCommand(sweepStatusCommand())
	return c
}

// runSweep plans, runs and ranks.
func runSweep(ctx context.Context, f sweepFlags, args []string) error {
	plan, err := planSweep(ctx, &f, args)
	if err != nil {
		return err
	}
	if len(plan.Impossible) > 0 && (!f.skip || len(plan.Trials) == 0) {
		for _, line := range plan.Impossible {
			fmt.Fprintln(os.Stderr, line)
		}
		return fmt.Errorf("%d of %d combinations cannot run, so none was started (--skip-impossible leaves them out)",
			len(plan.Impossible), len(plan.Impossible)+len(plan.Trials)+plan.Duplicates)
	}
	if f.dryRun {
		return showPlan(os.Stdout, plan, f.force)
	}
	if err := plan.Write(); err != nil {
		return err
	}
	launcher, err := f.launch.launcher(plan.Dir, f.quiet)
	if err != nil {
		return err
	}
	s := sweeper{plan: plan, launcher: launcher, quiet: f.quiet, force: f.force}
	stopped := s.run(ctx)
	if s.done == 0 && (stopped != nil || s.broken == 0) { // there is nothing to rank yet
		return cmp.Or(stopped, s.verdict())
	}
	board := plan.Board(plan.Look)
	if err := writeBoard(plan, board, f); err != nil {
		return err
	}
	if stopped != nil {
		return stopped
	}
	if err := printBoard(plan, board, f.json); err != nil {
		return err
	}
	return s.verdict()
}

// planSweep reads the command line into a plan.
func planSweep(ctx context.Context, f *sweepFlags, args []string) (*sweep.Plan, error) {
	if err := f.launch.validate(); err != nil {
		return nil, err
	}
	for _, format := range f.formats {
		if !slices.Contains(sweep.Formats, format) {
			return nil, usageError{fmt.Errorf("--plots: %q is none of %s", format, strings.Join(sweep.Formats, ", "))}
		}
	}
	if err := wantAtLeast("--budget", f.Budget, 0); err != nil {
		return nil, err
	}
	if f.seeds != "" {
		seeds, err := sweep.ParseSeeds(f.seeds)
		if err != nil {
			return nil, usageError{fmt.Errorf("--seeds: %w", err)}
		}
		f.Seeds = seeds
	}
	if !f.halving {
		f.Halving = sweep.Halving{}
	} else if f.Halving.Eta < 2 {
		return nil, wantAtLeast("--eta", f.Halving.Eta, 2)
	}
	space, err := sweep.Parse(args, f.zips)
	if err != nil {
		return nil, usageError{err}
	}
	return sweep.New(space, f.Options, checker(ctx))
}

// checker builds each cell's programs once, with a lab for each model and data
// set.
func checker(ctx context.Context) sweep.Checker {
	var lab *experiments.Lab
	var labKey string
	checked := map[string]error{}
	return func(c experiments.Config) error {
		c.Train = experiments.Train{Batch: c.Train.Batch, Context: c.Train.Context, Fixed: c.Train.Fixed} // the rest is numbers in the same programs
		c.Seed = nil
		key := fmt.Sprintf("%+v %v %+v %q", c.Clip, c.Dataset, c.Data, c.Train.Context)
		whole := c.Hash()
		c.Seed = experiments.List[int]{1}
		if err, ok := checked[whole]; ok {
			return err
		}
		var err error
		if key != labKey {
			lab, err = experiments.NewLab(c)
			labKey = key
		}
		if err == nil && lab != nil {
			err = lab.Check(ctx, c)
		}
		checked[whole] = err
		return err
	}
}
