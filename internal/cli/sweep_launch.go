package cli

import (
	"cmp"
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"spotlighter/experiments/launch"
)

// launchFlags say where and how the runs of a sweep are run.
type launchFlags struct {
	name     string
	workers  int
	threads  int
	failFast bool
	slurm    launch.Slurm
}

func (f *launchFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.name, "launcher", "local", "local: processes of this machine; slurm: job arrays")
	fl.IntVar(&f.workers, "workers", 0, "runs at a time; 0: 1 with local, as many as start with slurm")
	fl.IntVar(&f.threads, "threads", 0, "local: threads, divided among the workers; 0: all cores")
	fl.BoolVar(&f.failFast, "fail-fast", false, "local: a broken run stops the others")
	fl.BoolVar(&f.slurm.Wait, "wait", false, "slurm: stay until all runs have ended")
	fl.StringVar(&f.slurm.Partition, "partition", "", "slurm: partition")
	fl.StringVar(&f.slurm.Time, "time", "", "slurm: time limit of a run")
	fl.StringVar(&f.slurm.Mem, "mem", "", "slurm: memory of a run")
	fl.StringVar(&f.slurm.GPUs, "gpus", "", "slurm: GPUs of a run")
	fl.StringVar(&f.slurm.CPUs, "cpus", "", "slurm: processors of a run, as many threads")
	fl.StringArrayVar(&f.slurm.Extra, "sbatch", nil, "slurm: one more argument of sbatch, such as --account=me; may be given several times")
}

func (f *launchFlags) validate() error {
	slurm := f.name == "slurm"
	if !slurm && f.name != "local" {
		return usageError{fmt.Errorf("--launcher: %q is none of local, slurm", f.name)}
	}
	s := f.slurm
	for flag, set := range map[string]bool{
		"--wait": s.Wait, "--partition": s.Partition != "", "--time": s.Time != "", "--mem": s.Mem != "",
		"--gpus": s.GPUs != "", "--cpus": s.CPUs != "", "--sbatch": s.Extra != nil,
	} {
		if set && !slurm {
			return usageError{fmt.Errorf("%s: is for --launcher slurm alone", flag)}
		}
	}
	if slurm && f.failFast {
		return usageError{fmt.Errorf("--fail-fast: is for --launcher local alone")}
	}
	return cmp.Or(wantAtLeast("--workers", f.workers, 0), wantAtLeast("--threads", f.threads, 0))
}

// launcher is the chosen one, for the sweep whose folder is dir.
func (f *launchFlags) launcher(dir string, quiet bool) (launch.Launcher, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("sweep: where is this program: %w", err)
	}
	if f.name == "slurm" {
		s := f.slurm
		s.Program, s.Dir, s.Workers = program, dir, f.workers
		s.Say = func(line string) {
			if !quiet {
				fmt.Fprintln(os.Stderr, line)
			}
		}
		return s, nil
	}
	return launch.Local{Program: program, Workers: max(1, f.workers), Threads: cmp.Or(f.threads, runtime.GOMAXPROCS(0)), FailFast: f.failFast}, nil
}
