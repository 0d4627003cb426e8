package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"spotlighter/experiments/launch"
	"spotlighter/experiments/sweep"
)

func sweepStatusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status [FOLDER...]",
		Short: "How far sweeps are: those of the folders, or all below runs",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, dirs []string) error {
			if len(dirs) == 0 {
				var err error
				if dirs, err = sweep.Find("runs"); err != nil {
					return err
				}
			}
			all := []sweepStatus{}
			for _, dir := range dirs {
				s, err := readStatus(cmd.Context(), dir)
				if err != nil {
					return err
				}
				all = append(all, s)
			}
			if asJSON {
				e := json.NewEncoder(os.Stdout)
				e.SetIndent("", "  ")
				return e.Encode(all)
			}
			for _, s := range all {
				if err := s.print(os.Stdout); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return c
}

// sweepStatus is how far a sweep is.
type sweepStatus struct {
	Folder string         `json:"folder"`
	Counts map[string]int `json:"counts"` // by state
	Runs   []runStatus    `json:"runs"`   // of the rungs that are known so far
	Slurm  string         `json:"slurm,omitempty"`
}

type runStatus struct {
	Name   string `json:"name"`
	Seed   int    `json:"seed"`
	Epochs int    `json:"epochs,omitempty"`
	Folder string `json:"folder"`
	State  string `json:"state"` // done, running, queued, broken or missing
	Detail string `json:"detail,omitempty"`
}

// states in the order in which they are told.
var states = []string{"done", "running", "queued", "broken", "missing"}

// readStatus asks the run folders, and Slurm if the sweep was given to it.
func readStatus(ctx context.Context, dir string) (sweepStatus, error) {
	s := sweepStatus{Folder: dir, Counts: map[string]int{}, Runs: []runStatus{}}
	plan, err := sweep.Read(dir)
	if err != nil {
		return s, err
	}
	tasks, err := launch.Slurm{Dir: dir}.Tasks(ctx, true)
	if err != nil {
		s.Slurm = oneLine(err) // the folders still say most
	}
	plan.Walk(plan.Look, func(t *sweep.Trial, rung int, run sweep.Run) {
		look, err := plan.Look(run.Folder)
		r := runStatus{Name: plan.Name(t), Seed: run.Seed, Folder: run.Folder}
		if plan.Rungs != nil {
			r.Epochs = plan.Rungs[rung]
		}
		r.State, r.Detail = stateOf(look, err, tasks[run.Folder])
		if r.State == "broken" {
			r.Detail = cmp.Or(r.Detail, launch.LastLine(sweep.LogFile(dir, run.Folder), 0))
		}
		s.Counts[r.State]++
		s.Runs = append(s.Runs, r)
	})
	return s, nil
}

func (s sweepStatus) print(out io.Writer) error {
	fmt.Fprintf(out, "%s: %d runs", s.Folder, len(s.Runs))
	for _, state := range states {
		if n := s.Counts[state]; n > 0 {
			fmt.Fprintf(out, ", %d %s", n, state)
		}
	}
	fmt.Fprintln(out)
	if s.Slurm != "" {
		fmt.Fprintln(out, s.Slurm)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range s.Runs {
		if r.State == "done" {
			continue
		}
		name := fmt.Sprintf("%s seed %d", r.Name, r.Seed)
		if r.Epochs > 0 {
			name += fmt.Sprintf(", %d epochs", r.Epochs)
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\n", name, r.State, r.Detail)
	}
	return w.Flush()
}

// showPlan is the dry run.
func showPlan(out io.Writer, plan *sweep.Plan, force bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	counts := map[string]int{}
	runs, seconds := 0, 0.
	plan.Walk(plan.Look, func(t *sweep.Trial, rung int, run sweep.Run) {
		look, err := plan.Look(run.Folder)
		state, detail := stateOf(look, err, launch.Task{})
		if force && state != "running" {
			state, detail = "missing", "it runs anew"
		}
		counts[state]++
		runs++
		seconds += sweep.Seconds(look.Result)
		fmt.Fprintf(w, "%s seed %d\t%s\t%s\t%s\n", plan.Name(t), run.Seed, run.Folder, state, detail)
	})
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d runs of %d combinations", runs, len(plan.Trials))
	for _, state := range states {
		if n := counts[state]; n > 0 {
			fmt.Fprintf(out, ", %d %s", n, state)
		}
	}
	if done := counts["done"]; done > 0 && done < runs {
		fmt.Fprintf(out, "; about %.0f s of work for the rest", seconds/float64(done)*float64(runs-done))
	}
	fmt.Fprintln(out)
	if plan.Duplicates > 0 {
		fmt.Fprintf(out, "%d combinations left out: another has the same configuration\n", plan.Duplicates)
	}
	for _, line := range plan.Impossible {
		fmt.Fprintf(out, "impossible: %s\n", line)
	}
	if plan.Rungs != nil {
		fmt.Fprintf(out, "halving over %v epochs: later rounds follow from the results\n", plan.Rungs)
	}
	_, err := fmt.Fprintf(out, "sweep: %s\n", plan.Dir)
	return err
}
