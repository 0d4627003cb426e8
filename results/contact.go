package results

import (
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"

	"spotlighter/internal/atomicfile"
)

// Contact writes pictures as a PNG, whole or not at all: a title, then the
// pictures in rows of four with their captions below. Grid, levels and Right of
// a tile do not matter.
func Contact(path, title string, tiles []Tile) error {
	if len(tiles) == 0 {
		return fmt.Errorf("contact sheet %s: no pictures", path)
	}
	w, h := 0, 0
	for i, t := range tiles {
		if t.W < 1 || t.H < 1 || len(t.RGB) != 3*t.W*t.H {
			return fmt.Errorf("contact sheet %s: picture %d: %d bytes for %dx%d pixels, want %d", path, i, len(t.RGB), t.W, t.H, 3*t.W*t.H)
		}
		w, h = max(w, t.W*t.scale()), max(h, t.H*t.scale())
	}
	fonts, err := loadFonts()
	if err != nil {
		return fmt.Errorf("contact sheet %s: %w", path, err)
	}
	columns := min(len(tiles), 4)
	rows := (len(tiles) + columns - 1) / columns
	width := columns*w + (columns-1)*gap
	sheet := image.NewRGBA(image.Rect(0, 0, 2*margin+width, 2*margin+legendHigh+rows*(h+captionHigh)+(rows-1)*gap))
	draw.Draw(sheet, sheet.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)
	for _, line := range wrap(fonts.bold, title, width, 1) {
		drawText(sheet, fonts.bold, ink, margin, margin+14, line)
	}
	for i, t := range tiles {
		at := image.Pt(margin+i%columns*(w+gap), margin+legendHigh+i/columns*(h+captionHigh+gap))
		t.Level1, t.Level2 = nil, nil
		drawTile(sheet, t, at)
		for line, text := range wrap(fonts.plain, t.Caption, w, 2) {
			drawText(sheet, fonts.plain, ink, at.X, at.Y+t.H*t.scale()+17+16*line, text)
		}
	}
	return atomicfile.Write(path, func(w io.Writer) error { return png.Encode(w, sheet) })
}
