package results

import (
	"bytes"
	"fmt"
	"image/color"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"spotlighter/internal/atomicfile"
)

// Measures of a figure's charts, in points.
const (
	chartWidth  = 300 * vg.Length(1)
	chartHeight = 210 * vg.Length(1)
	chartGap    = 18 * vg.Length(1)
)

// maxPixels bounds the memory of a figure: 4 bytes a pixel.
const maxPixels = 100e6

// Formats are the endings of files that SavePlot writes.
var Formats = []string{"png", "svg", "pdf"}

// CheckFormat refuses the name of a file that SavePlot cannot write.
func CheckFormat(path string) error {
	ext := strings.TrimPrefix(filepath.Ext(path), ".")
	for _, f := range Formats {
		if ext == f {
			return nil
		}
	}
	return fmt.Errorf("plot %s: ending %q, want .png, .svg or .pdf", path, filepath.Ext(path))
}

// SavePlot writes the charts side by side into one figure, as PNG, SVG or PDF by
// the ending of path, whole or not at all.
func SavePlot(path string, charts []Chart) error {
	if err := CheckFormat(path); err != nil {
		return err
	}
	if len(charts) == 0 {
		return fmt.Errorf("plot %s: nothing to draw", path)
	}
	columns := min(len(charts), 3)
	if len(charts) == 4 {
		columns = 2
	}
	rows := (len(charts) + columns - 1) / columns
	width := chartWidth
	for _, c := range charts {
		width = max(width, c.width())
	}
	w := vg.Length(columns)*(width+chartGap) + 20
	h := vg.Length(rows)*(chartHeight+chartGap) + 20
	if px := float64(w) * float64(h) * (96. / 72) * (96. / 72); px > maxPixels {
		return fmt.Errorf("plot %s: %d charts are too many for one figure; name fewer runs", path, len(charts))
	}
	tiles := draw.Tiles{Cols: columns, Rows: rows, PadTop: 10, PadBottom: 10, PadLeft: 10, PadRight: 10, PadX: chartGap, PadY: chartGap}
	grid := make([][]*plot.Plot, rows)
	for r := range grid {
		grid[r] = make([]*plot.Plot, columns)
		for c := range grid[r] {
			if i := r*columns + c; i < len(charts) {
				p, err := charts[i].plot(true)
				if err != nil {
					return err
				}
				grid[r][c] = p
			}
		}
	}
	canvas, err := newCanvas(w, h, strings.TrimPrefix(filepath.Ext(path), "."))
	if err != nil {
		return fmt.Errorf("plot %s: %w", path, err)
	}
	dc := draw.New(canvas)
	dc.SetColor(color.White)
	dc.Fill(dc.Rectangle.Path())
	for r, row := range plot.Align(grid, tiles, dc) {
		for c, at := range row {
			if grid[r][c] != nil {
				grid[r][c].Draw(at)
			}
		}
	}
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return fmt.Errorf("plot %s: %w", path, err)
	}
	return atomicfile.WriteBytes(path, b.Bytes())
}

func newCanvas(w, h vg.Length, format string) (vg.CanvasWriterTo, error) {
	if format == "svg" { // with its font: another's letters would run into each other
		return vgsvg.NewWith(vgsvg.UseWH(w, h), vgsvg.EmbedFonts(true)), nil
	}
	return draw.NewFormattedCanvas(w, h, format)
}

// width is what a chart needs for its bars and their names.
func (c Chart) width() vg.Length {
	each := vg.Length(0)
	for _, name := range c.Names {
		each = max(each, vg.Length(len(name))*6+8, vg.Length(len(c.Series))*16)
	}
	return max(60+each*vg.Length(len(c.Names)), chartWidth)
}

// svg is the chart for a page: without title and legend, which the page writes,
// in the page's own colours and font.
func (c Chart) svg() (string, error) {
	p, err := c.plot(false)
	if err != nil {
		return "", err
	}
	w := c.width()
	canvas := vgsvg.New(w, chartHeight)
	p.Draw(draw.Crop(draw.New(canvas), 0, -8, 0, -5)) // the page's font may be wider
	var b strings.Builder
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", fmt.Errorf("plot: %w", err)
	}
	_, body, ok := strings.Cut(b.String(), "<svg")
	if ok {
		_, body, ok = strings.Cut(body, ">")
	}
	if !ok {
		return "", fmt.Errorf("plot: the drawing is no SVG")
	}
	var pairs []string
	for name, c := range pageColours() {
		pairs = append(pairs, svgColour(c), "var(--"+name+")", svgColour(shade(c)), "var(--"+name+")")
	}
	head := fmt.Sprintf(`<svg viewBox="0 0 %g %g" width="%g" height="%g" aria-hidden="true" focusable="false">`,
		w.Points(), chartHeight.Points(), w.Points(), chartHeight.Points())
	return head + strings.NewReplacer(pairs...).Replace(body), nil
}

// pageColours are the drawing's colours by the names that the page gives them.
func pageColours() map[string]color.RGBA {
	m := map[string]color.RGBA{"ink": ink, "line": faint}
	for i, c := range palette {
		m[fmt.Sprintf("series%d", i)] = c
	}
	return m
}

// svgColour is a colour as the SVG canvas writes it: what is left of it after
// alpha was multiplied in, taken out and the rest cut off.
func svgColour(c color.Color) string {
	r, g, b, a := c.RGBA()
	k := 255 / float64(a)
	return fmt.Sprintf("#%02X%02X%02X", int(float64(r)*k), int(float64(g)*k), int(float64(b)*k))
}
