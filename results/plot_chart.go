package results

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Chart is one diagram. With Names the series are bars, a group a name, at X 0,
// 1, ...; else they are lines with points.
type Chart struct {
	Title, X, Y string
	Names       []string
	Series      []Series
	// Change says that the values are differences: the axis fits them, and zero has
	// a line.
	Change bool
	// Discrete puts a tick at each X of the series alone: for few chosen values.
	Discrete bool
}

// Series is values with their spread, from Low to High around Y.
type Series struct {
	Name         string
	Style        int // of a method, the same in every chart
	X            []float64
	Y, Low, High []float64
}

func (s *Series) add(x, y, low, high float64) {
	s.X, s.Y, s.Low, s.High = append(s.X, x), append(s.Y, y), append(s.Low, low), append(s.High, high)
}

// The lines' colours are Okabe and Ito's, told apart with every kind of colour
// vision, in an order that starts with the strongest contrasts; dashes tell
// lines apart in black and white.
var (
	palette = []color.RGBA{
		{0x8a, 0x8d, 0x91, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0x00, 0x72, 0xb2, 0xff}, {0xd5, 0x5e, 0x00, 0xff},
		{0xcc, 0x79, 0xa7, 0xff}, {0x56, 0xb4, 0xe9, 0xff}, {0xe6, 0x9f, 0x00, 0xff},
	}
	dashes = [][]vg.Length{{}, {6, 3}, {}, {7, 2}, {2, 2}, {6, 2, 2, 2}, {10, 3}}
	faint  = color.RGBA{0xd6, 0xd8, 0xdb, 0xff}
)

func seriesColour(style int) color.RGBA { return palette[style%len(palette)] }

// shade is the colour of an area behind lines.
func shade(c color.RGBA) color.NRGBA { return color.NRGBA{c.R, c.G, c.B, 0x26} }

// plot draws the chart; a legend is for figures that stand alone.
func (c Chart) plot(legend bool) (*plot.Plot, error) {
	p := plot.New()
	p.BackgroundColor = color.Transparent
	p.X.Label.Text, p.Y.Label.Text = c.X, c.Y
	if legend {
		p.Title.Text = c.Title
	}
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color, axis.Tick.Color, axis.Tick.Label.Color, axis.Label.TextStyle.Color = ink, ink, ink, ink
		axis.Label.TextStyle.Font.Variant, axis.Tick.Label.Font.Variant = "Sans", "Sans"
		axis.Label.TextStyle.Font.Size, axis.Tick.Label.Font.Size = 11, 10
	}
	p.Title.TextStyle.Color, p.Legend.TextStyle.Color = ink, ink
	p.Title.TextStyle.Font.Variant, p.Legend.TextStyle.Font.Variant = "Sans", "Sans"
	p.Title.TextStyle.Font.Size, p.Legend.TextStyle.Font.Size = 13, 10
	p.Title.Padding = 6
	p.Legend.Top, p.Legend.Padding = true, 2
	p.Y.Tick.Marker = ticks{}

	grid := plotter.NewGrid()
	grid.Vertical.Color = nil
	grid.Horizontal.Color, grid.Horizontal.Width = faint, .5
	p.Add(grid)
	if c.Change {
		zero := plotter.NewFunction(func(float64) float64 { return 0 })
		zero.Color, zero.Width = ink, .8
		p.Add(zero)
	}
	if len(c.Names) > 0 {
		return p, c.bars(p, legend)
	}
	return p, c.lines(p, legend)
}

func (c Chart) lines(p *plot.Plot, legend bool) error {
	var xs []float64
	for _, s := range c.Series {
		if len(s.X) == 0 {
			continue
		}
		xs = append(xs, s.X...)
		colour := seriesColour(s.Style)
		if band, err := s.band(colour); err != nil {
			return err
		} else if band != nil {
			p.Add(band)
		}
		line, points, err := plotter.NewLinePoints(s.points())
		if err != nil {
			return fmt.Errorf("plot: %s: %w", s.Name, err)
		}
		line.Color, line.Width, line.Dashes = colour, 1.6, dashes[s.Style%len(dashes)]
		points.Color, points.Shape, points.Radius = colour, draw.CircleGlyph{}, 2
		p.Add(line)
		if len(s.X) <= 12 { // more would hide the line
			p.Add(points)
		}
		if legend {
			p.Legend.Add(s.Name, line)
		}
	}
	if c.Discrete {
		p.X.Tick.Marker = ticksAt(xs)
	} else {
		p.X.Tick.Marker = ticks{whole: true}
	}
	widen(&p.X)
	widen(&p.Y)
	side := (p.X.Max - p.X.Min) * .04 // for the outer labels
	p.X.Min, p.X.Max = p.X.Min-side, p.X.Max+side
	room := .05
	if legend { // above the lines
		room += .07 * float64(len(c.Series))
	}
	p.Y.Max += (p.Y.Max - p.Y.Min) * room
	return nil
}

func (s Series) points() plotter.XYs {
	xys := make(plotter.XYs, len(s.X))
	for i := range xys {
		xys[i] = plotter.XY{X: s.X[i], Y: s.Y[i]}
	}
	return xys
}

// band is the area between Low and High, nil if it is empty.
func (s Series) band(colour color.RGBA) (*plotter.Polygon, error) {
	wide := false
	var edge plotter.XYs
	for i := range s.X {
		edge = append(edge, plotter.XY{X: s.X[i], Y: s.High[i]})
		wide = wide || s.High[i] > s.Low[i]
	}
	if !wide || len(s.X) < 2 {
		return nil, nil
	}
	for i := len(s.X) - 1; i >= 0; i-- {
		edge = append(edge, plotter.XY{X: s.X[i], Y: s.Low[i]})
	}
	band, err := plotter.NewPolygon(edge)
	if err != nil {
		return nil, fmt.Errorf("plot: %s: %w", s.Name, err)
	}
	band.Color, band.LineStyle.Width = shade(colour), 0
	return band, nil
}

func (c Chart) bars(p *plot.Plot, legend bool) error {
	width := .8 / float64(len(c.Series))
	for i, s := range c.Series {
		var whiskers struct {
			plotter.XYs
			plotter.YErrors
		}
		colour := seriesColour(s.Style)
		for j, x := range s.X {
			left := x - .4 + width*(float64(i)+.08)
			right := left + width*.84
			bar, err := plotter.NewPolygon(plotter.XYs{{X: left, Y: 0}, {X: left, Y: s.Y[j]}, {X: right, Y: s.Y[j]}, {X: right, Y: 0}})
			if err != nil {
				return fmt.Errorf("plot: %s: %w", s.Name, err)
			}
			bar.Color, bar.LineStyle.Width = colour, 0
			p.Add(bar)
			if legend && j == 0 {
				p.Legend.Add(s.Name, bar)
			}
			if s.High[j] > s.Low[j] {
				whiskers.XYs = append(whiskers.XYs, plotter.XY{X: (left + right) / 2, Y: s.Y[j]})
				whiskers.YErrors = append(whiskers.YErrors, struct{ Low, High float64 }{s.Y[j] - s.Low[j], s.High[j] - s.Y[j]})
			}
		}
		if len(whiskers.XYs) > 0 {
			bars, err := plotter.NewYErrorBars(whiskers)
			if err != nil {
				return fmt.Errorf("plot: %s: %w", s.Name, err)
			}
			bars.Color, bars.Width, bars.CapWidth = ink, 1, 4
			p.Add(bars)
		}
	}
	p.NominalX(c.Names...)
	p.X.Min, p.X.Max = -.5, float64(len(c.Names))-.5
	if c.Change {
		low, high := 0., 0.
		for _, s := range c.Series {
			low, high = min(low, slices.Min(s.Low)), max(high, slices.Max(s.High))
		}
		p.Y.Min, p.Y.Max = low, high
		widen(&p.Y)
		room := (p.Y.Max - p.Y.Min) * .06
		p.Y.Min, p.Y.Max = p.Y.Min-room, p.Y.Max+3*room
		return nil
	}
	// Bars are percentages, and start at 0.
	p.Y.Min, p.Y.Max = min(p.Y.Min, 0), 100
	p.Y.Tick.Marker = ticks{limit: 100}
	if legend {
		p.Y.Max += 8 * float64(len(c.Series))
	}
	return nil
}

// widen makes room on an axis whose values are all the same.
func widen(a *plot.Axis) {
	if a.Min > a.Max { // there are none
		a.Min, a.Max = 0, 1
	}
	if a.Max-a.Min < 1e-9*max(1, math.Abs(a.Max)) {
		a.Min, a.Max = a.Min-.5, a.Max+.5
	}
}

// ticks are at most eight round numbers.
type ticks struct {
	whole bool    // whole numbers alone: epochs
	limit float64 // none beyond it, unless it is 0
}

func (t ticks) Ticks(lo, hi float64) []plot.Tick {
	if t.limit > 0 {
		hi = min(hi, t.limit)
	}
	// The smallest 1, 2 or 5 times a power of ten that gives few enough.
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/7)))
	for _, k := range []float64{1, 2, 5, 10} {
		if (hi-lo)/(k*step) <= 7 {
			step *= k
			break
		}
	}
	if t.whole {
		step = max(step, 1)
	}
	var list []plot.Tick
	for i := math.Ceil(lo / step); i*step <= hi+step*1e-9; i++ {
		list = append(list, plot.Tick{Value: i * step, Label: strconv.FormatFloat(i*step, 'g', 6, 64)})
	}
	return list
}

func ticksAt(xs []float64) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	seen := map[float64]bool{}
	for _, x := range xs {
		if !seen[x] {
			seen[x] = true
			ticks = append(ticks, plot.Tick{Value: x, Label: strconv.FormatFloat(x, 'g', 4, 64)})
		}
	}
	return ticks
}
