package cli

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/experiments/runfmt"
)

// A run that is looked into has the numbers of one that is not.
func TestRunInspectedIsTheSame(t *testing.T) {
	plain, looked := t.TempDir(), t.TempDir()
	args := []string{"method=coop+spotlighter", "--quiet"}
	mustRun(t, small(plain, args...)...)
	o := mustRun(t, small(looked, append(args, "--check-numerics", "--dump", "score", "--dump", "grad/spotlight.*", "--dump", "visual.ln_post/*")...)...)
	dir := folder(t, looked, "coop")
	if a, b := numbers(t, folder(t, plain, "coop")), numbers(t, dir); !maps.Equal(a, b) {
		t.Errorf("looking into a run changes it:\n%s\n%s", a, b)
	}
	for _, name := range []string{"step/score", "classify/score", "step/grad__spotlight.gamma", "encode/visual.ln_post__layernorm"} {
		text, err := os.ReadFile(filepath.Join(dir, "dump", name+".npy"))
		if err != nil || !strings.HasPrefix(string(text), "\x93NUMPY") {
			t.Errorf("%s: %v, %d bytes", name, err, len(text))
		}
		if !strings.Contains(o.stderr, name+".npy\n") {
			t.Errorf("stderr does not name %s: %s", name, o.stderr)
		}
	}
	o = run(t, small(looked, append(args, "--dump", "score")...)...)
	if o.code != 1 || !strings.Contains(lastLine(o), "--force") {
		t.Errorf("a dump of a run that is done: %+v", o)
	}
	o = run(t, small(looked, append(args, "--force", "--dump", "spotlight/no-such")...)...)
	if o.code != 1 || !strings.Contains(lastLine(o), `--dump: node "spotlight/no-such": no program that ran has it; it has `) {
		t.Errorf("a dump of no node: %+v", o)
	}
	if o = run(t, small(looked, "--dump", "[")...); o.code != 2 {
		t.Errorf("a pattern that is none: %+v", o)
	}
}

// A learning rate that breaks the model is found at the first op that breaks.
func TestRunCheckNumerics(t *testing.T) {
	out := t.TempDir()
	o := run(t, small(out, "method=coop+spotlighter", "train.lr=1e38", "--quiet", "--check-numerics")...)
	line := lastLine(o)
	if o.code != 1 || o.out != "" || !strings.Contains(line, ", node ") || !strings.Contains(line, "Inf") && !strings.Contains(line, "NaN") || !strings.Contains(line, "operands: ") {
		t.Errorf("%+v", o)
	}
	if exists(folder(t, out, "coop"), runfmt.ResultFile) {
		t.Error("the run has a result")
	}
}

func TestGradcheckCommand(t *testing.T) {
	args := []string{"gradcheck", "../../experiments/debug.yaml", "method=coop+spotlighter", "--images", "2", "--elements", "2", "--steps", "1"}
	o := mustRun(t, append(args, "method=[tip-adapter, coop+spotlighter]")...)
	if o.stderr != "method tip-adapter is fitted at once: no training step to check\n" {
		t.Errorf("says %q", o.stderr)
	}
	for _, w := range []string{"prompt.context", "spotlight.gamma", "float64", "held, as without a gradient: ", "gradients agree with finite differences to 1e-06"} {
		if !strings.Contains(o.out, w) {
			t.Errorf("no %q in\n%s", w, o.out)
		}
	}
	// Rounding alone is more than 1e-300: an error is seen, named, and costs the exit code.
	o = run(t, append(args, "--tol", "1e-300", "--step", "1")...)
	if o.code != 1 || !strings.Contains(o.out, "OFF") || !strings.Contains(lastLine(o), "gradients are off: prompt.context of coop+spotlighter") {
		t.Errorf("%+v", o)
	}
	o = run(t, "gradcheck", "../../experiments/debug.yaml", "method=[clip, linear-probe]")
	wantLine(t, o, "gradcheck: method clip learns nothing: no training step to check; method linear-probe is fitted at once: no training step to check")
	if o = run(t, append(args, "--images", "0")...); o.code != 2 {
		t.Errorf("%+v", o)
	}
}
