package results_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/experiments/runfmt"
	"spotlighter/results"
)

func TestFigures(t *testing.T) {
	folders := mustOpen(t, realRuns(t))
	dir := t.TempDir()
	for _, test := range []struct {
		kind, metric string
		charts       int
		texts        []string // in the SVG
	}{
		{"bars", "hm", 2, []string{"clutter", "average", "coop+spotlighter", "HM, %", "base-to-novel (A)"}},
		{"curves", "loss", 4, []string{"clutter (A)", "fog (B)", "epoch", "loss"}},
		{"effects", "novel", 1, []string{"spotlight.keep", "novel accuracy, %, average", "5", "9"}},
	} {
		charts, err := results.Figure(test.kind, folders, "coop", test.metric)
		if err != nil || len(charts) != test.charts {
			t.Fatalf("%s: %d charts, %v, want %d", test.kind, len(charts), err, test.charts)
		}
		for _, format := range results.Formats {
			path := filepath.Join(dir, test.kind+"."+format)
			if err := results.SavePlot(path, charts); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			switch format {
			case "png":
				checkPNG(t, path, text)
			case "pdf":
				if !bytes.HasPrefix(text, []byte("%PDF-")) || !bytes.HasSuffix(bytes.TrimSpace(text), []byte("%%EOF")) {
					t.Errorf("%s is no whole PDF", path)
				}
			case "svg":
				words := svgTexts(t, text)
				for _, want := range test.texts {
					if !strings.Contains(words, "\n"+want+"\n") {
						t.Errorf("%s has no text %q in %q", path, want, words)
					}
				}
			}
		}
	}
}

func checkPNG(t *testing.T, path string, text []byte) {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	orange := 0
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if color.RGBAModel.Convert(img.At(x, y)) == (color.RGBA{0xd5, 0x5e, 0x00, 0xff}) {
				orange++
			}
		}
	}
	if orange < 50 {
		t.Errorf("%s: %d pixels of the last method's colour", path, orange)
	}
}

// svgTexts is the texts of an SVG, a line each.
func svgTexts(t *testing.T, text []byte) string {
	t.Helper()
	words := "\n"
	dec := xml.NewDecoder(bytes.NewReader(text))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return words
		}
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := token.(xml.CharData); ok {
			words += strings.TrimSpace(string(s)) + "\n"
		}
	}
}

// A curve is the mean over seeds between the lowest and the highest, at the
// epochs that some seed has.
func TestCurveNumbers(t *testing.T) {
	run := func(dataset string, losses ...float64) results.Folder {
		f := results.Folder{Method: "coop", Dataset: dataset}
		for i, v := range losses {
			f.Metrics = append(f.Metrics, runfmt.Metric{Epoch: i + 1, Values: map[string]float64{"loss": v}})
		}
		return f
	}
	charts := results.Curves([]results.Folder{run("fog", 9), run("clutter", 4, 2, 1), run("clutter", 2, 1)}, "loss", []string{"clip", "coop"})
	if len(charts) != 2 || charts[0].Title != "clutter" || len(charts[0].Series) != 1 {
		t.Fatalf("%+v", charts)
	}
	s := charts[0].Series[0]
	for i, want := range [][4]float64{{1, 3, 2, 4}, {2, 1.5, 1, 2}, {3, 1, 1, 1}} {
		if got := [4]float64{s.X[i], s.Y[i], s.Low[i], s.High[i]}; got != want {
			t.Errorf("point %d: %v, want %v", i, got, want)
		}
	}
	if s.Style != 1 || s.Name != "coop" {
		t.Errorf("%s has style %d, want that of the second method", s.Name, s.Style)
	}
}

// The effect of a setting is on the average that the table has.
func TestEffectNumbers(t *testing.T) {
	folders := mustOpen(t, realRuns(t))
	groups := results.Groups(folders)
	charts, err := results.Effects(groups, "coop", "hm", results.Methods(folders))
	if err != nil || len(charts) != 1 {
		t.Fatalf("%d charts, %v", len(charts), err)
	}
	for _, s := range charts[0].Series {
		if s.Name != "coop+spotlighter" {
			continue
		}
		for i, keep := range []float64{5, 9} {
			table, err := results.New(results.Results(groups[i].All()), "coop")
			if err != nil {
				t.Fatal(err)
			}
			want := table.Average[len(table.Average)-1].HM
			if s.X[i] != keep || math.Abs(s.Y[i]-want.Mean) > 1e-9 || math.Abs(s.High[i]-want.Mean-want.Std) > 1e-9 {
				t.Errorf("keep %g: %g to %g at %g, want %+v", keep, s.Y[i], s.High[i], s.X[i], want)
			}
		}
		return
	}
	t.Error("no series of coop+spotlighter")
}

func TestPlotRefuses(t *testing.T) {
	folders := mustOpen(t, realRuns(t))
	one := mustOpen(t, find(t, folders, "coop-fog-s1").Dir)
	zero := mustOpen(t, find(t, folders, "clip-fog-s1").Dir)
	figure := func(kind string, folders []results.Folder, metric string) error {
		_, err := results.Figure(kind, folders, "coop", metric)
		return err
	}
	for _, test := range []struct {
		err  error
		want string
	}{
		{figure("bars", folders, "loss"), `plot: metric "loss" is none of hm, base, novel`},
		{figure("curves", folders, "accuracy"), `plot: metric "accuracy" is none of loss, lr`},
		{figure("curves", zero, "loss"), "plot: no run has metrics"},
		{figure("effects", one, "hm"), "plot: the runs do not differ in their settings"},
		{results.SavePlot("x.gif", nil), `plot x.gif: ending ".gif", want .png, .svg or .pdf`},
		{results.SavePlot("x.png", nil), "plot x.png: nothing to draw"},
		{results.SavePlot("x.png", make([]results.Chart, 9999)), "plot x.png: 9999 charts are too many for one figure; name fewer runs"},
	} {
		if test.err == nil || test.err.Error() != test.want {
			t.Errorf("%v, want %s", test.err, test.want)
		}
	}
}
