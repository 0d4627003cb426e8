package preprocess

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"  // decoders by content
	_ "image/jpeg" // baseline and progressive
	_ "image/png"
	"io/fs"
	"os"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

// A small file must not make the program allocate without bound. maxPixels is
// the limit at which Pillow refuses an image; maxRatio bounds the longer side
// once the shorter one has been scaled up.
const (
	maxPixels = 178956970
	maxRatio  = 256
)

// Decode reads a JPEG, PNG, GIF (first frame), BMP, TIFF or WebP file,
// recognised by its content. EXIF's orientation is ignored, as CLIP's reference
// does. The error is one line that names the file.
func Decode(path string) (*RGB, error) { return read(path, false) }

// DecodeUpright is Decode with the picture turned as EXIF says it was taken.
func DecodeUpright(path string) (*RGB, error) { return read(path, true) }

func read(path string, turn bool) (*RGB, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		var failed *fs.PathError
		if errors.As(err, &failed) {
			err = failed.Err // the path is told below
		}
		return nil, fmt.Errorf("image %s: %w", path, err)
	}
	rgb, err := decode(content)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", path, err)
	}
	if turn {
		rgb = upright(rgb, orientation(content))
	}
	return rgb, nil
}

func decode(content []byte) (*RGB, error) {
	if len(content) == 0 {
		return nil, errors.New("the file is empty")
	}
	config, format, err := image.DecodeConfig(bytes.NewReader(content))
	var inks []byte // the file under another name for what it is
	if as, ok := relabelled(content); err != nil && ok {
		inks = as
		config, format, err = image.DecodeConfig(bytes.NewReader(as))
	}
	switch {
	case errors.Is(err, image.ErrFormat):
		return nil, errors.New("not an image: wanted JPEG, PNG, GIF, BMP, TIFF or WebP")
	case err != nil:
		return nil, err
	case config.Width <= 0 || config.Height <= 0:
		return nil, fmt.Errorf("%d x %d pixels: no content", config.Width, config.Height)
	case config.Width > maxPixels/config.Height:
		return nil, fmt.Errorf("%d x %d pixels are too many, at most %d", config.Width, config.Height, maxPixels)
	case max(config.Width, config.Height) > maxRatio*min(config.Width, config.Height):
		return nil, fmt.Errorf("%d x %d pixels: one side is more than %d times the other", config.Width, config.Height, maxRatio)
	}
	if inks != nil {
		return decodeInks(inks)
	}
	img, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	switch img := img.(type) {
	case *image.YCbCr:
		if format == "webp" {
			return fromYCbCr(img, videoRGB), nil
		}
	case *image.NYCbCrA:
		return fromYCbCr(&img.YCbCr, videoRGB), nil
	case *image.Paletted:
		if format == "gif" {
			return fromGIF(img, config), nil
		}
	}
	return FromImage(img), nil
}

// fromGIF puts a GIF's first frame into its canvas. What the frame leaves free
// has the transparent colour, or the palette's first, as in Pillow.
func fromGIF(frame *image.Paletted, config image.Config) *RGB {
	empty := 0
	for i, c := range frame.Palette {
		if c == (color.RGBA{}) {
			empty = i
		}
	}
	if global, ok := config.ColorModel.(color.Palette); ok {
		restoreTransparent(frame.Palette, global)
	}
	canvas := image.Rect(0, 0, config.Width, config.Height)
	if frame.Rect == canvas {
		return FromImage(frame)
	}
	whole := image.NewPaletted(canvas, frame.Palette)
	for i := range whole.Pix {
		whole.Pix[i] = uint8(empty)
	}
	for y := frame.Rect.Min.Y; y < frame.Rect.Max.Y; y++ {
		copy(whole.Pix[whole.PixOffset(frame.Rect.Min.X, y):], frame.Pix[frame.PixOffset(frame.Rect.Min.X, y):][:frame.Rect.Dx()])
	}
	return FromImage(whole)
}

// restoreTransparent undoes what the GIF decoder does to the palette entry that
// stands for transparency: its colour counts once alpha is dropped.
func restoreTransparent(palette, global color.Palette) {
	for i := range palette {
		if palette[i] == (color.RGBA{}) && i < len(global) {
			palette[i] = global[i]
		}
	}
}
