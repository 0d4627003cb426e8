package results_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"spotlighter/experiments/runfmt"
	"spotlighter/results"
)

// summed is the confusions of a set, over the runs of a method on a data set.
func summed(folders []results.Folder, dataset, method, set string) (names []string, counts [][]int) {
	for _, f := range folders {
		if f.Dataset != dataset || f.Method != method {
			continue
		}
		s, _ := f.Result.Set(set)
		names = f.Result.ClassNames(s)
		for i, row := range s.Confusion {
			if len(counts) <= i {
				counts = append(counts, make([]int, s.Classes))
			}
			for j, n := range row {
				counts[i][j] += n
			}
		}
	}
	return names, counts
}

// The matrices on the page are those of the results, of all seeds.
func TestReportConfusions(t *testing.T) {
	path, folders := writeReport(t)
	b := open(t, path)
	for _, set := range []string{"base", "novel"} {
		names, counts := summed(folders, "fog", "coop", set)
		if len(names) != 4 || len(counts) != 4 {
			t.Fatalf("%s: classes %q", set, names)
		}
		script := fmt.Sprintf(`(() => {
			const part = [...document.querySelectorAll("details.confusions")].find(d => d.querySelector("summary").textContent === "fog, coop");
			part.open = true;
			const figure = [...part.querySelectorAll("figure")].find(f => f.querySelector("b").textContent === "%s classes");
			return [...figure.querySelectorAll("tbody tr")].map(r => [...r.cells].map(c => c.textContent.trim()));
		})()`, set)
		got := get[[][]string](b, script)
		var want [][]string
		for i, name := range names {
			row := []string{fmt.Sprintf("%d %s", i+1, name)}
			for _, n := range counts[i] {
				text := strconv.Itoa(n)
				if n == 0 {
					text = "·"
				}
				row = append(row, text)
			}
			want = append(want, row)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: the page has\n%v\nwant\n%v", set, got, want)
		}
	}
	if len(b.said) > 0 {
		t.Errorf("the page says %q", b.said)
	}
}

// fewShot is runs of a protocol without halves, with more classes than a table of
// numbers takes. One of them collapsed.
func fewShot(t *testing.T) []results.Folder {
	t.Helper()
	out := filepath.Join(t.TempDir(), "runs")
	err := runCells(t, []string{"out=" + out, "protocol=few-shot", "dataset=clutter", "method=[clip,coop]", "seed=[1,2]", "data.classes=20",
		"data.test_per_class=3", "shots=1", "train.epochs=2", "train.batch=4"})
	if err != nil {
		t.Fatal(err)
	}
	folders := mustOpen(t, out)
	for _, f := range folders {
		if f.Method == "coop" && f.Seed == 2 {
			r, s := f.Result, &f.Result.Sets[0]
			r.Base, r.HM, s.Top1, s.ZeroShot = 5, 5, 5, 60
			for i := range s.Confusion { // all that is not the first class is taken for it
				s.Confusion[i] = runfmt.Confusion{0: 3}
			}
		}
	}
	return folders
}

// A page of a protocol that has one number shows one, marks what collapsed, and
// draws large matrices; on a phone too.
func TestReportOfOneNumber(t *testing.T) {
	folders := fewShot(t)
	path := filepath.Join(t.TempDir(), "report.html")
	if err := results.WriteReport(path, folders, "clip"); err != nil {
		t.Fatal(err)
	}
	b := open(t, path)
	b.do(emulation.SetDeviceMetricsOverride(390, 844, 1, true), chromedp.Reload())
	if over := get[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
		t.Errorf("the page is %d pixels wider than a phone", over)
	}
	b.look("few-shot-phone", 390)

	heads := get[[]string](b, `[...document.querySelectorAll("thead th")].map(e => e.textContent)`)
	for _, absent := range []string{"base", "novel", "HM", "half"} {
		if slices.Contains(heads, absent) {
			t.Errorf("few-shot has a column %s", absent)
		}
	}
	if got := get[[]string](b, `[...document.querySelectorAll("#tA0 thead th")].map(e => e.textContent)`); !slices.Equal(got[:3], []string{"method", "accuracy", "accuracy − clip"}) {
		t.Errorf("columns %q", got)
	}
	if text := get[string](b, `document.querySelector("#results").textContent`); strings.Contains(text, "HM") || strings.Contains(text, "Classes compete within") {
		t.Error("few-shot is told of a harmonic mean, or of halves")
	}

	if got := b.column("tA0", 0); !slices.Equal(got, []string{"clip", "coop ‡"}) {
		t.Errorf("methods %q, want the one with the collapsed seed marked", got)
	}
	if got := get[string](b, `document.querySelector("#collapsed dl").textContent`); !strings.HasPrefix(got, "coop-clutter-s2-") || !strings.HasSuffix(got, "5.0, zero-shot 60.0") {
		t.Errorf("collapsed: %q", got)
	}
	marked := get[[]string](b, `[...document.querySelectorAll("#runs tbody tr")].filter(r => r.textContent.includes("‡")).map(r => r.cells[0].textContent)`)
	if len(marked) != 1 || !strings.HasPrefix(marked[0], "coop-clutter-s2-") {
		t.Errorf("marked runs: %q", marked)
	}
	if legend := get[[]string](b, `[...document.querySelectorAll("#results .legend")].map(e => e.textContent)`); legend[0] != "clipcoop ‡" {
		t.Errorf("the bars' legend is %q", legend[0])
	}

	// Each pixel of the picture is one pair of classes.
	type pixel struct {
		W, H  int
		Alpha []int
	}
	picture := get[pixel](b, `(() => {
		const img = document.querySelectorAll(".heat")[1];
		img.closest("details").open = true;
		const c = document.createElement("canvas");
		[c.width, c.height] = [img.naturalWidth, img.naturalHeight];
		const d = c.getContext("2d");
		d.drawImage(img, 0, 0);
		const a = d.getImageData(0, 0, c.width, c.height).data;
		return {W: c.width, H: c.height, Alpha: [...a].filter((_, i) => i % 4 === 3)};
	})()`)
	_, counts := summed(folders, "clutter", "coop", "all")
	if picture.W != 20 || picture.H != 20 {
		t.Fatalf("the picture is %d by %d", picture.W, picture.H)
	}
	for i, row := range counts {
		for j, n := range row {
			if shown := picture.Alpha[20*i+j] > 0; shown != (n > 0) {
				t.Errorf("%d images of class %d taken for %d, shown: %v", n, i, j, shown)
			}
		}
	}
	names, _ := summed(folders, "clutter", "coop", "all")
	pairs := b.column("fA1-0", 2)
	if got := leading(t, pairs); len(got) != 12 || !slices.Equal(got, reversed(slices.Sorted(slices.Values(got)))) {
		t.Errorf("confusions %v, want the 12 most frequent", got)
	}
	if got := b.column("fA1-0", 1); got[0] != names[0] {
		t.Errorf("most are taken for %q, want %q", got[0], names[0])
	}
	if len(b.said) > 0 {
		t.Errorf("the page says %q", b.said)
	}
}
