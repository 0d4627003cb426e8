package cli

import (
	"errors"
	"fmt"
	"os"

	"spotlighter/experiments"
	"spotlighter/graph/cpu"
	"spotlighter/graph/inspect"
	"spotlighter/internal/bench"
)

// inspect makes the lab look into its programs as the flags say.
func (f *runFlags) inspect(lab *experiments.Lab, threads int) (experiments.Inspection, error) {
	i := experiments.Inspection{Numerics: f.numerics}
	if f.profile {
		i.Profile = newProfile(cpu.NewPool(threads))
	}
	if len(f.dump) > 0 {
		var err error
		if i.Dump, err = inspect.NewDump(f.dump); err != nil {
			return i, usageError{fmt.Errorf("--dump: %w", err)}
		}
	}
	lab.Inspect(i)
	return i, nil
}

// withDump adds to an error where the values up to it are.
func withDump(err error, d *inspect.Dump) error {
	if d == nil || len(d.Written) == 0 {
		return err
	}
	return fmt.Errorf("%w (%d values were written before, the last is %s)", err, len(d.Written), d.Written[len(d.Written)-1])
}

// reportDump lists what was written, and fails if a node that was asked for was in
// no program.
func reportDump(d *inspect.Dump) error {
	if d == nil {
		return nil
	}
	for _, path := range d.Written {
		fmt.Fprintln(os.Stderr, "dump:", path)
	}
	if err := d.Missing(); err != nil {
		return fmt.Errorf("--dump: %w", err)
	}
	return nil
}

// profileRows are the rows of each part of a profile that are printed; its files
// have all.
const profileRows = 15

// newProfile begins a profile of what runs on the pool.
func newProfile(pool *cpu.Pool) *inspect.Profile {
	return inspect.NewProfile(pool.Threads(), func() float64 { return bench.Describe(pool).Limit }, bench.Peak)
}

// printProfile prints the sum of all runs, on stderr: stdout has the numbers.
func printProfile(p *inspect.Profile) error {
	if p == nil {
		return nil
	}
	r := p.Total()
	if len(r.Programs) == 0 {
		return errors.New("--profile: no program has run; runs that are done are not run again, but with --force")
	}
	return r.Table(os.Stderr, profileRows)
}
