package cli

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"spotlighter/experiments"
	"spotlighter/experiments/runfmt"
)

// The program says its version and the commit that it was built from; a run keeps
// both.
func TestVersion(t *testing.T) {
	m := regexp.MustCompile(`^spotlighter version (v0\.\d+\.\d+) \((?:([0-9a-f]{40})( \+ changes)?|no commit in this build)\)\n$`).FindStringSubmatch(mustRun(t, "--version").out)
	if m == nil {
		t.Fatalf("--version says %q", mustRun(t, "--version").out)
	}
	flags, err := exec.Command("go", "env", "GOFLAGS").Output()
	if err != nil {
		t.Fatal(err)
	}
	head, err := exec.Command("git", "rev-parse", "HEAD").Output()
	stamped := err == nil && !strings.Contains(string(flags), "-buildvcs=false")
	if stamped && strings.TrimSpace(string(head)) != m[2] {
		t.Errorf("built from %q, the sources are of %s", m[2], head)
	}
	out := t.TempDir()
	mustRun(t, small(out, "method=clip", "--quiet")...)
	var env experiments.Env
	if err := json.Unmarshal(read(t, folder(t, out, "clip"), runfmt.EnvFile), &env); err != nil {
		t.Fatal(err)
	}
	if s := env.Sessions[0]; s.Version != m[1] || s.RevisionOf == "build" && s.Revision != m[2] {
		t.Errorf("the run has %+v, the program is %q", s, m)
	}
}
