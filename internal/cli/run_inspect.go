package cli

import (
	"fmt"
	"os"

	"spotlighter/experiments"
	"spotlighter/graph/inspect"
)

// inspect makes the lab look into its programs as the flags say.
func (f *runFlags) inspect(lab *experiments.Lab) (*inspect.Dump, error) {
	i := experiments.Inspection{Numerics: f.numerics}
	if len(f.dump) > 0 {
		var err error
		if i.Dump, err = inspect.NewDump(f.dump); err != nil {
			return nil, usageError{fmt.Errorf("--dump: %w", err)}
		}
	}
	lab.Inspect(i)
	return i.Dump, nil
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
