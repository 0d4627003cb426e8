package experiments

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"spotlighter/experiments/runfmt"
)

// With this variable the test binary opens the run, says so and waits.
const holdVariable = "SPOTLIGHTER_TEST_HOLD"

func TestMain(m *testing.M) {
	if out := os.Getenv(holdVariable); out != "" {
		r, err := OpenRun(testCell(out), "w")
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		if err := r.Log(map[string]any{"epoch": 1}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("held")
		bufio.NewReader(os.Stdin).ReadByte()
		runtime.KeepAlive(r)
		return
	}
	os.Exit(m.Run())
}

func testCell(out string) Config {
	c := Default()
	c.Out = out
	return c
}

func open(t *testing.T, c Config, weights string) *Run {
	t.Helper()
	r, err := OpenRun(c, weights)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// wantError wants one line with the given words.
func wantError(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v, want one line with %q", err, words)
	}
}

func TestRunStates(t *testing.T) {
	c := testCell(t.TempDir())
	r := open(t, c, "w1")
	if want := filepath.Join(c.Out, "coop+spotlighter-clutter-s1-"+c.Hash()[:8]); r.Dir != want {
		t.Errorf("folder %s, want %s", r.Dir, want)
	}
	if r.State() != New {
		t.Errorf("state %s, want new", r.State())
	}
	for epoch := 1; epoch <= 3; epoch++ {
		if err := r.Log(map[string]any{"epoch": epoch, "loss": 1.5}); err != nil {
			t.Fatal(err)
		}
	}
	r.Close()

	// Without a checkpoint nothing of the first try counts.
	r = open(t, c, "w2")
	if r.State() != New || get(t, r.path(runfmt.MetricsFile)) != "" {
		t.Errorf("state %s, want new and no metrics", r.State())
	}
	if err := r.Log(map[string]any{"epoch": 1}); err != nil {
		t.Fatal(err)
	}
	put(t, r.Checkpoint(), "state")
	r.Close()

	_, err := OpenRun(c, "w1")
	wantError(t, err, "was made from other weights (hash w2, now w1)")

	r = open(t, c, "w2")
	if r.State() != Unfinished || get(t, r.path(runfmt.MetricsFile)) != "{\"epoch\":1}\n" {
		t.Errorf("state %s, want unfinished with its metrics", r.State())
	}
	var env Env
	if err := json.Unmarshal([]byte(get(t, r.path(runfmt.EnvFile))), &env); err != nil {
		t.Fatal(err)
	}
	if len(env.Sessions) != 2 || env.Weights != "w2" || env.Sessions[0].Go != runtime.Version() || env.Sessions[0].Threads < 1 {
		t.Errorf("env %+v, want two sessions on weights w2", env)
	}
	if err := r.Finish(runfmt.Result{Base: 60, Novel: 40, HM: 48}); err != nil {
		t.Fatal(err)
	}
	r.Close()

	before := get(t, r.path(runfmt.EnvFile))
	r = open(t, c, "w2")
	got, err := r.Result()
	if err != nil {
		t.Fatal(err)
	}
	want := runfmt.Result{Schema: 1, Config: c.Hash(), Protocol: "base-to-novel", Method: "coop+spotlighter",
		Dataset: "clutter", Seed: 1, Base: 60, Novel: 40, HM: 48}
	if !reflect.DeepEqual(got, want) || r.State() != Done {
		t.Errorf("state %s, result %+v, want done and %+v", r.State(), got, want)
	}
	if get(t, r.path(runfmt.EnvFile)) != before {
		t.Error("a done run was changed by opening it")
	}
}

func TestOpenRunRefuses(t *testing.T) {
	grid := testCell(t.TempDir())
	grid.Seed = List[int]{1, 2}
	_, err := OpenRun(grid, "w")
	wantError(t, err, "1 methods, 1 data sets, 2 seeds, want one of each")

	c := testCell(t.TempDir())
	r := open(t, c, "w")
	r.Close()
	other := c
	other.Shots = 3
	put(t, r.path(runfmt.ConfigFile), string(other.YAML()))
	_, err = OpenRun(c, "w")
	wantError(t, err, "holds another configuration")

	put(t, r.path(runfmt.ConfigFile), "shots: 16\nshadow: 1\n")
	_, err = OpenRun(c, "w")
	wantError(t, err, "config.yaml:2: unknown key shadow")

	put(t, r.path(runfmt.ConfigFile), string(c.YAML()))
	for _, bad := range []struct{ text, words string }{
		{`{"schema": 1, "method": "co`, "result.json: not a whole result (byte 27: unexpected end of JSON input)"},
		{"", "result.json: not a whole result"},
		{`{"schema": 2}`, "result.json: schema 2, want at most 1; written by a newer program"},
		{`{"method": "coop"}`, "result.json: has no schema"},
		{`{"schema": 1, "base": "x"}`, "base: found a string, want a float64"},
		{`{"schema": 1, "method": "coop", "dataset": "fog", "base": 140}`, "base is 140, want a percentage"},
	} {
		put(t, r.path(runfmt.ResultFile), bad.text)
		_, err = OpenRun(c, "w")
		wantError(t, err, bad.words)
	}

	file := filepath.Join(t.TempDir(), "file")
	put(t, file, "")
	_, err = OpenRun(testCell(filepath.Join(file, "runs")), "w")
	wantError(t, err, "not a directory")

	if os.Getuid() != 0 { // to the superuser every folder is writable
		locked := t.TempDir()
		if err := os.Chmod(locked, 0o500); err != nil {
			t.Fatal(err)
		}
		_, err = OpenRun(testCell(filepath.Join(locked, "runs")), "w")
		wantError(t, err, "permission denied")
	}
}

// A run held by a living process is refused, and free once that process is
// killed, with what it had written.
func TestLockOfAnotherProcess(t *testing.T) {
	out := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdVariable+"="+out)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "held\n" {
		t.Fatalf("the other process: %q, %v", line, err)
	}

	_, err = OpenRun(testCell(out), "w")
	wantError(t, err, fmt.Sprintf("in use by process %d on ", cmd.Process.Pid))

	// Another cell of the same experiment is free.
	second := testCell(out)
	second.Seed = List[int]{2}
	open(t, second, "w")

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	put(t, filepath.Join(out, RunName(testCell(out)), runfmt.CheckpointFile), "state")
	r := open(t, testCell(out), "w")
	if r.State() != Unfinished || get(t, r.path(runfmt.MetricsFile)) != "{\"epoch\":1}\n" {
		t.Errorf("after the kill: %s, want unfinished with one line", r.State())
	}

	// Two opens in one process exclude each other too.
	_, err = OpenRun(testCell(out), "w")
	wantError(t, err, "in use by process")
}

func TestTruncateMetrics(t *testing.T) {
	r := open(t, testCell(t.TempDir()), "w")
	const start, one, two = `{"note":"start"}` + "\n", `{"epoch":1}` + "\n", `{"epoch":2}` + "\n"
	for _, test := range []struct {
		text   string
		epochs int
		want   string
	}{
		{start + one + two, 2, start + one + two},
		{start + one + two, 1, start + one},
		{start + one + two, 0, ""},
		{one + `{"epo`, 5, one},                // cut in the middle of a line
		{one + `{"epoch":2}`, 2, one},          // a whole object, but its end may be missing
		{one + "\x00\x00\x00\n" + two, 2, one}, // a block that never reached the disk
		{one + two + one, 1, one},
		{"", 3, ""},
	} {
		put(t, r.path(runfmt.MetricsFile), test.text)
		if _, err := r.TruncateMetrics(test.epochs); err != nil {
			t.Fatal(err)
		}
		if got := get(t, r.path(runfmt.MetricsFile)); got != test.want {
			t.Errorf("%q cut to %d epochs: %q, want %q", test.text, test.epochs, got, test.want)
		}
	}
	if err := r.Log(map[string]any{"epoch": 1}); err != nil || get(t, r.path(runfmt.MetricsFile)) != one {
		t.Errorf("log after cutting: %v", err)
	}
	wantError(t, r.Log(map[string]any{"loss": math.NaN()}), "metrics.jsonl: json: unsupported value: NaN")
}

// /dev/full is a disk without space.
func TestLogOnFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full")
	}
	r := open(t, testCell(t.TempDir()), "w")
	if err := os.Symlink("/dev/full", r.path(runfmt.MetricsFile)); err != nil {
		t.Fatal(err)
	}
	wantError(t, r.Log(map[string]any{"epoch": 1}), "no space left on device")
}

func TestDatasetName(t *testing.T) {
	for in, want := range map[string]string{"clutter": "clutter", "my.d/night sky.yaml": "night sky", "a/b.yml": "b"} {
		if got := DatasetName(in); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}
