package sweep

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette/brewer"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
)

// grid is the metric over two keys; NaN where nothing was run.
type grid struct {
	xs, ys []string
	z      [][]float64 // [y][x]
}

func (g grid) Dims() (c, r int)   { return len(g.xs), len(g.ys) }
func (g grid) X(c int) float64    { return float64(c) }
func (g grid) Y(r int) float64    { return float64(r) }
func (g grid) Z(c, r int) float64 { return g.z[r][c] }

// most is the number of values from which a map is no longer readable.
const most = 30

// heatMap is the mean over the trials of each pair of values, nil if the two
// keys are not a grid: where most of the pairs were never tried, as with random
// values or keys that move together.
func (b *Board) heatMap(x, y int) (*plot.Plot, error) {
	var xs, ys []string
	cells, collapsed := map[[2]string][]float64{}, map[[2]string]string{}
	for _, r := range b.Rows {
		if r.complete() {
			xs, ys = append(xs, r.Values[x]), append(ys, r.Values[y])
			at := [2]string{r.Values[x], r.Values[y]}
			cells[at] = append(cells[at], r.Score.Mean)
			if r.Collapsed != nil {
				collapsed[at] = " " + collapsedMark
			}
		}
	}
	g := grid{xs: distinct(xs), ys: distinct(ys)}
	if len(g.xs) > most || len(g.ys) > most || 2*len(cells) <= len(g.xs)*len(g.ys) {
		return nil, nil
	}
	var labels plotter.XYLabels
	low, high := math.Inf(1), math.Inf(-1)
	for r, vy := range g.ys {
		row := make([]float64, len(g.xs))
		for c, vx := range g.xs {
			row[c] = math.NaN()
			at := [2]string{vx, vy}
			if v := cells[at]; len(v) > 0 {
				row[c] = newStat(v).Mean
				low, high = min(low, row[c]), max(high, row[c])
				labels.XYs = append(labels.XYs, plotter.XY{X: float64(c), Y: float64(r)})
				labels.Labels = append(labels.Labels, fmt.Sprintf("%.1f%s", row[c], collapsed[at]))
			}
		}
		g.z = append(g.z, row)
	}
	colours, err := brewer.GetPalette(brewer.TypeSequential, "Blues", 9)
	if err != nil {
		return nil, err
	}
	m := plotter.NewHeatMap(g, colours)
	m.Min, m.Max = low, max(high, low+1e-9) // all the same is a map too
	texts, err := plotter.NewLabels(labels)
	if err != nil {
		return nil, err
	}
	for i := range texts.TextStyle {
		texts.TextStyle[i].XAlign, texts.TextStyle[i].YAlign = text.XCenter, text.YCenter
		if z := g.z[int(labels.XYs[i].Y)][int(labels.XYs[i].X)]; z-low > .6*(high-low) {
			texts.TextStyle[i].Color = color.White
		}
	}
	p := plot.New()
	p.Title.Text = b.title() + " (%)"
	p.X.Label.Text, p.Y.Label.Text = b.Keys[x], b.Keys[y]
	p.Add(m, texts)
	p.NominalX(g.xs...)
	p.NominalY(g.ys...)
	return p, nil
}
