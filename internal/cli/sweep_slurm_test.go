//go:build unix

package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// slurmSays is what a program of Slurm's prints.
func slurmSays(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, stderr.String())
	}
	return string(out)
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

// inTraining waits until a run of the sweep trains, and says which one of the two and
// by which task of the array.
func inTraining(t *testing.T, out, dir string) (run, task string) {
	t.Helper()
	eventually(t, "training", func() bool { return epochs(out) > 10 })
	run = filepath.Dir(must(filepath.Glob(filepath.Join(out, "coop*", runfmt.MetricsFile)))[0])
	if cells := strings.Split(string(read(t, dir, "slurm", "001.cells")), "\n"); strings.Contains(cells[1], filepath.Base(run)) {
		return run, "2"
	}
	return run, "1"
}

// checkpoints waits until a task of the first array was told to stop, for the reason
// that Slurm gives, and did.
func checkpoints(t *testing.T, dir, run, task, reason string) {
	t.Helper()
	eventually(t, "stop", func() bool {
		text := string(read(t, dir, "slurm", "001-"+task+".log"))
		return strings.Contains(text, reason) && strings.Contains(text, stopped)
	})
	if !exists(run, runfmt.CheckpointFile) || exists(run, runfmt.ResultFile) {
		t.Errorf("stopped by Slurm: %v", names(t, run))
	}
}

// trainedFrom are the epochs from which the sessions of a run have trained.
func trainedFrom(t *testing.T, run string) (epochs []int) {
	t.Helper()
	for line := range strings.Lines(string(read(t, run, runfmt.LogFile))) {
		var said struct {
			Msg   string
			Epoch int
		}
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			t.Fatal(err)
		}
		if said.Msg == "train from" {
			epochs = append(epochs, said.Epoch)
		}
	}
	return epochs
}

// goesOn waits for the sweep, of which Slurm has started the run twice, and wants
// nothing submitted again, the second start to go on where the first was stopped, and
// the bits that come without a stop.
func goesOn(t *testing.T, what, out, dir, run string, whole map[string]map[string]string) {
	t.Helper()
	o := mustRun(t, slurmSweep(out, "--wait")...)
	if strings.Contains(o.stderr, "submitted") || !strings.Contains(o.stderr, "[2/2]") {
		t.Errorf("%+v", o)
	}
	sameSweep(t, what, out, whole)
	if n := strings.Count(string(read(t, run, runfmt.EnvFile)), `"started"`); n != 2 {
		t.Errorf("the %s run has %d sessions, want 2", what, n)
	}
	if from := trainedFrom(t, run); len(from) != 2 || from[0] != 1 || from[1] <= 10 {
		t.Errorf("the %s run has trained from epochs %d, want 1 and one after 10", what, from)
	}
	if o := mustRun(t, "sweep", "status", dir); o.out != dir+": 2 runs, 2 done\n" {
		t.Errorf("status: %s", o.out)
	}
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
	run, task := inTraining(t, out, dir)
	slurmSays(t, "scontrol", "requeue", job+"_"+task)
	checkpoints(t, dir, run, task, "REQUEUE")
	eventually(t, "requeued job", func() bool {
		return strings.Contains(mustRun(t, "sweep", "status", dir).out, "queued")
	})
	goesOn(t, "requeued", out, dir, run, whole)
}

// A job of a partition that goes first, and that wants the whole node, has Slurm stop
// and requeue the tasks: they checkpoint, wait until it has ended, and go on to the
// very same bits.
func TestSlurmPreemption(t *testing.T) {
	needSlurm(t)
	if partitions := slurmSays(t, "sinfo", "--noheader", "--format=%R"); !slices.Contains(strings.Fields(partitions), "urgent") {
		t.Skip("no partition urgent in this cluster: it has ", strings.Fields(partitions))
	}
	whole := wholeSweep(t)
	out := t.TempDir()
	mustRun(t, slurmSweep(out)...)
	dir := folder(t, out, "sweep-")
	cancel(t, dir)
	job := strings.TrimSpace(string(read(t, dir, "slurm", "001.job")))
	run, task := inTraining(t, out, dir)

	urgent := strings.TrimSpace(slurmSays(t, "sbatch", "--parsable", "--partition=urgent", "--exclusive", "--job-name="+filepath.Base(dir), "--output="+os.DevNull, "--wrap=sleep 600"))
	checkpoints(t, dir, run, task, "PREEMPTION")
	eventually(t, "urgent job at work", func() bool {
		return strings.TrimSpace(slurmSays(t, "squeue", "--noheader", "--format=%T", "--jobs="+urgent)) == "RUNNING"
	})
	if o := mustRun(t, "sweep", "status", dir); !strings.Contains(o.out, "queued") {
		t.Errorf("while the urgent job runs: %s", o.out)
	}
	if about := slurmSays(t, "scontrol", "show", "job", job+"_"+task); !strings.Contains(about, " Restarts=1 ") || !strings.Contains(about, "JobState=PENDING ") {
		t.Errorf("while the urgent job runs: %s", about)
	}
	if exists(run, runfmt.ResultFile) {
		t.Error("the run has ended while the urgent job had the whole node")
	}
	slurmSays(t, "scancel", urgent)
	goesOn(t, "preempted", out, dir, run, whole)
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
