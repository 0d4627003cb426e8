package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"spotlighter/experiments"
	"spotlighter/internal/progress"
	"spotlighter/results"
)

// cellPlan is the cells that a table is made of, and how far they are.
type cellPlan struct {
	name     string             // of the table
	protocol string             // of all cells
	cfg      experiments.Config // of the model, and of all data sets
	cells    []experiments.Config
	planned  []results.Planned
}

func (p *cellPlan) add(cell experiments.Config, as results.Planned) {
	p.cells, p.planned = append(p.cells, cell), append(p.planned, as)
}

// look brings the states of all cells up to date.
func (p *cellPlan) look(force bool) {
	for i, cell := range p.cells {
		look, err := experiments.LookAt(filepath.Join(cell.Out, experiments.RunName(cell)))
		c := &p.planned[i]
		c.Result = nil
		switch {
		case err != nil:
			c.State = "broken"
		case look.State == experiments.Done:
			c.State, c.Result = "done", &look.Result
		case look.Holder != "":
			c.State = "running"
		case look.Begun:
			c.State = "broken" // it goes on from its checkpoint
		default:
			c.State = "missing"
		}
		if force && c.State != "running" {
			c.State, c.Result = "missing", nil
		}
	}
}

// summary says how far the table is.
func (p *cellPlan) summary() string {
	count := map[string]int{}
	for _, c := range p.planned {
		count[c.State]++
	}
	text := fmt.Sprintf("%s: %d cells, %d done, %d missing, %d broken", p.name, len(p.cells), count["done"], count["missing"], count["broken"])
	if n := count["running"]; n > 0 {
		text += fmt.Sprintf(", %d at work elsewhere", n)
	}
	if count["missing"]+count["broken"] == 0 {
		return text
	}
	if seconds, ok := p.expected(); ok {
		return text + "; about " + progress.Short(seconds) + " to go"
	}
	return text + "; the time is known after the first run"
}

// expected is the time that the cells that are left will take, from those that
// are done: of the same method where there is one, else of any, by the guessed
// work.
func (p *cellPlan) expected() (time.Duration, bool) {
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
func (p *cellPlan) run(ctx context.Context, f runFlags, failFast bool) error {
	var left []int
	var cells []experiments.Config
	for i, c := range p.planned {
		if c.State == "missing" || c.State == "broken" {
			left, cells = append(left, i), append(cells, p.cells[i])
		}
	}
	if len(left) == 0 {
		return nil
	}
	lab, err := experiments.NewLab(p.cfg)
	if err != nil {
		return err
	}
	if err := checkCells(ctx, lab, cells, func(k int) string { return p.planned[left[k]].Method }); err != nil {
		return err
	}
	tasks := make([]progress.Task, len(left))
	for k, i := range left {
		c := p.planned[i]
		tasks[k] = progress.Task{Name: fmt.Sprintf("%s %s seed %d", c.Method, c.Group, c.Seed), Work: work(p.cells[i])}
	}
	report := progress.New(os.Stderr, tasks, f.quiet)
	defer report.Close()
	lab.Note, lab.Force = report.Note, f.force
	broken := 0
	var first error
	for k, i := range left {
		c := &p.planned[i]
		report.Start(k)
		res, _, _, err := lab.RunCell(ctx, p.cells[i], func(s experiments.Step) { report.Step(progress.Step(s)) })
		switch {
		case errors.Is(err, experiments.ErrStopped):
			return err
		case err != nil && failFast:
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

// checkCells finds what cannot run before anything does: each configuration once,
// whatever its seed. name is what an error calls it.
func checkCells(ctx context.Context, lab *experiments.Lab, cells []experiments.Config, name func(i int) string) error {
	seen := map[string]bool{}
	for i, c := range cells {
		c.Seed = cells[0].Seed
		if hash := c.Hash(); seen[hash] {
			continue
		} else {
			seen[hash] = true
		}
		if err := lab.Check(ctx, c); err != nil {
			return fmt.Errorf("%s on %s: %w", name(i), experiments.DatasetName(c.Dataset[0]), err)
		}
	}
	return nil
}
