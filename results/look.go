package results

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"
	"strings"

	"golang.org/x/image/font"

	"spotlighter/internal/atomicfile"
)

// Look is what a run makes of one image, for a picture and a page.
type Look struct {
	Tile           // the image and its kept patches; the caption is its name
	Class   string // the true one; "" if it is not known, and Right means nothing then
	Note    string // a line on the kept patches; may be empty
	Guesses []Guess
	Maps    []Map
	Tokens  []Token
}

// Guess is a class with its probability, likeliest first.
type Guess struct {
	Class       string
	Probability float64
}

// Map is an activation of the patches, row by row.
type Map struct {
	Title  string
	Values []float32
}

// Token is a kept patch with what it matched, best first.
type Token struct {
	Level         int
	Score, Weight float64
	Matches       []string
	Nearest       string
}

// Measures of a look's picture, in pixels.
const (
	panelGap  = 22
	panelHead = 24
	scaleHigh = 34 // of a map's colour scale with its labels
	rowHigh   = 20
)

var (
	quiet     = color.RGBA{0x5c, 0x60, 0x68, 0xff}
	barColour = color.RGBA{0x00, 0x72, 0xb2, 0xff}
)

// decimal is a number with two decimals and a true minus sign.
func decimal(v float64) string {
	return strings.Replace(fmt.Sprintf("%.2f", v), "-", "−", 1)
}

func textWidth(face font.Face, s string) int { return font.MeasureString(face, s).Ceil() }

func (l Look) check() error {
	if err := l.Tile.check(); err != nil {
		return err
	}
	for _, m := range l.Maps {
		if len(m.Values) != l.Grid*l.Grid {
			return fmt.Errorf("map %s: %d values, want those of a %dx%d grid", m.Title, len(m.Values), l.Grid, l.Grid)
		}
	}
	return nil
}

// LookPNG draws a look: the image with its kept patches, its activations as heat
// maps, the predicted classes, and each kept token with its prototypes.
func LookPNG(path string, l Look) error {
	if err := l.check(); err != nil {
		return fmt.Errorf("look %s: %w", path, err)
	}
	fonts, err := loadFonts()
	if err != nil {
		return fmt.Errorf("look %s: %w", path, err)
	}
	sheet := l.draw(fonts)
	return atomicfile.Write(path, func(w io.Writer) error { return png.Encode(w, sheet) })
}

// panelSide is about how large a panel is.
const panelSide = 256

// magnified is the tile with each pixel repeated, to about a panel's size.
func (t Tile) magnified() Tile {
	k := max(1, panelSide/max(t.W, t.H))
	big := make([]uint8, 0, len(t.RGB)*k*k)
	for y := range t.H * k {
		for x := range t.W * k {
			p := 3 * (y/k*t.W + x/k)
			big = append(big, t.RGB[p:p+3]...)
		}
	}
	t.RGB, t.W, t.H = big, t.W*k, t.H*k
	return t
}

func (l Look) draw(fonts fonts) *image.RGBA {
	l.Tile = l.magnified()
	side := image.Pt(l.W*l.scale(), l.H*l.scale())
	panels := 1 + len(l.Maps)
	width := max(panels*side.X+(panels-1)*panelGap, 1090)
	rows := max(len(l.Guesses), len(l.Tokens))
	top := margin + 44
	below := top + panelHead + side.Y + scaleHigh + 14
	dst := image.NewRGBA(image.Rect(0, 0, width+2*margin, below+30+rows*rowHigh+margin))
	draw.Draw(dst, dst.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)

	l.drawTitle(dst, fonts, width)
	at := image.Pt(margin, top)
	drawText(dst, fonts.bold, ink, at.X, at.Y+14, "Kept patches")
	drawTile(dst, l.Tile, at.Add(image.Pt(0, panelHead)))
	l.drawLevels(dst, fonts, at.Add(image.Pt(0, panelHead+side.Y+8)))
	for _, m := range l.Maps {
		at.X += side.X + panelGap
		drawText(dst, fonts.bold, ink, at.X, at.Y+14, m.Title)
		least, greatest := drawHeat(dst, l.Tile, m.Values, at.Add(image.Pt(0, panelHead)))
		drawScale(dst, fonts, image.Rect(at.X, at.Y+panelHead+side.Y+8, at.X+side.X, at.Y+panelHead+side.Y+16), least, greatest)
	}
	l.drawGuesses(dst, fonts, image.Pt(margin, below))
	l.drawTokens(dst, fonts, image.Rect(margin+330, below, margin+width, below))
	return dst
}

// drawTitle writes the image's name and, where it is known, the true class with a
// mark, and the note below.
func (l Look) drawTitle(dst *image.RGBA, fonts fonts, width int) {
	name := shorten(l.Caption, func(s string) bool { return textWidth(fonts.bold, s) <= width/2 })
	x := drawText(dst, fonts.bold, ink, margin, margin+12, name) + 18
	if l.Class != "" {
		mark(dst, x+6, margin+7, l.Right)
		drawText(dst, fonts.plain, ink, x+20, margin+12, "the object is a "+l.Class)
	}
	drawText(dst, fonts.plain, quiet, margin, margin+32, l.Note)
}

// drawLevels is the legend of the outlines.
func (l Look) drawLevels(dst *image.RGBA, fonts fonts, at image.Point) {
	x := at.X
	for i, c := range []color.RGBA{level1Colour, level2Colour} {
		outline(dst, image.Rect(x, at.Y, x+16, at.Y+16), c)
		x = drawText(dst, fonts.plain, ink, x+22, at.Y+13, fmt.Sprintf("level %d", i+1)) + 18
	}
}

// drawScale is a map's colour scale between its least and greatest value.
func drawScale(dst *image.RGBA, fonts fonts, r image.Rectangle, least, greatest float64) {
	for x := r.Min.X; x < r.Max.X; x++ {
		c := heatColour(float64(x-r.Min.X) / float64(max(r.Dx()-1, 1)))
		column := image.Rect(x, r.Min.Y, x+1, r.Max.Y)
		draw.Draw(dst, column, image.NewUniform(color.RGBA{uint8(c[0]), uint8(c[1]), uint8(c[2]), 0xff}), image.Point{}, draw.Src)
	}
	low, high := decimal(least), decimal(greatest)
	drawText(dst, fonts.plain, quiet, r.Min.X, r.Max.Y+14, low)
	drawText(dst, fonts.plain, quiet, r.Max.X-textWidth(fonts.plain, high), r.Max.Y+14, high)
}

// drawGuesses draws the predicted classes as bars.
func (l Look) drawGuesses(dst *image.RGBA, fonts fonts, at image.Point) {
	const bar, label = 90, 190
	drawText(dst, fonts.bold, ink, at.X, at.Y+14, "Predicted")
	for i, g := range l.Guesses {
		y := at.Y + 30 + i*rowHigh
		name := shorten(g.Class, func(s string) bool { return textWidth(fonts.plain, s) <= label-10 })
		drawText(dst, fonts.plain, ink, at.X, y+13, name)
		c := barColour
		if g.Class == l.Class {
			c = rightColour
		}
		full := image.Rect(at.X+label, y+3, at.X+label+bar, y+15)
		draw.Draw(dst, full, image.NewUniform(faint), image.Point{}, draw.Src)
		full.Max.X = full.Min.X + int(math.Round(bar*g.Probability))
		draw.Draw(dst, full, image.NewUniform(c), image.Point{}, draw.Src)
		drawText(dst, fonts.plain, ink, at.X+label+bar+6, y+13, fmt.Sprintf("%.0f%%", 100*g.Probability))
	}
}

// drawTokens lists the kept tokens with the prototypes that they matched.
func (l Look) drawTokens(dst *image.RGBA, fonts fonts, r image.Rectangle) {
	x, y := r.Min.X+30, r.Min.Y
	columns := []int{x, x + 60, x + 124, x + 424}
	for i, head := range []string{"Score", "Weight", "Matched prototypes", "Nearest of the bank, cosine"} {
		drawText(dst, fonts.bold, ink, columns[i], y+14, head)
	}
	for i, t := range l.Tokens {
		row := y + 30 + i*rowHigh
		c := level2Colour
		if t.Level == 1 {
			c = level1Colour
		}
		outline(dst, image.Rect(r.Min.X, row+1, r.Min.X+16, row+17), c)
		drawText(dst, fonts.plain, ink, columns[0], row+13, decimal(t.Score))
		drawText(dst, fonts.plain, ink, columns[1], row+13, decimal(t.Weight))
		for k, text := range []string{t.matched(), t.Nearest} {
			end := r.Max.X
			if k == 0 {
				end = columns[3] - 12
			}
			text = shorten(text, func(s string) bool { return textWidth(fonts.plain, s) <= end-columns[2+k] })
			drawText(dst, fonts.plain, ink, columns[2+k], row+13, text)
		}
	}
}

// matched joins what a token matched.
func (t Token) matched() string {
	if len(t.Matches) == 0 {
		return "none: the method has no bank"
	}
	return strings.Join(t.Matches, ",  ")
}
