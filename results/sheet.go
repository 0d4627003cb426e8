package results

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"

	"spotlighter/internal/atomicfile"
)

// Tile is one image of a contact sheet with the patches that a method kept.
type Tile struct {
	RGB    []uint8 // W*H*3, rows from the top
	W, H   int     // pixels
	Grid   int     // patches a side
	Level1 []int   // kept patches, row by row from the top left
	Level2 []int
	// Caption is the predicted class, Right whether it is the true one.
	Caption string
	Right   bool
}

// The two levels' colours are orange and sky blue of Okabe and Ito's palette,
// told apart with every kind of colour vision; a dark line on both sides keeps
// them visible on any background.
var (
	level1Colour = color.RGBA{0xff, 0xa1, 0x1a, 0xff}
	level2Colour = color.RGBA{0x56, 0xc8, 0xff, 0xff}
	halo         = color.RGBA{0x10, 0x12, 0x16, 0xff}
	paper        = color.RGBA{0xfa, 0xfa, 0xf8, 0xff}
	ink          = color.RGBA{0x24, 0x26, 0x2b, 0xff}
	rightColour  = color.RGBA{0x00, 0x7a, 0x5a, 0xff}
	wrongColour  = color.RGBA{0xc2, 0x4a, 0x00, 0xff}
)

// Measures in pixels. A tile is magnified by a whole number to about tileSide.
const (
	tileSide    = 192
	margin      = 20
	gap         = 16
	captionSize = 13
	captionHigh = 40 // two lines
	legendHigh  = 34
	border      = 2 // of an outline, within a halo of one pixel
)

// Sheet writes tiles as a PNG, whole or not at all: a legend, then the images in
// rows, each with its kept patches outlined and its caption below.
func Sheet(path string, tiles []Tile) error {
	if len(tiles) == 0 {
		return fmt.Errorf("sheet %s: no tiles", path)
	}
	for i, t := range tiles {
		if err := t.check(); err != nil {
			return fmt.Errorf("sheet %s: tile %d: %w", path, i, err)
		}
	}
	fonts, err := loadFonts()
	if err != nil {
		return fmt.Errorf("sheet %s: %w", path, err)
	}
	sheet := drawSheet(tiles, fonts)
	return atomicfile.Write(path, func(w io.Writer) error { return png.Encode(w, sheet) })
}

func (t Tile) check() error {
	if t.W < 1 || t.H < 1 || len(t.RGB) != 3*t.W*t.H {
		return fmt.Errorf("%d bytes for %dx%d pixels, want %d", len(t.RGB), t.W, t.H, 3*t.W*t.H)
	}
	for _, level := range [][]int{t.Level1, t.Level2} {
		for _, p := range level {
			if p < 0 || p >= t.Grid*t.Grid {
				return fmt.Errorf("patch %d, want 0 to %d of a %dx%d grid", p, t.Grid*t.Grid-1, t.Grid, t.Grid)
			}
		}
	}
	return nil
}

func drawSheet(tiles []Tile, fonts fonts) *image.RGBA {
	columns := min(len(tiles), 6)
	if len(tiles) < 12 {
		columns = min(len(tiles), 4)
	}
	w, h := 0, 0
	for _, t := range tiles {
		w, h = max(w, t.W*t.scale()), max(h, t.H*t.scale())
	}
	rows := (len(tiles) + columns - 1) / columns
	size := image.Rect(0, 0, max(2*margin+columns*w+(columns-1)*gap, 2*margin+legendWidth),
		2*margin+legendHigh+rows*(h+captionHigh)+(rows-1)*gap)
	dst := image.NewRGBA(size)
	draw.Draw(dst, size, image.NewUniform(paper), image.Point{}, draw.Src)
	drawLegend(dst, fonts)
	for i, t := range tiles {
		at := image.Pt(margin+i%columns*(w+gap), margin+legendHigh+i/columns*(h+captionHigh+gap))
		drawTile(dst, t, at)
		drawCaption(dst, t, fonts, image.Rect(at.X, at.Y+t.H*t.scale(), at.X+w, at.Y+t.H*t.scale()+captionHigh))
	}
	return dst
}

func (t Tile) scale() int { return max(1, tileSide/max(t.W, t.H)) }

func drawTile(dst *image.RGBA, t Tile, at image.Point) {
	k := t.scale()
	for y := range t.H * k {
		for x := range t.W * k {
			p := 3 * (y/k*t.W + x/k)
			dst.SetRGBA(at.X+x, at.Y+y, color.RGBA{t.RGB[p], t.RGB[p+1], t.RGB[p+2], 0xff})
		}
	}
	// Level 1 last: where outlines meet, the stronger level is on top.
	for _, p := range t.Level2 {
		outline(dst, t.patch(p).Add(at), level2Colour)
	}
	for _, p := range t.Level1 {
		outline(dst, t.patch(p).Add(at), level1Colour)
	}
}

// patch is the place of patch p in the magnified image.
func (t Tile) patch(p int) image.Rectangle {
	k, col, row := t.scale(), p%t.Grid, p/t.Grid
	return image.Rect(col*t.W*k/t.Grid, row*t.H*k/t.Grid, (col+1)*t.W*k/t.Grid, (row+1)*t.H*k/t.Grid)
}

// outline draws a frame inside r, so that neighbours do not cover each other.
func outline(dst *image.RGBA, r image.Rectangle, c color.RGBA) {
	frame(dst, r, border+2, halo)
	frame(dst, r.Inset(1), border, c)
}

func frame(dst *image.RGBA, r image.Rectangle, width int, c color.RGBA) {
	src := image.NewUniform(c)
	for _, side := range []image.Rectangle{
		{r.Min, image.Pt(r.Max.X, r.Min.Y+width)},
		{image.Pt(r.Min.X, r.Max.Y-width), r.Max},
		{r.Min, image.Pt(r.Min.X+width, r.Max.Y)},
		{image.Pt(r.Max.X-width, r.Min.Y), r.Max},
	} {
		draw.Draw(dst, side, src, image.Point{}, draw.Src)
	}
}

const legendWidth = 560

func drawLegend(dst *image.RGBA, fonts fonts) {
	x, line := margin, margin+14
	swatch := func(c color.RGBA) {
		outline(dst, image.Rect(x, line-13, x+18, line+5), c)
		x += 26
	}
	say := func(face font.Face, c color.RGBA, text string) {
		x = drawText(dst, face, c, x, line, text) + 24
	}
	say(fonts.bold, ink, "Kept patches")
	swatch(level1Colour)
	say(fonts.plain, ink, "level 1")
	swatch(level2Colour)
	say(fonts.plain, ink, "level 2")
	mark(dst, x+6, line-5, true)
	x += 20
	say(fonts.plain, ink, "predicted class is right")
	mark(dst, x+6, line-5, false)
	x += 20
	say(fonts.plain, ink, "wrong")
}

// drawCaption writes the mark and the caption within r, on at most two lines.
func drawCaption(dst *image.RGBA, t Tile, fonts fonts, r image.Rectangle) {
	mark(dst, r.Min.X+6, r.Min.Y+12, t.Right)
	for i, text := range wrap(fonts.plain, t.Caption, r.Dx()-18, 2) {
		drawText(dst, fonts.plain, ink, r.Min.X+18, r.Min.Y+17+16*i, text)
	}
}

// drawText writes text with its base line at y and returns where it ends.
func drawText(dst *image.RGBA, face font.Face, c color.RGBA, x, y int, text string) int {
	d := font.Drawer{Dst: dst, Src: image.NewUniform(c), Face: face, Dot: fixed.P(x, y)}
	d.DrawString(text)
	return d.Dot.X.Ceil()
}
