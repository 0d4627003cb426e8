package experiments

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"spotlighter/experiments/runfmt"
	"spotlighter/internal/tensorboard"
)

// eventSteps is the number of steps between two events within an epoch.
const eventSteps = 10

// events are a run's numbers and pictures for TensorBoard; all that they hold is
// in the run's own files too.
type events struct{ w *tensorboard.Writer }

// openEvents begins this session's file: what earlier ones wrote of steps from
// step on no longer counts.
func openEvents(r *Run, step int) (*events, error) {
	if r.state == New { // it starts anew, and so do they
		old, err := filepath.Glob(filepath.Join(r.Dir, tensorboard.Pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range old {
			if err := os.Remove(path); err != nil {
				return nil, fmt.Errorf("events: %w", err)
			}
		}
	}
	w, err := tensorboard.Create(r.Dir, r.session, step)
	return &events{w}, err
}

func (e *events) scalars(step int, values map[string]float64) error {
	for _, tag := range slices.Sorted(maps.Keys(values)) {
		if err := e.w.Scalar(tag, step, values[tag]); err != nil {
			return err
		}
	}
	return nil
}

// kept adds the examples with their tokens outlined.
func (e *events) kept(step int, examples []runfmt.Example) error {
	for i, x := range examples {
		if len(x.Level1) == 0 {
			continue
		}
		text, size, err := outlined(x)
		if err != nil {
			return err
		}
		if err := e.w.Image(fmt.Sprintf("kept/%02d", i+1), step, text, size.X, size.Y); err != nil {
			return err
		}
	}
	return nil
}

func (e *events) Close() error {
	if e == nil || e.w == nil {
		return nil
	}
	return e.w.Close()
}

// The colours of the two levels, told apart by the colour-blind too (Okabe and Ito).
var levelColours = [2]color.RGBA{{0xe6, 0x9f, 0x00, 0xff}, {0x00, 0x72, 0xb2, 0xff}}

// shownSide is the least side of a picture in pixels.
const shownSide = 224

// outlined draws an example, magnified by a whole number, with its tokens.
func outlined(x runfmt.Example) ([]byte, image.Point, error) {
	src, err := png.Decode(bytes.NewReader(x.PNG))
	if err != nil {
		return nil, image.Point{}, fmt.Errorf("an example's picture: %w", err)
	}
	from := src.Bounds()
	k := max(1, (shownSide+from.Dx()-1)/from.Dx())
	dst := image.NewRGBA(image.Rect(0, 0, k*from.Dx(), k*from.Dy()))
	for y := range dst.Rect.Dy() {
		for px := range dst.Rect.Dx() {
			dst.Set(px, y, src.At(from.Min.X+px/k, from.Min.Y+y/k))
		}
	}
	for level, patches := range [][]int{x.Level1, x.Level2} {
		for _, p := range patches {
			col, row := p%x.Grid, p/x.Grid
			r := image.Rect(col*dst.Rect.Dx()/x.Grid, row*dst.Rect.Dy()/x.Grid, (col+1)*dst.Rect.Dx()/x.Grid, (row+1)*dst.Rect.Dy()/x.Grid)
			frame(dst, r, levelColours[level])
		}
	}
	var b bytes.Buffer
	err = png.Encode(&b, dst)
	return b.Bytes(), dst.Rect.Size(), err
}

// frame draws a border inside r.
func frame(dst *image.RGBA, r image.Rectangle, c color.RGBA) {
	const width = 3
	inner := r.Inset(width)
	for _, side := range []image.Rectangle{
		{Min: r.Min, Max: image.Pt(r.Max.X, inner.Min.Y)}, {Min: image.Pt(r.Min.X, inner.Max.Y), Max: r.Max},
		{Min: r.Min, Max: image.Pt(inner.Min.X, r.Max.Y)}, {Min: image.Pt(inner.Max.X, r.Min.Y), Max: r.Max},
	} {
		draw.Draw(dst, side, image.NewUniform(c), image.Point{}, draw.Src)
	}
}
