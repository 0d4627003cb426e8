package pruning

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"spotlighter/internal/atomicfile"
	"spotlighter/results"
	"spotlighter/vit"
)

// Point is one setting on the embedded model: its speed and its accuracies, by
// method. The first point of a report drops nothing.
type Point struct {
	Speed
	Accuracy []Accuracy
}

// Report is all that was measured.
type Report struct {
	Command string // that measured it
	Machine string // CPU and threads
	Rounds  int    // of the embedded model
	Model   string
	By      string // what patches are ranked by
	TimedBy string // where the speed is measured
	// ShapeRounds are those of the published shapes; a round is a batch.
	ShapeRounds, Batch int
	Points             []Point
	Shapes             map[string][]Speed // of encoders with random weights, by shape
	Order              []string           // of the shapes
	// EndToEnd is, by model, zero-shot CLIP and then Spotlighter without and with
	// pruning, from preprocessed images to logits.
	EndToEnd map[string][]Speed
}

// The files of a report's folder.
const (
	markdownFile = "prune.md"
	csvFile      = "prune.csv"
	plotFile     = "prune.png"
)

// Write writes the report's files into a folder, which must exist, and returns
// their paths.
func (r Report) Write(dir string) ([]string, error) {
	paths := []string{filepath.Join(dir, markdownFile), filepath.Join(dir, csvFile), filepath.Join(dir, plotFile)}
	if err := atomicfile.WriteBytes(paths[0], []byte(r.Markdown())); err != nil {
		return nil, err
	}
	text, err := r.csv()
	if err != nil {
		return nil, err
	}
	if err := atomicfile.WriteBytes(paths[1], text); err != nil {
		return nil, err
	}
	return paths, results.SavePlot(paths[2], r.charts())
}

// loss is the points of HM that a point loses with its method i.
func (r Report) loss(p Point, i int) float64 { return r.Points[0].Accuracy[i].HM - p.Accuracy[i].HM }

// Markdown is the report as a page.
func (r Report) Markdown() string {
	var b strings.Builder
	timed := ""
	if r.TimedBy != r.By {
		timed = " (timed by " + r.TimedBy + ")"
	}
	fmt.Fprintf(&b, "# Pruning inside the image encoder\n\n    %s\n\nOn %s. After block l the share r of the patches stays, by %s%s; the rest become one token. "+
		"Images a second are medians of rounds (%d; %d on published shapes), each setting in turns with the whole encoder (A B A B); the gain is the median of their ratios, each of one round. Preprocessed images, batches of %d in memory, as evaluation encodes them.\n",
		strings.ReplaceAll(r.Command, "\n", " "), r.Machine, r.By, timed, r.Rounds, r.ShapeRounds, r.Batch)
	if len(r.Points) > 0 {
		fmt.Fprintf(&b, "\n## %s\n\n| l | r | MFLOP an image | of the whole | images/s | gain |", r.Model)
		for _, a := range r.Points[0].Accuracy {
			fmt.Fprintf(&b, " %s HM | lost |", a.Method)
		}
		b.WriteString("\n|---|---|---|---|---|---|" + strings.Repeat("---|---|", len(r.Points[0].Accuracy)) + "\n")
		for _, p := range r.Points {
			fmt.Fprintf(&b, "%s", speedRow(p.Speed))
			for i, a := range p.Accuracy {
				fmt.Fprintf(&b, " %.2f | %.2f |", a.HM, r.loss(p, i))
			}
			b.WriteString("\n")
		}
		b.WriteString("\n" + r.best() + "\n")
	}
	for _, name := range r.Order {
		fmt.Fprintf(&b, "\n## %s, random weights\n\n| l | r | MFLOP an image | of the whole | images/s | gain |\n|---|---|---|---|---|---|\n", name)
		for _, s := range r.Shapes[name] {
			b.WriteString(speedRow(s) + "\n")
		}
	}
	if len(r.EndToEnd) > 0 {
		b.WriteString("\n## From images to logits\n\nWhat depends on no image, such as what the classes' texts and prototypes are compared by, is computed once, before the first round.\n\n| model | method | l | r | MFLOP an image | of zero-shot | images/s | gain |\n|---|---|---|---|---|---|---|---|\n")
		for _, name := range append([]string{r.Model}, r.Order...) {
			for _, s := range r.EndToEnd[name] {
				method := "zero-shot CLIP"
				if s.Spotlighter {
					method = "CoOp+Spotlighter"
				}
				fmt.Fprintf(&b, "| %s, %d classes | %s %s\n", name, s.Classes, method, speedRow(s))
			}
		}
	}
	return b.String()
}

func speedRow(s Speed) string {
	l, keep := "whole", ""
	if s.Prune.Block > 0 {
		l, keep = fmt.Sprint(s.Prune.Block), fmt.Sprint(s.Prune.Keep)
	}
	return fmt.Sprintf("| %s | %s | %.1f | %.1f%% | %.1f | %.2f |", l, keep, float64(s.FLOPs)/1e6, 100*s.Arithmetic, s.ImagesPerSecond, s.Gain)
}

// mayLose is how many points of HM a setting may lose to be called free.
const mayLose = .5

// Free is the fastest setting by which method i loses at most half a point of HM.
func (r Report) Free(i int) (p vit.Prune, ok bool) {
	gain := 0.
	for _, x := range r.Points[1:] {
		if r.loss(x, i) <= mayLose && x.Gain > gain {
			p, gain, ok = x.Prune, x.Gain, true
		}
	}
	return p, ok
}

// best says which setting that is, for each method.
func (r Report) best() string {
	var lines []string
	for i, a := range r.Points[0].Accuracy {
		best, ok := r.Free(i)
		if !ok {
			lines = append(lines, fmt.Sprintf("%s: every setting loses more than %g points of HM.", a.Method, mayLose))
			continue
		}
		p := r.Points[slices.IndexFunc(r.Points, func(p Point) bool { return p.Prune == best })]
		lines = append(lines, fmt.Sprintf("%s: the fastest setting that loses at most %g points of HM is l = %d, r = %g: %.2f times the images a second, %.2f points lost.",
			a.Method, mayLose, best.Block, best.Keep, p.Gain, r.loss(p, i)))
	}
	return strings.Join(lines, "\n\n")
}

func (r Report) csv() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{{"model", "task", "block", "keep", "flops", "arithmetic", "images_per_second", "gain", "base", "novel", "hm", "on_object"}}
	row := func(model, task string, s Speed, a ...float64) {
		line := []string{model, task, fmt.Sprint(s.Prune.Block), fmt.Sprint(s.Prune.Keep), fmt.Sprint(s.FLOPs),
			fmt.Sprintf("%.4f", s.Arithmetic), fmt.Sprintf("%.2f", s.ImagesPerSecond), fmt.Sprintf("%.4f", s.Gain)}
		for i := range 4 {
			if i < len(a) {
				line = append(line, fmt.Sprintf("%.4f", a[i]))
			} else {
				line = append(line, "")
			}
		}
		rows = append(rows, line)
	}
	for _, p := range r.Points {
		for _, a := range p.Accuracy {
			row(r.Model, a.Method, p.Speed, a.Base, a.Novel, a.HM, a.OnObject)
		}
	}
	for _, name := range r.Order {
		for _, s := range r.Shapes[name] {
			row(name, "encode", s)
		}
	}
	for _, name := range append([]string{r.Model}, r.Order...) {
		for _, s := range r.EndToEnd[name] {
			task := "classify clip"
			if s.Spotlighter {
				task = "classify coop+spotlighter"
			}
			row(name, task, s)
		}
	}
	err := w.WriteAll(rows)
	return b.Bytes(), err
}

// charts are accuracy against speed and against arithmetic, a line a block.
func (r Report) charts() []results.Chart {
	var charts []results.Chart
	if len(r.Points) > 0 {
		for i, a := range r.Points[0].Accuracy {
			charts = append(charts,
				r.chart(i, a.Method+": accuracy and speed", "images a second", func(s Speed) float64 { return s.Gain * r.Points[0].ImagesPerSecond }),
				r.chart(i, a.Method+": accuracy and arithmetic", "share of the FLOPs, %", func(s Speed) float64 { return 100 * s.Arithmetic }))
		}
	}
	c := results.Chart{Title: "Speed and arithmetic", X: "share of the FLOPs, %", Y: "times the images a second"}
	line := func(name string, all []Speed) {
		s := results.Series{Name: name, Style: len(c.Series)}
		for _, x := range all {
			add(&s, 100*x.Arithmetic, x.Gain)
		}
		sortByX(&s)
		c.Series = append(c.Series, s)
	}
	var own []Speed
	for _, p := range r.Points {
		own = append(own, p.Speed)
	}
	if len(own) > 0 {
		line(r.Model, own)
	}
	for _, name := range r.Order {
		line(name, r.Shapes[name])
	}
	return append(charts, c)
}

func (r Report) chart(i int, title, x string, of func(Speed) float64) results.Chart {
	c := results.Chart{Title: title, X: x, Y: "HM, %"}
	at := map[int]int{} // series by block
	for _, p := range r.Points[1:] {
		k, ok := at[p.Prune.Block]
		if !ok {
			k = len(c.Series)
			at[p.Prune.Block] = k
			s := results.Series{Name: fmt.Sprintf("after block %d", p.Prune.Block), Style: k + 1}
			add(&s, of(r.Points[0].Speed), r.Points[0].Accuracy[i].HM) // every line starts at the whole encoder
			c.Series = append(c.Series, s)
		}
		add(&c.Series[k], of(p.Speed), p.Accuracy[i].HM)
	}
	for k := range c.Series {
		sortByX(&c.Series[k])
	}
	return c
}

// add appends a value without spread.
func add(s *results.Series, x, y float64) {
	s.X, s.Y, s.Low, s.High = append(s.X, x), append(s.Y, y), append(s.Low, y), append(s.High, y)
}

func sortByX(s *results.Series) {
	at := make([]int, len(s.X))
	for i := range at {
		at[i] = i
	}
	slices.SortFunc(at, func(i, j int) int { return cmp.Compare(s.X[i], s.X[j]) })
	sorted := results.Series{Name: s.Name, Style: s.Style}
	for _, i := range at {
		add(&sorted, s.X[i], s.Y[i])
	}
	*s = sorted
}
