package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/experiments/runfmt"
	"spotlighter/results"
)

// quick is the quickstart cut down to seconds.
func quick(out string, args ...string) []string {
	return append([]string{"quickstart", "out=" + out, "dataset=[clutter, fog]", "seed=[1, 2]", "data.classes=4",
		"data.test_per_class=4", "shots=2", "train.epochs=2", "train.batch=4", "train.views=1"}, args...)
}

// The table and its JSON say the same numbers; progress stays out of them.
func TestTableAndJSON(t *testing.T) {
	out := t.TempDir()
	first := mustRun(t, quick(out, "--json")...)
	if n := strings.Count(first.stderr, "\n"); n != 16+8*2 || !strings.HasPrefix(first.stderr, "[ 1/16] clip clutter seed 1  base ") {
		t.Errorf("progress has %d lines, want one a run and one an epoch:\n%s", n, first.stderr)
	}
	var table results.Table
	if err := json.Unmarshal([]byte(first.out), &table); err != nil {
		t.Fatalf("%v:\n%s", err, first.out)
	}
	if len(table.Rows) != 8 || len(table.Average) != 4 || len(table.Seeds) != 2 || table.Baseline != "coop" {
		t.Errorf("%d rows, %d averages, seeds %v, baseline %s", len(table.Rows), len(table.Average), table.Seeds, table.Baseline)
	}

	second := mustRun(t, quick(out, "--quiet")...)
	if second.stderr != "" {
		t.Errorf("--quiet says %q", second.stderr)
	}
	lines := strings.Split(second.out, "\n")
	find := func(title string, r results.Row) {
		in := false
		for _, l := range lines {
			in = in && l != "" || l == title
			if f := strings.Fields(l); !in || len(f) == 0 || f[0] != r.Method {
				continue
			}
			for _, s := range []results.Stat{r.Base, r.Novel, r.HM} {
				if want := fmt.Sprintf(" %.1f ±%.1f", s.Mean, s.Std); !strings.Contains(l, want) {
					t.Errorf("%s: %q lacks%s", title, l, want)
				}
			}
			if rest := r.TrainableScalars - r.PromptScalars; rest > 0 && !strings.Contains(l, fmt.Sprintf("%d+%d", r.PromptScalars, rest)) {
				t.Errorf("%s: %q lacks %d+%d scalars", title, l, r.PromptScalars, rest)
			}
			return
		}
		t.Errorf("no row %s of %s in\n%s", r.Method, title, second.out)
	}
	for _, r := range table.Rows {
		find(r.Dataset, r)
	}
	for _, r := range table.Average {
		find("average of 2", r)
	}
	for _, want := range []string{"\nruns: " + out + "\n", "\nkept tokens: " + filepath.Join(out, "quickstart.png") + "\n"} {
		if !strings.Contains(second.out, want) {
			t.Errorf("table lacks %q", want)
		}
	}
	if png := read(t, out, "quickstart.png"); !strings.HasPrefix(string(png), "\x89PNG\r\n") {
		t.Errorf("quickstart.png starts with %.8q", png)
	}
	tidy(t, out)
}

// A method's scalars are K + H + 8 beside the prompt's: 21 by default.
func TestParams(t *testing.T) {
	for _, test := range []struct {
		keep, heads, want int
	}{{5, 8, 21}, {7, 4, 19}} {
		o := mustRun(t, "params", config, "method=[coop, coop+spotlighter]", "spotlight.window=3",
			fmt.Sprintf("spotlight.keep=%d", test.keep), fmt.Sprintf("spotlight.heads=%d", test.heads))
		var totals []int
		sum := 0
		for line := range strings.Lines(o.out) {
			var name, shape string
			var tensors, n int
			if _, err := fmt.Sscanf(line, " total %d tensors %d", &tensors, &n); err == nil {
				if n != sum {
					t.Errorf("total %d, the rows sum to %d", n, sum)
				}
				totals, sum = append(totals, n), 0
			} else if _, err := fmt.Sscanf(line, "%s %s", &name, &shape); err == nil && strings.HasPrefix(shape, "[") {
				f := strings.Fields(line)
				if _, err := fmt.Sscan(f[len(f)-1], &n); err != nil {
					t.Fatal(err)
				}
				sum += n
			}
		}
		if len(totals) != 2 || totals[0] != 4*128 || totals[1]-totals[0] != test.want {
			t.Errorf("keep %d, heads %d: totals %v, want 512 and %d more:\n%s", test.keep, test.heads, totals, test.want, o.out)
		}
	}
}

// A published shape needs no weights, and gives the published counts.
func TestParamsOfShape(t *testing.T) {
	for _, test := range []struct {
		shape, config string
		more          []string
		want          map[string]string // by method
	}{
		{"ViT-B/16", "coop.yaml", nil, map[string]string{"coop": "1 tensors 2048"}},
		{"ViT-B/16", "maple.yaml", nil, map[string]string{"maple": "27 tensors 3555072"}},
		{"ViT-B/32", "clipfit.yaml", nil, map[string]string{"clipfit": "64 tensors 46080"}},
		{"ViT-L/14", "coop.yaml", nil, map[string]string{"coop": "1 tensors 3072"}},
		// 9 blocks of 4 prompts of 768, and the projection into the 768 of the teacher.
		{"ViT-B/16", "promptkd.yaml", []string{"method=promptkd", "promptkd.clip=ViT-L/14"}, map[string]string{
			"promptkd": fmt.Sprintf("15 tensors %d", 9*4*768+(512*768+768)+2*768+(768*768+768))}},
	} {
		o := mustRun(t, append([]string{"params", "../../experiments/" + test.config, "--as", test.shape}, test.more...)...)
		for method, want := range test.want {
			_, list, ok := strings.Cut("\n"+o.out, "\n"+method+" ")
			_, total, found := strings.Cut(list, "  total ")
			if total, _, _ = strings.Cut(total, "\n"); !ok || !found || strings.Join(strings.Fields(total), " ") != want {
				t.Errorf("%s as %s: %s has %q, want %q", test.config, test.shape, method, total, want)
			}
		}
	}
	o := run(t, "params", config, "--as", "ViT-H/14")
	if want := `--as: "ViT-H/14", want ViT-B/32, ViT-B/16 or ViT-L/14`; o.code != 2 || !strings.Contains(o.stderr, want) {
		t.Errorf("%+v, want %s", o, want)
	}
}

// The summary has each layer of the step, with the trainable scalars that the list
// has, and arithmetic that grows with the batch.
func TestParamsSummary(t *testing.T) {
	flops := func(batch int) (total float64) {
		o := mustRun(t, "params", config, "--summary", "method=[clip,coop+spotlighter]", fmt.Sprintf("train.batch=%d", batch))
		if strings.Count(o.out, "no training step") != 1 {
			t.Errorf("clip has a step:\n%s", o.out)
		}
		_, table, ok := strings.Cut(o.out, "layer ")
		if !ok || !strings.HasPrefix(strings.Join(strings.Fields(table), " "), "shape ops trainable frozen state MFLOP ") {
			t.Fatalf("no summary:\n%s", o.out)
		}
		listed, trainable, sum := 0, 0, 0.
		for line := range strings.Lines(o.out) { // the last total is the step's method's
			_, _ = fmt.Sscanf(line, " total %d tensors %d", new(int), &listed)
		}
		for line := range strings.Lines(table) {
			f := strings.Fields(line)
			switch {
			case len(f) < 3 || f[0] == "shape":
			case f[0] == "total":
				if _, err := fmt.Sscan(f[len(f)-1], &total); err != nil {
					t.Fatal(err)
				}
			default:
				var n int
				var m float64
				if _, err := fmt.Sscan(f[len(f)-4]+" "+f[len(f)-1], &n, &m); err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				trainable, sum = trainable+n, sum+m
			}
		}
		if trainable != listed || listed == 0 || math.Abs(sum-total) > .05*float64(strings.Count(table, "\n")) {
			t.Errorf("batch %d: %d trainable scalars of %d; layers of %.1f MFLOP, total %.1f:\n%s", batch, trainable, listed, sum, total, o.out)
		}
		return total
	}
	if few, many := flops(2), flops(4); few <= 0 || many <= few {
		t.Errorf("%.1f MFLOP for 2 images, %.1f for 4", few, many)
	}
}

// Every committed experiment can be opened, and the debug one runs as it says.
func TestExperimentFiles(t *testing.T) {
	paths, err := filepath.Glob("../../experiments/*.yaml")
	if err != nil || len(paths) < 3 {
		t.Fatalf("%v %v", paths, err)
	}
	larger := map[string]string{ // those of a CLIP that is not here
		"maple.yaml": "maple.depth: 9, the text encoder has 2 blocks", "promptsrc.yaml": `"a photo of many `,
		"published.yaml": "weights ViT-B-16.pt: no such file",
	}
	for _, p := range paths {
		if words, ok := larger[filepath.Base(p)]; ok {
			wantLine(t, run(t, "params", p), words)
			continue
		}
		if strings.Contains(mustRun(t, "config", p).out, "  root: \"DATA\" ") { // it stands on images that are not here
			wantLine(t, run(t, "params", p), "data.root: stat DATA: no such file or directory")
			continue
		}
		if o := mustRun(t, "params", p); !strings.Contains(o.out, "total  ") {
			t.Errorf("%s: %s", p, o.out)
		}
	}
	out := t.TempDir()
	if o := mustRun(t, small(out)...); !strings.Contains(o.out, "base-to-novel; mean ± standard deviation over 1 seed") {
		t.Errorf("%s", o.out)
	}
	mustRun(t, "help", "run")
}

// A table that cannot be written is an error, not a success without words.
func TestFullStdout(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full")
	}
	defer full.Close()
	out := t.TempDir()
	for _, flag := range []string{"--json", "--quiet"} {
		cmd := exec.Command(program, small(out, flag, "method=clip")...)
		cmd.Stdout = full
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.HasSuffix(stderr.String(), "no space left on device\n") {
			t.Errorf("%s: %v, %s", flag, err, stderr.String())
		}
		if !exists(folder(t, out, "clip"), runfmt.ResultFile) {
			t.Error("the run itself was well and has no result")
		}
	}
}
