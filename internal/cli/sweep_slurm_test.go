//go:build unix

package cli

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"spotlighter/experiments/runfmt"
)

// needSlurm skips where no cluster answers; .ci/slurm starts one.
func needSlurm(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("Slurm starts a job every few seconds")
	}
	out, err := exec.Command("sinfo", "--noheader", "--format=%T").Output()
	if err != nil || len(strings.TrimSpace(string(out))) == 0 {
		t.Skip("no Slurm cluster answers here")
	}
}

// slurmSweep is longSweep as jobs.
func slurmSweep(out string, more ...string) []string {
	return longSweep(out, append([]string{"--launcher", "slurm", "--cpus", "1", "--mem", "500M", "--time", "10:00", "--partition", "main"}, more...)...)
}

func scontrol(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("scontrol", args...).CombinedOutput(); err != nil {
		t.Fatalf("scontrol %v: %v: %s", args, err, out)
	}
}

// eventually waits for ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			queue, _ := exec.Command("squeue").CombinedOutput() // for the log alone
			t.Fatalf("no %s within two minutes\n%s", what, queue)
		}
	}
}

// cancel ends what a test has left in the queue.
func cancel(t *testing.T, dir string) {
	t.Cleanup(func() { _ = exec.Command("scancel", "--name="+filepath.Base(dir)).Run() })
}

// A job that is requeued in the middle checkpoints on SIGTERM, and goes on to
// the very same bits when Slurm starts it again.
func TestSlurmRequeue(t *testing.T) {
	needSlurm(t)
	whole := wholeSweep(t)
	out := t.TempDir()
	o := mustRun(t, slurmSweep(out)...) // leaves at once
	dir := folder(t, out, "sweep-")
	cancel(t, dir)
	job := strings.TrimSpace(string(read(t, dir, "slurm", "001.job")))
	if !strings.Contains(o.stderr, "submitted job "+job+" to Slurm, 2 runs") || !strings.Contains(o.stderr, "2 of 2 runs are left to Slurm") {
		t.Errorf("%+v", o)
	}
	if o := mustRun(t, slurmSweep(out)...); strings.Contains(o.stderr, "submitted") {
		t.Errorf("jobs in the queue were submitted again: %s", o.stderr)
	}
	eventually(t, "training", func() bool { return epochs(out) > 10 })
	first := filepath.Dir(must(filepath.Glob(filepath.Join(out, "coop*", runfmt.MetricsFile)))[0])
	task := "_1"
	if cells := strings.Split(string(read(t, dir, "slurm", "001.cells")), "\n"); strings.Contains(cells[1], filepath.Base(first)) {
		task = "_2"
	}
	scontrol(t, "requeue", job+task)
	eventually(t, "stop", func() bool {
		text := string(read(t, dir, "slurm", "001-"+task[1:]+".log"))
		return strings.Contains(text, "REQUEUE") && strings.Contains(text, stopped)
	})
	if !exists(first, runfmt.CheckpointFile) || exists(first, runfmt.ResultFile) {
		t.Errorf("after the requeue: %v", names(t, first))
	}
	eventually(t, "requeued job", func() bool {
		return strings.Contains(mustRun(t, "sweep", "status", dir).out, "queued")
	})
	o = mustRun(t, slurmSweep(out, "--wait")...)
	if strings.Contains(o.stderr, "submitted") || !strings.Contains(o.stderr, "[2/2]") {
		t.Errorf("%+v", o)
	}
	sameSweep(t, "requeued", out, whole)
	if n := strings.Count(string(read(t, first, runfmt.EnvFile)), `"started"`); n != 2 {
		t.Errorf("the requeued run has %d sessions, want 2", n)
	}
	if o := mustRun(t, "sweep", "status", dir); o.out != dir+": 2 runs, 2 done\n" {
		t.Errorf("status: %s", o.out)
	}
}

// A worker that is killed in its job is told as broken with Slurm's reason; the
// same command submits it alone again.
func TestSlurmWorkerKilled(t *testing.T) {
	needSlurm(t)
	whole := wholeSweep(t)
	out := t.TempDir()
	c := start(t, slurmSweep(out, "--wait", "--workers", "1")...)
	c.until(t, "training", func() bool { return epochs(out) > 10 })
	dir := folder(t, out, "sweep-")
	cancel(t, dir)
	if err := syscall.Kill(worker(folder(t, out, "coop")), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	o := c.wait()
	if o.code != 1 || !strings.Contains(o.stderr, "_1 failed (0:9)") || strings.Count(o.stderr, "base ") != 1 ||
		!strings.Contains(lastLine(o), "1 of 2 runs are broken") {
		t.Errorf("%+v", o)
	}
	if o := mustRun(t, "sweep", "status", dir); !strings.Contains(o.out, "1 done, 1 broken") || !strings.Contains(o.out, "failed (0:9)") {
		t.Errorf("status: %s", o.out)
	}
	if o := mustRun(t, slurmSweep(out, "--wait")...); !strings.Contains(o.stderr, "to Slurm, 1 runs") {
		t.Errorf("%+v", o)
	}
	sameSweep(t, "killed in its job", out, whole)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
