package sweep

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"spotlighter/internal/atomicfile"
)

// Formats are those that plots can be written in.
var Formats = []string{"png", "svg", "pdf"}

// The size of a plot, and its colour.
const (
	plotWidth  = 14 * vg.Centimeter
	plotHeight = 9 * vg.Centimeter
)

var blue = color.RGBA{R: 0x1f, G: 0x77, B: 0xb4, A: 0xff}

// figure is a plot and the file that it goes to, without the extension.
type figure struct {
	name string
	*plot.Plot
}

// WritePlots draws each key's effect, and a map for each pair of keys, into dir
// and returns the names of the files in the first format.
func (b *Board) WritePlots(dir string, formats []string) ([]string, error) {
	figures, err := b.figures()
	if err != nil {
		return nil, fmt.Errorf("plot: %w", err)
	}
	var names []string
	for _, f := range figures {
		for i, format := range formats {
			name := f.name + "." + format
			w, err := f.WriterTo(plotWidth, plotHeight, format)
			if err != nil {
				return nil, fmt.Errorf("plot %s: %w", name, err)
			}
			err = atomicfile.Write(filepath.Join(dir, name), func(out io.Writer) error {
				_, err := w.WriteTo(out)
				return err
			})
			if err != nil {
				return nil, err
			}
			if i == 0 {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

func (b *Board) figures() ([]figure, error) {
	var all []figure
	column := map[string]int{}
	for i, key := range b.Keys {
		column[key] = i
	}
	for _, e := range b.Effects {
		p, err := b.effectPlot(e, column[e.Key])
		if err != nil {
			return nil, err
		}
		all = append(all, figure{"effect-" + fileName(e.Key), p})
	}
	for i, x := range b.Effects {
		for _, y := range b.Effects[i+1:] {
			p, err := b.heatMap(column[x.Key], column[y.Key])
			if err != nil {
				return nil, err
			}
			if p != nil {
				all = append(all, figure{"map-" + fileName(x.Key) + "-" + fileName(y.Key), p})
			}
		}
	}
	return all, nil
}

func fileName(key string) string { return strings.ReplaceAll(key, ".", "_") }

func (b *Board) newPlot(x string) *plot.Plot {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = x, b.title()+" (%)"
	p.Add(plotter.NewGrid())
	return p
}

// points carry their error bars.
type points struct {
	plotter.XYs
	plotter.YErrors
}

func (p *points) add(x float64, s Stat) {
	p.XYs = append(p.XYs, plotter.XY{X: x, Y: s.Mean})
	p.YErrors = append(p.YErrors, struct{ Low, High float64 }{s.Std, s.Std})
}

// effectPlot is a line over numbers, bars over words, and the trials themselves
// where each has a number of its own.
func (b *Board) effectPlot(e Effect, column int) (*plot.Plot, error) {
	p := b.newPlot(e.Key)
	var names, collapsed []string
	var pts points
	for i, l := range e.Levels {
		names = append(names, l.Value)
		pts.add(float64(i), l.Score)
		if l.Collapsed > 0 {
			collapsed = append(collapsed, l.Value)
		}
	}
	if collapsed != nil {
		p.Title.Text = collapsedMark + " with collapsed runs: " + strings.Join(collapsed, ", ")
	}
	values, numeric := numbers(names)
	if !numeric {
		if scattered := b.trialPoints(column); scattered != nil {
			return p, scatter(p, *scattered)
		}
		return p, bars(p, pts, names)
	}
	for i, v := range values {
		pts.XYs[i].X = v
	}
	line, err := plotter.NewLine(pts.XYs)
	if err != nil {
		return nil, err
	}
	line.Color, line.Width = blue, vg.Points(1.5)
	p.Add(line)
	return p, scatter(p, pts)
}

// trialPoints are the trials at their value of a column of numbers, nil if it
// has words.
func (b *Board) trialPoints(column int) *points {
	var pts points
	for _, r := range b.Rows {
		x, ok := number(r.Values[column])
		if !ok {
			return nil
		}
		if r.complete() {
			pts.add(x, r.Score)
		}
	}
	return &pts
}

func scatter(p *plot.Plot, pts points) error {
	dots, err := plotter.NewScatter(pts.XYs)
	if err != nil {
		return err
	}
	dots.Shape, dots.Color, dots.Radius = draw.CircleGlyph{}, blue, vg.Points(3)
	errors, err := plotter.NewYErrorBars(pts)
	if err != nil {
		return err
	}
	errors.Color = blue
	p.Add(errors, dots)
	frame(p, pts)
	return nil
}

// frame leaves a margin around the points, and makes the x axis logarithmic
// where they span two decades.
func frame(p *plot.Plot, pts points) {
	const margin = .05
	pad := margin * (p.Y.Max - p.Y.Min)
	p.Y.Min, p.Y.Max = p.Y.Min-pad, p.Y.Max+pad
	low, high := math.Inf(1), math.Inf(-1)
	for _, xy := range pts.XYs {
		low, high = min(low, xy.X), max(high, xy.X)
	}
	if low > 0 && high/low >= 100 {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
		ratio := math.Pow(high/low, margin)
		p.X.Min, p.X.Max = low/ratio, high*ratio
		return
	}
	p.X.Min, p.X.Max = low-margin*(high-low), high+margin*(high-low)
}

// bars start below the lowest value, not at zero, where all would look the same;
// the axis says so.
func bars(p *plot.Plot, pts points, names []string) error {
	low, high := math.Inf(1), math.Inf(-1)
	for i, xy := range pts.XYs {
		low, high = min(low, xy.Y-pts.YErrors[i].Low), max(high, xy.Y+pts.YErrors[i].High)
	}
	floor := max(0, math.Floor(low-.1*(high-low)-1))
	heights := make(plotter.Values, len(names))
	for i, xy := range pts.XYs {
		heights[i] = xy.Y
	}
	chart, err := plotter.NewBarChart(heights, plotWidth/vg.Length(2*len(names)+2))
	if err != nil {
		return err
	}
	chart.Color, chart.LineStyle.Width = blue, 0
	errors, err := plotter.NewYErrorBars(pts)
	if err != nil {
		return err
	}
	p.Add(chart, errors)
	p.NominalX(names...)
	p.X.Min, p.X.Max = -.5, float64(len(names))-.5
	p.Y.Min, p.Y.Max = floor, high+.1*(high-floor)
	if floor > 0 {
		p.Y.Label.Text += fmt.Sprintf(", from %g", floor)
	}
	return nil
}
