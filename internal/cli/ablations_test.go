package cli

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/experiments/runfmt"
)

// ablationArgs is an ablation of seconds.
func ablationArgs(out string, more ...string) []string {
	return append([]string{"ablations", "--datasets", "clutter", "--seeds", "1", "-o", filepath.Join(out, "results"), "out=" + filepath.Join(out, "runs"),
		"data.classes=4", "data.test_per_class=4", "shots=2", "train.epochs=2", "train.batch=4", "train.views=1"}, more...)
}

// Every row runs. One that is done is not run again, one that is gone is, and the
// files say what was run.
func TestAblationsCommand(t *testing.T) {
	out := t.TempDir()
	if dry := mustRun(t, ablationArgs(out, "--dry-run")...); !strings.Contains(dry.stderr, " 0 done, ") || exists(out, "runs") || exists(out, "results") {
		t.Errorf("a dry run: %s", dry.stderr)
	}
	tables := []string{"methods", "bank", "read", "learned", "local_loss"}
	mustRun(t, ablationArgs(out, tables...)...)
	page := string(read(t, out, "results", "ablations.md"))
	if strings.Contains(page, "Not finished") || strings.Contains(page, "of 1 run") {
		t.Errorf("not all rows ran:\n%s", page)
	}
	for _, name := range tables {
		if !exists(out, "results", "ablations", name+".png") || !strings.Contains(page, "(ablations/"+name+".png)") {
			t.Errorf("no plot of %s", name)
		}
	}
	f, err := os.Open(filepath.Join(out, "results", "ablations.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil || len(lines) != 1+4+5+3+4+2 {
		t.Errorf("%d lines, %v", len(lines), err)
	}
	if err := os.Remove(filepath.Join(folder(t, filepath.Join(out, "runs"), "clip+spotlighter"), runfmt.ResultFile)); err != nil {
		t.Fatal(err)
	}
	again := mustRun(t, ablationArgs(out, "methods")...)
	if !strings.HasPrefix(again.stderr, "ablations: 4 cells, 3 done, 0 missing, 1 broken; about ") || strings.Count(again.stderr, "  HM ") != 1 {
		t.Error(again.stderr)
	}
	tidy(t, out)
}

func TestAblationsMistakes(t *testing.T) {
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"kept"}, 1, `ablation "kept" is none of methods, tokens`},
		{[]string{"keep", "--seeds", "x"}, 2, `--seeds: found "x", want seeds such as 1-3 or 1,4`},
		{[]string{"keep", "--threads", "-1"}, 2, "--threads: found -1, want at least 0"},
		{[]string{"keep", "protocol=few-shot"}, 1, `keep: row "5": protocol: found few-shot, want base-to-novel`},
		{[]string{"keep", "train.epoch=1"}, 1, `keep.yaml: row "5": override train.epoch=1: unknown key train.epoch, did you mean train.epochs?`},
		{[]string{"keep", "spotlight.blocks=[9]", "out=" + t.TempDir()}, 1, `keep: 5 on clutter: spotlight.blocks: 9, the image encoder has blocks 1 to 5`},
	} {
		o := run(t, append([]string{"ablations", "--quiet", "-o", filepath.Join(t.TempDir(), "x")}, test.args...)...)
		if o.code != test.code || o.out != "" || !strings.HasPrefix(lastLine(o), "spotlighter: "+test.want) {
			t.Errorf("%v: %+v\nwant %d, %s", test.args, o, test.code, test.want)
		}
	}
}
