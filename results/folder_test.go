package results_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"spotlighter/experiments/runfmt"
	"spotlighter/results"
)

// find is the one folder whose name begins with prefix.
func find(t *testing.T, folders []results.Folder, prefix string) results.Folder {
	t.Helper()
	for _, f := range folders {
		if strings.HasPrefix(filepath.Base(f.Dir), prefix) {
			return f
		}
	}
	t.Fatalf("no folder %s*", prefix)
	return results.Folder{}
}

func mustOpen(t *testing.T, paths ...string) []results.Folder {
	t.Helper()
	folders, err := results.Open(paths...)
	if err != nil {
		t.Fatal(err)
	}
	return folders
}

func TestOpen(t *testing.T) {
	out := realRuns(t)
	folders := mustOpen(t, out)
	if len(folders) != 20 {
		t.Fatalf("%d folders, want 20", len(folders))
	}
	f := find(t, folders, "coop+spotlighter-fog-s2-")
	if f.State != results.Done || f.Method != "coop+spotlighter" || f.Dataset != "fog" || f.Seed != 2 || len(f.Metrics) != 3 ||
		len(f.Examples) != 12 || f.Result == nil || f.Setting("train.crop_scale") != "[0.8, 1]" || f.Setting("train.lr") != "0.02" ||
		f.Origin.Go == "" || len(f.Origin.Weights) != 64 || f.Holder == "" {
		t.Errorf("%+v", f)
	}
	// Run folders and folders of them may be named, also twice.
	if again := mustOpen(t, f.Dir, out, out+"/."); len(again) != 20 {
		t.Errorf("%d folders, want each once", len(again))
	}
	if one := mustOpen(t, f.Dir); len(one) != 1 {
		t.Errorf("%d folders, want the one named", len(one))
	}
	// A copy elsewhere is the same runs, until it has other numbers.
	other := copyRuns(t)
	if both := mustOpen(t, out, other); len(both) != 20 {
		t.Errorf("%d folders, want each cell once", len(both))
	}
	path := filepath.Join(find(t, mustOpen(t, other), "clip-fog-s1").Dir, runfmt.ResultFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, regexp.MustCompile(`"base": [0-9.]+`).ReplaceAll(text, []byte(`"base": 1.5`)), 0o644); err != nil {
		t.Fatal(err)
	}
	both := mustOpen(t, out, other)
	if page := write(t, both); len(both) != 21 || !strings.Contains(page, "clip on fog, seed 1, has two results") {
		t.Errorf("%d folders, want both runs of one cell and a line that says so", len(both))
	}
	empty := t.TempDir()
	file := filepath.Join(empty, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{empty: " holds no run folder", file: " is a file, want a folder", filepath.Join(empty, "absent"): "no such file"} {
		if _, err := results.Open(path); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", path, err, want)
		}
	}
}

func TestGroups(t *testing.T) {
	groups := results.Groups(mustOpen(t, realRuns(t)))
	if len(groups) != 2 || len(groups[0].Folders) != 16 || len(groups[1].Folders) != 4 || groups[1].Name != "B" {
		t.Fatalf("%d groups", len(groups))
	}
	// CLIP and CoOp without Spotlighter belong to both.
	if len(groups[0].Borrowed) != 0 || len(groups[1].Borrowed) != 8 || len(groups[1].All()) != 12 {
		t.Errorf("%d and %d borrowed, want 0 and 8", len(groups[0].Borrowed), len(groups[1].Borrowed))
	}
	diffs := results.Differences(groups)
	if len(diffs) != 1 || diffs[0].Key != "spotlight.keep" || diffs[0].Values[0] != "5" || diffs[0].Values[1] != "9" {
		t.Errorf("differences %+v, want spotlight.keep 5 and 9", diffs)
	}
	for _, s := range results.Common(groups) {
		if s.Key == "spotlight.keep" || s.Key == "seed" || s.Key == "threads" {
			t.Errorf("%s is said to be shared", s.Key)
		}
	}
}

// Every kind of damage is one line that names the file, and does not keep the
// other runs, or the rest of the run, from the page.
func TestBrokenRuns(t *testing.T) {
	out := copyRuns(t)
	folders := mustOpen(t, out)
	edit := func(prefix, name string, change func(string) string) string {
		t.Helper()
		path := filepath.Join(find(t, folders, prefix).Dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(change(string(text))), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cut := func(s string) string { return s[:len(s)*2/3] }
	faults := map[string]string{
		edit("coop-clutter-s1", runfmt.MetricsFile, cut): ":2: cut in the middle of the line after ",
		edit("coop-clutter-s2", runfmt.ResultFile, func(s string) string {
			return strings.Replace(s, `"schema": 1`, `"schema": 2`, 1)
		}): ": schema 2, want at most 1; written by a newer program",
		edit("clip-fog-s1", runfmt.ResultFile, cut):   ": not a whole result (",
		edit("clip-fog-s2", runfmt.ExamplesFile, cut): ": byte ",
		edit("coop-fog-s1", runfmt.EnvFile, cut):      ": not JSON (",
		edit("coop+spotlighter-fog-s1", runfmt.ConfigFile, func(string) string { return "method: [coop\nseed: }" }): ": not a configuration (",
	}
	stopped := find(t, folders, "coop-fog-s2")
	if err := os.Remove(filepath.Join(stopped.Dir, runfmt.ResultFile)); err != nil {
		t.Fatal(err)
	}

	folders = mustOpen(t, out)
	if s := find(t, folders, "coop-fog-s2").State; s != results.Unfinished {
		t.Errorf("a run without result is %s", s)
	}
	if f := find(t, folders, "coop-clutter-s1"); f.State != results.Broken || len(f.Metrics) != 1 || f.Result == nil {
		t.Errorf("with metrics that are cut: %s, %d epochs, result %v", f.State, len(f.Metrics), f.Result)
	}
	page := write(t, folders)
	found := 0
	for _, f := range folders {
		for _, fault := range f.Faults {
			found++
			if strings.Contains(fault, "\n") {
				t.Errorf("several lines: %q", fault)
			}
			ok := false
			for path, words := range faults {
				ok = ok || strings.HasPrefix(fault, path+words)
			}
			if !ok {
				t.Errorf("unexpected: %s", fault)
			}
		}
	}
	if found != len(faults) {
		t.Errorf("%d faults, want %d", found, len(faults))
	}
	for _, want := range []string{"13 done", "1 unfinished", "6 broken", "result.json: schema 2, want at most 1; written by a newer program", "metrics.jsonl:2: cut in the middle of the line after", "3 of 3"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, out) {
		t.Error("the page names folders of this machine")
	}
}

func write(t *testing.T, folders []results.Folder) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	if err := results.WriteReport(path, folders, "coop"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// One page, the same each time, whole in itself, whatever the names.
func TestReportPage(t *testing.T) {
	folders := mustOpen(t, realRuns(t))
	page := write(t, folders)
	if page != write(t, folders) {
		t.Error("the same folders make two pages")
	}
	for _, m := range regexp.MustCompile(`(?:src|href|url)\s*[=(]\s*["']?([^"')> ]+)`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "#") && !strings.HasPrefix(m[1], "data:") {
			t.Errorf("the page needs %.80s", m[1])
		}
	}
	// A colour that the drawing has and the page does not know would stay in the dark.
	if m := regexp.MustCompile(`(?:fill|stroke):#[0-9A-F]{6}`).FindString(page); m != "" {
		t.Errorf("a chart is drawn in %s, not a colour of the page", m)
	}
	folders[0].Result.Classes[0].Name = `<script>alert("x")</script>`
	folders[0].Method, folders[0].Dataset = `<img src=x>`, `a"><b>&`
	folders[0].Result.Method, folders[0].Result.Dataset = folders[0].Method, folders[0].Dataset
	if page := write(t, folders); strings.Contains(page, "<img") || strings.Contains(page, "<script>alert") || strings.Contains(page, "><b>&") {
		t.Error("a name became markup")
	}
	if err := results.WriteReport(filepath.Join(t.TempDir(), "absent", "x.html"), folders, "coop"); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("a folder that is not there: %v", err)
	}
}
