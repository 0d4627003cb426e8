package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"spotlighter/experiments"
	"spotlighter/experiments/launch"
	"spotlighter/experiments/sweep"
	"spotlighter/internal/atomicfile"
)

// sweeper runs a plan, rung by rung.
type sweeper struct {
	plan     *sweep.Plan
	launcher launch.Launcher
	quiet    bool
	force    bool // what is done or begun runs anew

	total, done, broken int // runs
	worked              int // of those done, by us
	started             time.Time
}

// run returns an error if the sweep ends before all that can run has run.
func (s *sweeper) run(ctx context.Context) error {
	s.started = time.Now()
	trials := s.plan.Trials
	for rung := range trials[0].Rungs {
		if rung > 0 {
			trials = s.plan.Survivors(rung-1, trials, s.plan.Look)
			s.note("%d of %d go on for %d epochs", len(trials), len(s.plan.Trials), s.plan.Rungs[rung])
		}
		if len(trials) == 0 {
			break // all are broken
		}
		var jobs []launch.Job
		for _, t := range trials {
			for _, r := range t.Rungs[rung] {
				jobs = append(jobs, s.job(t, r))
			}
		}
		if s.force {
			for _, j := range jobs {
				if err := experiments.DeleteRun(j.Folder); err != nil {
					return err
				}
			}
		}
		s.total += len(jobs)
		before := s.done + s.broken
		if err := s.launcher.Run(ctx, jobs, s.ended); err != nil {
			return err
		}
		if s.done+s.broken-before < len(jobs) {
			break // left to Slurm, or to those whom a broken run stopped
		}
	}
	return nil
}

func (s *sweeper) job(t *sweep.Trial, r sweep.Run) launch.Job {
	return launch.Job{
		Name:   fmt.Sprintf("%s seed %d", s.plan.Name(t), r.Seed),
		Folder: filepath.Join(filepath.Dir(s.plan.Dir), r.Folder),
		Config: sweep.CellFile(s.plan.Dir, r.Folder),
		Log:    sweep.LogFile(s.plan.Dir, r.Folder),
	}
}

// ended counts and tells how a run ended.
func (s *sweeper) ended(o launch.Outcome) {
	text := scores(o.Result.Protocol, o.Result)
	switch o.Ending {
	case launch.Done:
		s.done++
		s.worked++
		if o.Took > 0 {
			text += "  " + o.Took.Round(100*time.Millisecond).String()
		}
	case launch.Before:
		s.done++
		text += "  done before"
	case launch.Broken:
		s.broken++
		text = "broken: " + cmp.Or(o.Reason, "no result, and nothing on its standard error")
	case launch.Stopped:
		text = "stopped at a checkpoint"
	}
	if left := s.left(); left != "" {
		text += "  " + left
	}
	s.note("[%d/%d] %s  %s", s.done+s.broken, s.total, o.Name, text)
}

// left is the time that the rest takes at the pace so far.
func (s *sweeper) left() string {
	rest := s.total - s.done - s.broken
	if s.worked == 0 || rest == 0 {
		return ""
	}
	each := time.Since(s.started) / time.Duration(s.worked)
	return (each * time.Duration(rest)).Round(time.Second).String() + " left"
}

func (s *sweeper) note(format string, args ...any) {
	if !s.quiet {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	}
}

// verdict is the sweep's error.
func (s *sweeper) verdict() error {
	rest := s.total - s.done - s.broken
	switch {
	case s.broken > 0:
		return fmt.Errorf("%d of %d runs are broken, %d not started; the same command tries them again (logs: %s)", s.broken, s.total, rest, filepath.Join(s.plan.Dir, sweep.LogsFolder))
	case rest > 0:
		s.note("%d of %d runs are left to Slurm: spotlighter sweep status %s says how far they are; the same command goes on", rest, s.total, s.plan.Dir)
	}
	return nil
}

// writeBoard writes the leaderboard and its plots into the sweep's folder.
func writeBoard(plan *sweep.Plan, board *sweep.Board, f sweepFlags) error {
	plots, err := board.WritePlots(plan.Dir, f.formats)
	if err != nil {
		return err
	}
	text, err := boardJSON(board)
	if err != nil {
		return err
	}
	if err := atomicfile.WriteBytes(filepath.Join(plan.Dir, sweep.BoardFile), text); err != nil {
		return err
	}
	command := "spotlighter " + strings.Join(os.Args[1:], " ")
	return atomicfile.WriteBytes(filepath.Join(plan.Dir, sweep.MarkdownFile), []byte(board.Markdown(command, plots)))
}

func boardJSON(board *sweep.Board) ([]byte, error) {
	text, err := json.MarshalIndent(board, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("leaderboard: %w", err)
	}
	return append(text, '\n'), nil
}

func printBoard(plan *sweep.Plan, board *sweep.Board, asJSON bool) error {
	text, err := boardJSON(board)
	if err != nil {
		return err
	}
	if !asJSON {
		text = fmt.Appendf(nil, "%s\nsweep: %s\n", board.Terminal(), plan.Dir)
	}
	_, err = os.Stdout.Write(text)
	return err
}

// stateOf is a run's state in a word, and what else there is to say.
func stateOf(look experiments.Look, err error, task launch.Task) (state, detail string) {
	switch {
	case err != nil:
		return "broken", err.Error()
	case look.State == experiments.Done:
		return "done", ""
	case look.Holder != "":
		return "running", strings.TrimSpace(look.Holder + "  " + task.String())
	case task.Active():
		return "queued", task.String()
	case look.Begun:
		return "broken", task.String()
	case task.ID != "":
		return "broken", task.String() // Slurm had it, and it never began
	}
	return "missing", ""
}
