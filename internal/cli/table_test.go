package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/experiments/methods"
	"spotlighter/experiments/runfmt"
	"spotlighter/results"
)

// tableArgs is a table of seconds.
func tableArgs(out string, more ...string) []string {
	return append([]string{"table", "base-to-novel", "--datasets", "clutter", "--methods", "clip,coop", "--seeds", "1-2", "out=" + out,
		"data.classes=4", "data.test_per_class=4", "shots=2", "train.epochs=2", "train.batch=4", "train.views=1"}, more...)
}

// A table is planned, made once, and made whole again when cells are gone; the
// files say what the terminal says.
func TestTableCommand(t *testing.T) {
	out := t.TempDir()
	dry := mustRun(t, tableArgs(out, "--dry-run")...)
	if want := "base-to-novel: 4 cells, 0 done, 4 missing, 0 broken; the time is known after the first run\n"; dry.stderr != want {
		t.Errorf("plan %q, want %q", dry.stderr, want)
	}
	if !strings.Contains(dry.out, "not run: 4 runs, such as clip on clutter seed 1") || exists(out, "table-base-to-novel.md") {
		t.Errorf("%s", dry.out)
	}
	first := mustRun(t, tableArgs(out)...)
	if n := strings.Count(first.stderr, "  base "); n != 4 {
		t.Errorf("%d of 4 cells ran:\n%s", n, first.stderr)
	}
	for _, format := range results.TableFormats {
		if !exists(out, "table-base-to-novel."+format) {
			t.Errorf("no %s", format)
		}
	}
	again := mustRun(t, tableArgs(out, "--json")...)
	if want := "base-to-novel: 4 cells, 4 done, 0 missing, 0 broken\n"; again.stderr != want {
		t.Errorf("%q, want %q", again.stderr, want)
	}
	var c results.Comparison
	if err := json.Unmarshal([]byte(again.out), &c); err != nil || len(c.Rows) != 2 || c.Rows[1].Done != 2 || c.Baseline != "coop" {
		t.Errorf("%v %+v", err, c)
	}
	coop := folder(t, out, "coop-clutter-s2")
	if err := os.Remove(filepath.Join(coop, runfmt.ResultFile)); err != nil {
		t.Fatal(err)
	}
	put(t, []byte(`{"schema": 99}`), folder(t, out, "clip-clutter-s1"), runfmt.ResultFile)
	third := run(t, tableArgs(out)...)
	if !strings.HasPrefix(third.stderr, "base-to-novel: 4 cells, 2 done, 0 missing, 2 broken; about ") {
		t.Errorf("%s", third.stderr)
	}
	if third.code != 1 || !strings.Contains(lastLine(third), "1 of 2 cells are broken, such as: ") || !strings.Contains(lastLine(third), "schema 99, want at most 1; written by a newer program") {
		t.Errorf("%+v", third)
	}
	if !strings.Contains(third.out, "broken: 1 run, such as clip on clutter seed 1") || !exists(coop, runfmt.ResultFile) {
		t.Errorf("the other cell was not spared:\n%s", third.out)
	}
	forced := mustRun(t, tableArgs(out, "--force", "--quiet")...)
	if forced.stderr != "" || strings.Contains(forced.out, "broken") {
		t.Errorf("%+v", forced)
	}
}

// The shots of a few-shot table are its rows.
func TestFewShotTable(t *testing.T) {
	out := t.TempDir()
	o := mustRun(t, "table", "few-shot", "--datasets", "clutter", "--methods", "coop", "--seeds", "1", "--shots", "1,2", "--formats", "csv", "out="+out,
		"data.classes=6", "data.test_per_class=2", "train.epochs=1", "train.warmup_epochs=0", "train.views=1")
	for _, want := range []string{"clutter, 1 shot   coop", "clutter, 2 shots  coop", "top-5"} {
		if !strings.Contains(o.out, want) {
			t.Errorf("no %q in\n%s", want, o.out)
		}
	}
	if strings.Contains(o.out, "average") {
		t.Errorf("an average over shots:\n%s", o.out)
	}
	if !exists(out, "table-few-shot.csv") || exists(out, "table-few-shot.md") {
		t.Errorf("files: %v", names(t, out))
	}
}

func TestTableMistakes(t *testing.T) {
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"table", "base2new"}, 2, `table: protocol "base2new" is none of base-to-novel, few-shot`},
		{[]string{"table", "few-shot", "--formats", "pdf"}, 2, `--formats: "pdf" is none of md, tex, csv, json, html`},
		{[]string{"table", "few-shot", "--shots", "0"}, 2, "--shots: found 0, want at least 1"},
		{[]string{"table", "base-to-novel", "--against", "maple"}, 2, `--against: "maple" is none of the methods clip`},
		{[]string{"table", "zero-shot", "--methods", "coop"}, 1, `override method=["coop"]: method: coop learns, protocol zero-shot has nothing to learn from`},
		{[]string{"table", "base-to-novel", "--datasets", "cluter"}, 1, `override dataset=["cluter"]: dataset: "cluter" is none of`},
		{[]string{"table", "base-to-novel", "spotlight.window=3", "spotlight.keep=9", "spotlight.blocks=[40]", "--quiet", "out=" + t.TempDir()}, 1, "clip on clutter: spotlight.blocks: 40, the image encoder has blocks 1 to 5"},
	} {
		o := run(t, test.args...)
		if o.code != test.code || o.out != "" || !strings.HasPrefix(lastLine(o), "spotlighter: "+test.want) {
			t.Errorf("%v: %+v\nwant %d, %s", test.args, o, test.code, test.want)
		}
	}
}

// All methods that there are, each by its recipe, are a table of their own.
func TestTableOfAllMethods(t *testing.T) {
	out := t.TempDir()
	args := []string{"table", "base-to-novel", "--methods", "all", "--datasets", "clutter", "--seeds", "1", "--formats", "md", "out=" + out}
	o := mustRun(t, append(args, "--dry-run")...)
	names := methods.Names()
	if want := fmt.Sprintf("base-to-novel-all: %d cells, 0 done, %d missing, 0 broken; ", len(names), len(names)); !strings.HasPrefix(o.stderr, want) {
		t.Errorf("plan %q, want %q", o.stderr, want)
	}
	if strings.Contains(o.stderr, "published") {
		t.Errorf("the embedded CLIP has the published recipes: %s", o.stderr)
	}
	real := mustRun(t, "table", "base-to-novel", "--methods", "all", "--datasets", "dtd", "--dry-run", "data.root=DATA", "clip=ViT-B-16.pt", "out="+t.TempDir())
	for i, want := range []string{
		"clip is ViT-B-16.pt, not the embedded one: each method by its published recipe for base to novel, experiments/published.yaml",
		fmt.Sprintf("base-to-novel-all: %d cells, 0 done, ", 3*len(names)),
	} {
		if lines := strings.Split(real.stderr, "\n"); len(lines) < 2 || !strings.HasPrefix(lines[i], want) {
			t.Errorf("says %q, want %q", real.stderr, want)
		}
	}
	for _, name := range names {
		if !strings.Contains(o.out, " "+name+" ") {
			t.Errorf("no row of %s:\n%s", name, o.out)
		}
	}
	if again := run(t, append(args[:2:2], "--methods", "all,coop", "--dry-run")...); again.code != 1 || !strings.Contains(lastLine(again), `method: "all" is none of `) {
		t.Errorf("%+v", again)
	}
}
