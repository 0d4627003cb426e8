//go:build linux

package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"spotlighter/experiments/runfmt"
)

// nobody is a user who may write nowhere that is not everybody's.
const nobody = 65534

// asNobody runs the program as a user whom permissions bind; the superuser's
// tests can.
func asNobody(t *testing.T, args ...string) outcome {
	t.Helper()
	if os.Getuid() != 0 {
		return run(t, args...)
	}
	c := exec.Command(program, args...)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	c.Env = append(os.Environ(), "HOME=/nonexistent")
	var out, stderr strings.Builder
	c.Stdout, c.Stderr = &out, &stderr
	if err := c.Start(); err != nil {
		t.Skipf("this machine starts no program as another user: %v", err)
	}
	_ = c.Wait() // the exit code says it
	return outcome{c.ProcessState.ExitCode(), out.String(), stderr.String()}
}

// A results folder that cannot be written: what is done is read and tabled,
// what is not is one line that names the folder.
func TestReadOnlyResults(t *testing.T) {
	out := t.TempDir()
	for dir := out; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := filepath.Abs(config)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"run", file, "out=" + out, "--sheet=false", "--quiet"}
	mustRun(t, append(args, "method=clip")...)
	err = filepath.Walk(out, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(path, info.Mode()&^0o222)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = filepath.Walk(out, func(path string, info os.FileInfo, err error) error { return os.Chmod(path, info.Mode()|0o200) })
	})
	t.Chdir("/") // nobody may not enter the sources
	put(t, read(t, file), filepath.Dir(program), "debug.yaml")
	args[1] = filepath.Join(filepath.Dir(program), "debug.yaml")
	if o := asNobody(t, append(args, "method=clip")...); o.code != 0 || !strings.Contains(o.out, "clip") {
		t.Errorf("a done run: %+v", o)
	}
	o := asNobody(t, append(args, "method=coop")...)
	wantLine(t, o, "open run: mkdir "+filepath.Join(out, "coop-clutter"))
	if !strings.Contains(o.stderr, "permission denied") {
		t.Errorf("%+v", o)
	}
	if err := os.Remove(filepath.Join(folder(t, out, "clip"), runfmt.ResultFile)); os.Getuid() == 0 && err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 { // begun, and not done
		o := asNobody(t, append(args, "method=clip")...)
		wantLine(t, o, "open run: open "+filepath.Join(folder(t, out, "clip"), runfmt.LockFile)+": permission denied")
	}
}
