package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/experiments/runfmt"
)

// Runs become a page and figures; a broken one is told and left out.
func TestReportAndPlot(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "runs")
	mustRun(t, small(out, "method=[clip, coop+spotlighter]")...)
	page := filepath.Join(dir, "page.html")
	if o := mustRun(t, "report", out, "-o", page); o.out != page+"\n" || o.stderr != "" {
		t.Errorf("report says %+v", o)
	}
	text := string(read(t, page))
	for _, want := range []string{"<!DOCTYPE html>", "clip-clutter-s1-", "Runs: 2 done", "Classes against zero-shot", "data:image/png;base64,"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, args := range []string{"bars -o DIR/x.png", "bars --metric novel -o DIR/x.svg", "curves -o DIR/x.pdf"} {
		f := strings.Fields(strings.ReplaceAll(args, "DIR", dir))
		path := f[len(f)-1]
		if o := mustRun(t, append([]string{"plot", f[0], out}, f[1:]...)...); o.out != path+"\n" || o.stderr != "" {
			t.Errorf("plot %s says %+v", args, o)
		}
		if len(read(t, path)) < 2000 {
			t.Errorf("%s is nearly empty", path)
		}
	}

	metrics := filepath.Join(folder(t, out, "coop"), runfmt.MetricsFile)
	whole := read(t, metrics)
	put(t, whole[:len(whole)-9], metrics)
	result := filepath.Join(folder(t, out, "clip"), runfmt.ResultFile)
	put(t, []byte(strings.Replace(string(read(t, result)), `"schema": 1`, `"schema": 9`, 1)), result)
	o := mustRun(t, "report", out, "-o", page)
	want := []string{
		"spotlighter: broken: " + result + ": schema 9, want at most 1; written by a newer program",
		"spotlighter: broken: " + metrics + ":2: cut in the middle of the line after ",
	}
	lines := strings.Split(strings.TrimSpace(o.stderr), "\n")
	if len(lines) != 2 || lines[0] != want[0] || !strings.HasPrefix(lines[1], want[1]) {
		t.Errorf("report says\n%s\nwant\n%s", o.stderr, strings.Join(want, "\n"))
	}
	if !strings.Contains(string(read(t, page)), "Runs: 2 broken") {
		t.Error("the page does not say which runs are broken")
	}

	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"report", 2, "spotlighter report: requires at least 1 arg(s), only received 0"},
		{"report DIR/empty", 1, "runs: DIR/empty holds no run folder"},
		{"report DIR/none", 1, "runs: stat DIR/none: no such file or directory"},
		{"plot bars DIR/runs -o DIR/x.gif", 2, `plot DIR/x.gif: ending ".gif", want .png, .svg or .pdf`},
		{"plot bars DIR/runs --metric loss", 1, `plot: metric "loss" is none of hm, base, novel`},
		{"plot pies", 2, `spotlighter plot: unknown command "pies" for "spotlighter plot"`},
	} {
		o := run(t, strings.Fields(strings.ReplaceAll(test.args, "DIR", dir))...)
		if want := "spotlighter: " + strings.ReplaceAll(test.want, "DIR", dir) + "\n"; o.code != test.code || o.out != "" || !strings.HasSuffix(o.stderr, want) {
			t.Errorf("%s\n got %+v\nwant %d %s", test.args, o, test.code, want)
		}
	}
	tidy(t, dir)
}
