package results_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"spotlighter/results"
)

// column is the texts of a table's column.
func (b *browser) column(table string, i int) []string {
	b.t.Helper()
	return get[[]string](b, fmt.Sprintf(`[...document.querySelectorAll("#%s tbody tr")].map(r => r.cells[%d].textContent)`, table, i))
}

// numbers are the leading numbers of texts such as "61.5 ±0.4".
func leading(t *testing.T, texts []string) []float64 {
	t.Helper()
	var list []float64
	for _, s := range texts {
		v, err := strconv.ParseFloat(strings.Fields(s)[0], 64)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

func reversed(v []float64) []float64 {
	v = slices.Clone(v)
	slices.Reverse(v)
	return v
}

func writeReport(t *testing.T) (path string, folders []results.Folder) {
	t.Helper()
	folders, err := results.Open(realRuns(t))
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "report.html")
	if err := results.WriteReport(path, folders, "coop"); err != nil {
		t.Fatal(err)
	}
	return path, folders
}

// The page in a browser: on a desk and on a phone, by night, on paper.
func TestReportInBrowser(t *testing.T) {
	path, _ := writeReport(t)
	b := open(t, path)

	const overflow = `document.documentElement.scrollWidth - document.documentElement.clientWidth`
	for _, screen := range []struct {
		name          string
		width, height int64
		phone, dark   bool
	}{{"desktop", 1280, 900, false, false}, {"desktop-dark", 1280, 900, false, true}, {"phone", 390, 844, true, false}, {"phone-dark", 390, 844, true, true}} {
		scheme := "light"
		if screen.dark {
			scheme = "dark"
		}
		b.do(emulation.SetDeviceMetricsOverride(screen.width, screen.height, 1, screen.phone),
			emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
			chromedp.Reload())
		if over := get[int](b, overflow); over > 0 {
			t.Errorf("%s: the page is %d pixels wider than the screen", screen.name, over)
		}
		b.contrast(screen.name)
		b.look(screen.name, int(screen.width))
	}

	b.do(emulation.SetDeviceMetricsOverride(1280, 900, 1, false), chromedp.Reload())
	var printed []byte
	b.do(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		printed, _, err = page.PrintToPDF().WithPrintBackground(true).Do(ctx)
		return err
	}))
	keep(t, "report.pdf", printed)
	if pages := bytes.Count(printed, []byte("/Type /Page\n")); !bytes.HasPrefix(printed, []byte("%PDF-")) || pages < 2 {
		t.Errorf("printed: %d bytes, %d pages, want a PDF of several", len(printed), pages)
	}
	if len(b.said) > 0 {
		t.Errorf("the page says %q", b.said)
	}
}

// contrast wants texts to stand out from the page as WCAG 2.1, 1.4.3 asks.
func (b *browser) contrast(screen string) {
	b.t.Helper()
	const script = `["body", ".states", "h5", "a:not(.skip)", "td.num", "th button", ".note", ".right", ".wrong", "summary span", ".state", ".key.miss", ".matrix .hit", ".matrix .miss", ".matrix abbr"].map(s => {
		const e = document.querySelector(s);
		if (!e) return [s];
		let back = e;
		while (back && getComputedStyle(back).backgroundColor === "rgba(0, 0, 0, 0)") back = back.parentElement;
		return [s, getComputedStyle(e).color, getComputedStyle(back).backgroundColor];
	})`
	for _, x := range get[[][]string](b, script) {
		if len(x) != 3 {
			b.t.Errorf("%s: no %s", screen, x[0])
			continue
		}
		hi, lo := luminance(b.t, x[1]), luminance(b.t, x[2])
		if hi < lo {
			hi, lo = lo, hi
		}
		if ratio := (hi + .05) / (lo + .05); ratio < 4.5 {
			b.t.Errorf("%s: %s is %s on %s, contrast %.1f, want 4.5", screen, x[0], x[1], x[2], ratio)
		}
	}
}

func luminance(t *testing.T, rgb string) float64 {
	t.Helper()
	var c [3]float64
	if _, err := fmt.Sscanf(rgb, "color(srgb %g %g %g)", &c[0], &c[1], &c[2]); err != nil { // a mixed one
		if _, err := fmt.Sscanf(rgb, "rgb(%g, %g, %g)", &c[0], &c[1], &c[2]); err != nil {
			t.Fatalf("colour %q: %v", rgb, err)
		}
		for i := range c {
			c[i] /= 255
		}
	}
	for i, v := range c {
		if v <= .04045 {
			c[i] = v / 12.92
		} else {
			c[i] = math.Pow((v+.055)/1.055, 2.4)
		}
	}
	return .2126*c[0] + .7152*c[1] + .0722*c[2]
}

// Tables sort by a click and by the keyboard, which reaches everything in order.
func TestReportByHand(t *testing.T) {
	path, _ := writeReport(t)
	b := open(t, path)
	const table, hm = "tA0", 3
	head := fmt.Sprintf("#%s thead th:nth-child(%d)", table, hm+1)
	sorted := func(how string, down bool) {
		t.Helper()
		got := leading(t, b.column(table, hm))
		want := slices.Sorted(slices.Values(got))
		state := "ascending"
		if down {
			want, state = reversed(want), "descending"
		}
		if len(got) < 4 || !slices.Equal(got, want) {
			t.Errorf("after %s the column is %v, want %s", how, got, state)
		}
		if sort := get[string](b, fmt.Sprintf(`document.querySelector("%s").getAttribute("aria-sort")`, head)); sort != state {
			t.Errorf("after %s aria-sort is %q, want %s", how, sort, state)
		}
	}
	b.do(chromedp.Click(head + " button"))
	sorted("a click", true)
	b.do(chromedp.Click(head + " button"))
	sorted("two clicks", false)
	// Rows move as a whole: each method keeps its numbers.
	if rows := get[int](b, `new Set([...document.querySelectorAll("#tA0 tbody th")].map(e => e.textContent)).size`); rows < 4 {
		t.Errorf("%d methods after sorting", rows)
	}
	b.do(chromedp.Focus(head+" button", chromedp.ByQuery), chromedp.KeyEvent(kb.Enter))
	sorted("Enter", true)
	b.do(chromedp.Click("#" + table + " thead th:first-child button"))
	if names := b.column(table, 0); !slices.IsSorted(names) {
		t.Errorf("methods sorted as %v", names)
	}

	b.do(chromedp.Reload())
	want := get[[]string](b, `(() => {
		const say = e => e.tagName + " " + (e.getAttribute("aria-label") ?? e.textContent).slice(0, 40);
		window.say = say;
		const seen = e => e.checkVisibility();
		return [...document.querySelectorAll("a, button, summary, [tabindex]")].filter(seen).map(say);
	})()`)
	if len(want) < 40 || !strings.HasPrefix(want[0], "A Skip to the results") {
		t.Fatalf("%d things to reach, first %q", len(want), want[:min(len(want), 3)])
	}
	var got []string
	for range want {
		b.do(chromedp.KeyEvent(kb.Tab))
		got = append(got, get[string](b, "say(document.activeElement)"))
	}
	if !slices.Equal(got, want) {
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("tab stop %d is %q, want %q", i, got[i], want[i])
			}
		}
	}
	// A closed group opens with the keyboard.
	b.do(chromedp.Focus("details:not([open]) > summary", chromedp.ByQuery))
	before := get[int](b, `document.querySelectorAll("details[open]").length`)
	b.do(chromedp.KeyEvent(kb.Enter))
	if after := get[int](b, `document.querySelectorAll("details[open]").length`); after != before+1 {
		t.Errorf("%d open parts, then %d", before, after)
	}
	if len(b.said) > 0 {
		t.Errorf("the page says %q", b.said)
	}
}
