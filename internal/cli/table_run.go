package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"spotlighter/experiments"
	"spotlighter/internal/progress"
)

// expected is the time that the cells that are left will take, from those that
// are done: of the same method where there is one, else of any, by the guessed
// work.
func (p *tablePlan) expected() (time.Duration, bool) {
	type pace struct{ seconds, work float64 }
	byMethod, all := map[string]pace{}, pace{}
	for i, c := range p.planned {
		if c.Result == nil || c.Result.RunSeconds == 0 {
			continue
		}
		w := work(p.cells[i])
		m := byMethod[c.Method]
		byMethod[c.Method] = pace{m.seconds + c.Result.RunSeconds, m.work + w}
		all = pace{all.seconds + c.Result.RunSeconds, all.work + w}
	}
	if all.work == 0 {
		return 0, false
	}
	seconds := 0.
	for i, c := range p.planned {
		if c.Result != nil || c.State == "running" {
			continue
		}
		of, ok := byMethod[c.Method]
		if !ok {
			of = all
		}
		seconds += of.seconds / of.work * work(p.cells[i])
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// brokenCells says how many cells of a table broke, and why the first; the table
// is printed all the same.
type brokenCells struct{ error }

// run runs what is missing or broken. A cell that breaks spares the rest.
func (p *tablePlan) run(ctx context.Context, f tableFlags) error {
	var left []int
	for i, c := range p.planned {
		if c.State == "missing" || c.State == "broken" {
			left = append(left, i)
		}
	}
	if len(left) == 0 {
		return nil
	}
	lab, err := experiments.NewLab(p.cfg)
	if err != nil {
		return err
	}
	if err := p.check(ctx, lab, left); err != nil {
		return err
	}
	tasks := make([]progress.Task, len(left))
	for k, i := range left {
		c := p.planned[i]
		tasks[k] = progress.Task{Name: fmt.Sprintf("%s %s seed %d", c.Method, c.Group, c.Seed), Work: work(p.cells[i])}
	}
	report := progress.New(os.Stderr, tasks, f.run.quiet)
	defer report.Close()
	lab.Note, lab.Force = report.Note, f.run.force
	broken := 0
	var first error
	for k, i := range left {
		c := &p.planned[i]
		report.Start(k)
		res, _, _, err := lab.RunCell(ctx, p.cells[i], func(s experiments.Step) { report.Step(progress.Step(s)) })
		switch {
		case errors.Is(err, experiments.ErrStopped):
			return err
		case err != nil && f.failFast:
			return err
		case err != nil:
			c.State = "broken"
			broken++
			if first == nil {
				first = err
			}
			report.Finish(k, "broken: "+oneLine(err))
			continue
		}
		c.State, c.Result = "done", &res
		report.Finish(k, scores(p.protocol, res))
	}
	if broken > 0 {
		return brokenCells{fmt.Errorf("%d of %d cells are broken, such as: %w; the same command tries them again", broken, len(left), first)}
	}
	return nil
}

// check finds what cannot run before anything does: each method on each data set
// once.
func (p *tablePlan) check(ctx context.Context, lab *experiments.Lab, left []int) error {
	seen := map[[2]string]bool{}
	for _, i := range left {
		c := p.cells[i]
		key := [2]string{c.Method[0], c.Dataset[0]}
		if seen[key] {
			continue
		}
		seen[key] = true
		if err := lab.Check(ctx, c); err != nil {
			return fmt.Errorf("%s on %s: %w", c.Method[0], experiments.DatasetName(c.Dataset[0]), err)
		}
	}
	return nil
}
