package launch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"spotlighter/experiments"
	"spotlighter/internal/atomicfile"
)

// Slurm runs jobs as tasks of job arrays. A task that is preempted, requeued or
// moved from a failed node gets SIGTERM, checkpoints, and goes on from there when
// Slurm starts it again.
type Slurm struct {
	Program string
	Dir     string // the sweep's folder; scripts and logs go to its folder slurm
	Workers int    // tasks at a time; 0: as many as Slurm starts
	Wait    bool   // until all have ended; otherwise leave when they are submitted

	// These go to sbatch as they are, if they are set.
	Partition, Time, Mem, GPUs, CPUs string
	Extra                            []string

	// Say is told, in a line, what was submitted.
	Say func(line string)
}

// maxArray is the most tasks of an array under Slurm's own defaults.
const maxArray = 1000

// pollSlurm is the time between two questions to the scheduler, which many ask.
const pollSlurm = 2 * time.Second

const slurmFolder = "slurm"

// Run submits the jobs that are neither done, nor at work, nor in the queue
// already. With Wait it stays until all have ended; when ctx ends it leaves and
// they go on.
func (s Slurm) Run(ctx context.Context, jobs []Job, say func(Outcome)) error {
	tasks, err := s.Tasks(ctx, true)
	if err != nil {
		return err
	}
	var open, missing []Job
	for _, j := range jobs {
		look, err := experiments.LookAt(j.Folder)
		switch task := tasks[j.run()]; {
		case err != nil:
			say(ended(j, look, err))
		case look.State == experiments.Done:
			say(Outcome{Job: j, Ending: Before, Result: look.Result})
		case look.Holder != "" || task.Active():
			open = append(open, j)
		default:
			missing = append(missing, j)
		}
	}
	for at := 0; at < len(missing); at += maxArray {
		if err := s.submit(ctx, missing[at:min(at+maxArray, len(missing))]); err != nil {
			return err
		}
	}
	if !s.Wait {
		return nil
	}
	return s.wait(ctx, append(open, missing...), say)
}

// submit makes one array of the jobs.
func (s Slurm) submit(ctx context.Context, jobs []Job) error {
	base, err := s.reserve()
	if err != nil {
		return err
	}
	var cells strings.Builder
	for _, j := range jobs {
		path, err := filepath.Abs(j.Config)
		if err != nil {
			return err
		}
		fmt.Fprintln(&cells, path)
	}
	if err := atomicfile.WriteBytes(base+".cells", []byte(cells.String())); err != nil {
		return err
	}
	if err := atomicfile.WriteBytes(base+".sh", []byte(s.script(base))); err != nil {
		return err
	}
	out, err := slurmCommand(ctx, "sbatch", s.arguments(base, len(jobs))...)
	if err != nil {
		return err
	}
	id, _, _ := strings.Cut(strings.TrimSpace(out), ";") // id or id;cluster
	if err := atomicfile.WriteBytes(base+".job", []byte(id+"\n")); err != nil {
		return err
	}
	s.Say(fmt.Sprintf("submitted job %s to Slurm, %d runs", id, len(jobs)))
	return nil
}

// reserve takes the next number in the folder for an array of ours alone.
func (s Slurm) reserve() (base string, err error) {
	dir, err := filepath.Abs(filepath.Join(s.Dir, slurmFolder))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		base := filepath.Join(dir, fmt.Sprintf("%03d", n))
		f, err := os.OpenFile(base+".cells", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err == nil {
			return base, f.Close()
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
}

// script is what each task runs: the cell of its line. The program takes the
// shell's place, so that Slurm's SIGTERM reaches it.
func (s Slurm) script(base string) string {
	var command []string
	for _, a := range append([]string{s.Program}, Command(`"$cell"`)...) {
		if a != `"$cell"` {
			a = quote(a)
		}
		command = append(command, a)
	}
	return fmt.Sprintf(`#!/bin/sh
cell=$(sed -n "${SLURM_ARRAY_TASK_ID}p" %s)
exec %s --threads "${SLURM_CPUS_PER_TASK:-0}" >/dev/null
`, quote(base+".cells"), strings.Join(command, " "))
}

func (s Slurm) arguments(base string, n int) []string {
	array := fmt.Sprintf("--array=1-%d", n)
	if s.Workers > 0 {
		array += fmt.Sprintf("%%%d", s.Workers)
	}
	args := []string{"--parsable", array, "--job-name=" + filepath.Base(s.Dir), "--requeue", "--open-mode=append",
		"--output=" + strings.ReplaceAll(base, "%", "%%") + "-%a.log"}
	for _, o := range []struct{ name, value string }{
		{"partition", s.Partition}, {"time", s.Time}, {"mem", s.Mem}, {"gpus", s.GPUs}, {"cpus-per-task", s.CPUs},
	} {
		if o.value != "" {
			args = append(args, "--"+o.name+"="+o.value)
		}
	}
	return append(append(args, s.Extra...), base+".sh")
}

// wait says how each job ends.
func (s Slurm) wait(ctx context.Context, jobs []Job, say func(Outcome)) error {
	gone := map[string]int{} // how often a job was seen without a task or a result
	for len(jobs) > 0 {
		select {
		case <-ctx.Done():
			return experiments.ErrStopped
		case <-time.After(pollSlurm):
		}
		tasks, err := s.Tasks(ctx, false)
		if err != nil {
			if ctx.Err() != nil {
				return experiments.ErrStopped
			}
			return err
		}
		var left []Job
		for _, j := range jobs {
			look, err := experiments.LookAt(j.Folder)
			if o := ended(j, look, err); o.Ending == Done || err != nil {
				say(o)
				continue
			}
			if look.Holder != "" || tasks[j.run()].Active() {
				gone[j.Config] = 0
				left = append(left, j)
				continue
			}
			// The scheduler may be quicker than a shared file system.
			if gone[j.Config]++; gone[j.Config] < 3 {
				left = append(left, j)
				continue
			}
			o := Outcome{Job: j, Ending: Broken}
			if all, err := s.Tasks(ctx, true); err == nil {
				o.Reason = all[j.run()].String()
			}
			say(o)
		}
		jobs = left
	}
	return nil
}

// slurmCommand runs one of Slurm's programs; its error is one line.
func slurmCommand(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("slurm: no program %s here; want a login node of a Slurm cluster, or --launcher local", name)
	}
	if err != nil {
		said := strings.Join(strings.Fields(stderr.String()), " ")
		return "", fmt.Errorf("slurm: %s: %w: %s", name, err, said)
	}
	return string(out), nil
}

// quote makes one word of the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
