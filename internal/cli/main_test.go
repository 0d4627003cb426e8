package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spotlighter/experiments/runfmt"
)

// program is the binary, built once, that the tests run as a user would.
var program string

func TestMain(m *testing.M) { os.Exit(build(m)) }

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "spotlighter")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "spotlighter.exe")
	if out, err := exec.Command("go", "build", "-o", program, "spotlighter").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// outcome is what a user sees of one call.
type outcome struct {
	code        int
	out, stderr string
}

// call is the program at work.
type call struct {
	*exec.Cmd
	out, stderr bytes.Buffer
	ended       chan struct{} // closed when the process is gone
}

func start(t *testing.T, args ...string) *call {
	t.Helper()
	c := &call{Cmd: exec.Command(program, args...), ended: make(chan struct{})}
	c.Stdout, c.Stderr = &c.out, &c.stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = c.Cmd.Wait() // the exit code says it
		close(c.ended)
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill()
		<-c.ended
	})
	return c
}

// wait waits for the end.
func (c *call) wait() outcome {
	<-c.ended
	return outcome{c.ProcessState.ExitCode(), c.out.String(), c.stderr.String()}
}

// alive says whether the process is still there.
func (c *call) alive() bool {
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// until waits for ok, while the program is alive.
func (c *call) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if !c.alive() {
			t.Fatalf("the program ended before %s: %+v", what, c.wait())
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %s within a minute", what)
		}
	}
}

func run(t *testing.T, args ...string) outcome {
	t.Helper()
	return start(t, args...).wait()
}

// mustRun wants success.
func mustRun(t *testing.T, args ...string) outcome {
	t.Helper()
	o := run(t, args...)
	if o.code != 0 {
		t.Fatalf("%v: exit code %d: %s", args, o.code, o.stderr)
	}
	return o
}

// lastLine is the last line of stderr, which must end there.
func lastLine(o outcome) string {
	lines := strings.Split(o.stderr, "\n")
	if len(lines) < 2 || lines[len(lines)-1] != "" {
		return "no whole line: " + o.stderr
	}
	return lines[len(lines)-2]
}

// small is a debug run: 4 classes, a few images, in the folder out.
func small(out string, overrides ...string) []string {
	return append([]string{"run", "../../experiments/debug.yaml", "out=" + out}, overrides...)
}

// folder is the one run folder below out whose name begins with prefix.
func folder(t *testing.T, out, prefix string) string {
	t.Helper()
	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), prefix) {
			found = append(found, filepath.Join(out, e.Name()))
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d run folders %s* in %s, want 1: %v", len(found), prefix, out, found)
	}
	return found[0]
}

func exists(elem ...string) bool {
	_, err := os.Stat(filepath.Join(elem...))
	return err == nil
}

func read(t *testing.T, elem ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// numbers is everything that a run folder says and that must not depend on
// when, where and in how many goes it was run: by file its bytes, of the result
// all but times and speeds.
func numbers(t *testing.T, dir string) map[string]string {
	t.Helper()
	n := map[string]string{}
	for _, name := range []string{runfmt.CheckpointFile, runfmt.MetricsFile, runfmt.ExamplesFile} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		n[name] = string(text)
	}
	var result map[string]any
	if err := json.Unmarshal(read(t, dir, runfmt.ResultFile), &result); err != nil {
		t.Fatal(err)
	}
	for key, value := range result {
		if !strings.HasSuffix(key, "_seconds") && !strings.HasSuffix(key, "_per_second") {
			n[key] = fmt.Sprint(value)
		}
	}
	return n
}

// same wants two runs to have the same numbers, to the bit.
func same(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for key := range want {
		if got[key] != want[key] {
			t.Errorf("%s: %s differs: %.200q, want %.200q", what, key, got[key], want[key])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d values, want %d", what, len(got), len(want))
	}
}

// tidy wants no temporary file below dir.
func tidy(t *testing.T, dir string) {
	t.Helper()
	err := filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		if strings.HasSuffix(path, ".tmp") {
			t.Errorf("%s was left behind", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// names is the names of what is in dir, in order.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}
