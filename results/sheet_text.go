package results

import (
	"image"
	"image/color"
	"math"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/vector"
)

type fonts struct{ plain, bold font.Face }

func loadFonts() (fonts, error) {
	var f fonts
	for _, face := range []struct {
		to  *font.Face
		ttf []byte
	}{{&f.plain, goregular.TTF}, {&f.bold, gobold.TTF}} {
		parsed, err := opentype.Parse(face.ttf)
		if err != nil {
			return f, err
		}
		*face.to, err = opentype.NewFace(parsed, &opentype.FaceOptions{Size: captionSize, DPI: 72, Hinting: font.HintingFull})
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

// wrap breaks text into at most lines lines of at most width pixels, between
// words where it can; what does not fit ends in an ellipsis.
func wrap(face font.Face, text string, width, lines int) []string {
	fits := func(s string) bool { return font.MeasureString(face, s).Ceil() <= width }
	var out []string
	words := strings.Fields(text)
	for len(words) > 0 {
		if len(out) == lines-1 {
			return append(out, shorten(strings.Join(words, " "), fits))
		}
		n := 1
		for n < len(words) && fits(strings.Join(words[:n+1], " ")) {
			n++
		}
		out = append(out, shorten(strings.Join(words[:n], " "), fits))
		words = words[n:]
	}
	return out
}

func shorten(s string, fits func(string) bool) string {
	if fits(s) {
		return s
	}
	runes := []rune(s)
	for len(runes) > 0 && !fits(string(runes)+"…") {
		runes = runes[:len(runes)-1]
	}
	return strings.TrimSpace(string(runes)) + "…"
}

// mark draws a tick or a cross about (x, y); the shape tells them apart without
// the colour.
func mark(dst *image.RGBA, x, y int, right bool) {
	if right {
		stroke(dst, rightColour, x, y, [][2]float64{{-4.5, 0}, {-1.5, 3.5}, {4.5, -4}})
		return
	}
	stroke(dst, wrongColour, x, y, [][2]float64{{-4, -4}, {4, 4}})
	stroke(dst, wrongColour, x, y, [][2]float64{{-4, 4}, {4, -4}})
}

// stroke draws a smooth line of two pixels through points about (x, y).
func stroke(dst *image.RGBA, c color.Color, x, y int, points [][2]float64) {
	const half, box = 1.1, 16
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		length := math.Hypot(b[0]-a[0], b[1]-a[1])
		// (u, v): the line's direction, half a width long; its ends are
		// lengthened by as much, which closes the corner between two lines.
		u, v := (b[0]-a[0])/length*half, (b[1]-a[1])/length*half
		r := vector.NewRasterizer(box, box)
		at := func(p [2]float64, along, across float64) (float32, float32) {
			return float32(p[0] + along*u - across*v + box/2), float32(p[1] + along*v + across*u + box/2)
		}
		r.MoveTo(at(a, -1, -1))
		r.LineTo(at(b, 1, -1))
		r.LineTo(at(b, 1, 1))
		r.LineTo(at(a, -1, 1))
		r.ClosePath()
		r.Draw(dst, image.Rect(x-box/2, y-box/2, x+box/2, y+box/2), image.NewUniform(c), image.Point{})
	}
}
