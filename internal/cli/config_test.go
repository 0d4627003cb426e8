package cli

import (
	"path/filepath"
	"strings"
	"testing"
)

// What config prints is a configuration of the same runs.
func TestConfigCommand(t *testing.T) {
	dir := t.TempDir()
	put(t, []byte("shots: 2\n"), dir, "base.yaml")
	file := put(t, []byte("include: base.yaml\nmethod: clip\ndata: {classes: 4, test_per_class: 2}\n"), dir, "x.yaml")
	o := mustRun(t, "config", file, "out="+filepath.Join(dir, "out"))
	for _, want := range []string{"# include " + filepath.Join(dir, "base.yaml") + ":1\n", "# " + file + ":2\n", "# default\n", "# override out="} {
		if !strings.Contains(o.out, want) {
			t.Errorf("no %q in\n%s", want, o.out)
		}
	}
	printed := put(t, []byte(o.out), dir, "printed.yaml")
	mustRun(t, "run", file, "out="+filepath.Join(dir, "out"), "--sheet=false")
	again := mustRun(t, "run", printed, "--sheet=false")
	if !strings.Contains(again.stderr, "done before") {
		t.Errorf("the printed file runs something else: %s", again.stderr)
	}
	wantLine(t, run(t, "config", file, "shotz=3"), "override shotz=3: unknown key shotz, did you mean shots?")
}
