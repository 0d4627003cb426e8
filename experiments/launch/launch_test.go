package launch

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"spotlighter/experiments"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLastLine(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "log"), "first\n"+strings.Repeat("x", 20_000)+"\nlast \n\n")
	if got := LastLine(path, 0); got != "last" {
		t.Errorf("%q", got)
	}
	if got := LastLine(path, 20_012); got != "" {
		t.Errorf("behind the end: %q", got)
	}
	if got := LastLine(path+"no", 0); got != "" {
		t.Errorf("no file: %q", got)
	}
}

// What squeue, sacct and scontrol say, in one form.
func TestParseTasks(t *testing.T) {
	states := map[string]Task{}
	parseTasks("12_1|FAILED|1:0\n12_2|CANCELLED by 1000|0:15\n12_3|COMPLETED|0:0\n12_[4-6%2]|PENDING|0:0\nnoise\n", states)
	parseTasks("12_3|RUNNING|None\n12_4|PENDING|JobArrayTaskLimit\n", states)
	want := map[string]Task{
		"12_1": {State: "FAILED", Detail: "1:0"}, "12_2": {State: "CANCELLED", Detail: "0:15"},
		"12_3": {State: "RUNNING"}, "12_4": {State: "PENDING", Detail: "JobArrayTaskLimit"}, "12_[4-6%2]": {State: "PENDING"},
	}
	if !reflect.DeepEqual(states, want) {
		t.Errorf("%v, want %v", states, want)
	}
	for state, active := range map[string]bool{"PENDING": true, "RUNNING": true, "COMPLETING": true, "FAILED": false, "TIMEOUT": false, "": false} {
		if (Task{State: state}).Active() != active {
			t.Errorf("%q is active: %v", state, !active)
		}
	}
}

// Each task of an array runs the cell of its line, whatever characters the paths
// have.
func TestSlurmScript(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no shell")
	}
	dir := filepath.Join(t.TempDir(), "it's a $HOME 100% \"folder\"")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program := write(t, filepath.Join(dir, "program"), "#!/bin/sh\nprintf '%s|' \"$@\" >&2\n")
	s := Slurm{Program: program, Dir: dir}
	base, err := s.reserve()
	if err != nil {
		t.Fatal(err)
	}
	if next, err := s.reserve(); err != nil || next == base {
		t.Errorf("two arrays are %s (%v)", next, err)
	}
	cells := []string{filepath.Join(dir, "a b.yaml"), filepath.Join(dir, "c.yaml")}
	write(t, base+".cells", strings.Join(cells, "\n")+"\n")
	script := write(t, base+".sh", s.script(base))
	for i, task := range []string{"1", "2"} {
		cmd := exec.Command("sh", script)
		cmd.Env = append(os.Environ(), "SLURM_ARRAY_TASK_ID="+task, "SLURM_CPUS_PER_TASK=3")
		out, err := cmd.CombinedOutput()
		if want := strings.Join(append(Command(cells[i]), "--threads", "3"), "|") + "|"; err != nil || string(out) != want {
			t.Errorf("%v: %s, want %s", err, out, want)
		}
	}
}

func TestSlurmArguments(t *testing.T) {
	s := Slurm{Dir: "runs/sweep-x", Workers: 4, Partition: "gpu", Time: "1:00", Mem: "8G", GPUs: "1", CPUs: "2", Extra: []string{"--account=me"}}
	got := strings.Join(s.arguments("/d/100%/001", 9), " ")
	want := "--parsable --array=1-9%4 --job-name=sweep-x --requeue --open-mode=append --output=/d/100%%/001-%a.log" +
		" --partition=gpu --time=1:00 --mem=8G --gpus=1 --cpus-per-task=2 --account=me /d/100%/001.sh"
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// Where there is no Slurm, that is what is said, and nothing is run.
func TestNoSlurm(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	dir := t.TempDir()
	s := Slurm{Program: "x", Dir: dir, Say: func(string) {}}
	err := s.Run(context.Background(), []Job{{Folder: filepath.Join(dir, "run"), Config: "c.yaml"}}, func(o Outcome) { t.Errorf("%+v", o) })
	if err == nil || !strings.Contains(err.Error(), "no program sbatch here") {
		t.Errorf("%v", err)
	}
	if tasks, err := s.Tasks(context.Background(), true); err != nil || len(tasks) != 0 {
		t.Errorf("%v %v", tasks, err)
	}
}

// A program that is not there, and one that fails in its own words.
func TestLocalReasons(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no shell")
	}
	dir := t.TempDir()
	for program, want := range map[string]string{
		filepath.Join(dir, "absent"): "no such file",
		write(t, filepath.Join(dir, "says"), "#!/bin/sh\necho one >&2\necho two >&2\nexit 3\n"):  "two",
		write(t, filepath.Join(dir, "silent"), "#!/bin/sh\nexit 3\n"):                            "exit status 3",
		write(t, filepath.Join(dir, "killed"), "#!/bin/sh\necho words >&2\nkill -9 $$\n"):        "signal: killed; its last line: words",
		write(t, filepath.Join(dir, "lies"), "#!/bin/sh\nexit 0\n"):                              "",
		write(t, filepath.Join(dir, "threads"), "#!/bin/sh\nshift 5\necho \"$@\" >&2\nexit 1\n"): "--threads 3",
	} {
		l := Local{Program: program, Workers: 2, Threads: 7}
		var got []Outcome
		j := Job{Folder: filepath.Join(dir, "run"), Config: "c.yaml", Log: filepath.Join(t.TempDir(), "log")}
		if err := l.Run(context.Background(), []Job{j}, func(o Outcome) { got = append(got, o) }); err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || got[0].Ending != Broken || !strings.Contains(got[0].Reason, want) || want == "" && got[0].Reason != "" {
			t.Errorf("%s: %+v, want %q", program, got, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := (Local{Program: "x", Workers: 1}).Run(ctx, []Job{{Folder: dir}}, func(o Outcome) { t.Errorf("%+v", o) }); err != experiments.ErrStopped {
		t.Errorf("%v", err)
	}
}
