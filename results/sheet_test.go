package results

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func grey(size int, value uint8) Tile {
	t := Tile{RGB: make([]uint8, 3*size*size), W: size, H: size, Grid: 8}
	for i := range t.RGB {
		t.RGB[i] = value
	}
	return t
}

func TestSheet(t *testing.T) {
	tile := grey(64, 77)
	tile.Level1, tile.Level2 = []int{0, 9}, []int{63}
	tile.Caption, tile.Right = "a striped red heart with a very long name that takes more than two lines of text", true
	wrong := grey(64, 77)
	path := filepath.Join(t.TempDir(), "sheet.png")
	if err := Sheet(path, []Tile{tile, wrong, grey(32, 10)}); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(got.At(x, y)).(color.RGBA) }
	x0, y0 := margin, margin+legendHigh
	same := color.RGBA{77, 77, 77, 255}
	for _, want := range []struct {
		x, y int
		c    color.RGBA
	}{
		{x0, y0, halo}, {x0 + 1, y0 + 1, level1Colour}, {x0 + 12, y0 + 12, same}, // patch 0, 24 px
		{x0 + 25, y0 + 25, level1Colour},                               // patch 9
		{x0 + 190, y0 + 190, level2Colour}, {x0 + 191, y0 + 191, halo}, // patch 63
		{x0 + 100, y0 + 5, same}, {x0 + 192, y0, paper}, {x0 + 192 + gap, y0, same},
		{x0 + 2*(192+gap) + 191, y0 + 191, color.RGBA{10, 10, 10, 255}}, // 32 px are magnified by 6
	} {
		if c := at(want.x, want.y); c != want.c {
			t.Errorf("pixel (%d, %d) is %v, want %v", want.x, want.y, c, want.c)
		}
	}
	has := func(r image.Rectangle, c color.RGBA) bool {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				if at(x, y) == c {
					return true
				}
			}
		}
		return false
	}
	caption := func(i int) image.Rectangle {
		return image.Rect(0, 0, 16, captionHigh).Add(image.Pt(x0+i*(192+gap), y0+192))
	}
	if !has(caption(0), rightColour) || has(caption(0), wrongColour) || !has(caption(1), wrongColour) {
		t.Error("the marks do not tell right from wrong")
	}
}

func TestSheetRefuses(t *testing.T) {
	short, outside := grey(8, 0), grey(8, 0)
	short.RGB = short.RGB[1:]
	outside.Level2 = []int{64}
	for _, test := range []struct {
		tiles []Tile
		want  string
	}{
		{nil, "no tiles"},
		{[]Tile{grey(8, 0), short}, "tile 1: 191 bytes for 8x8 pixels, want 192"},
		{[]Tile{outside}, "tile 0: patch 64, want 0 to 63 of a 8x8 grid"},
	} {
		path := filepath.Join(t.TempDir(), "sheet.png")
		err := Sheet(path, test.tiles)
		if err == nil || !strings.HasSuffix(err.Error(), test.want) {
			t.Errorf("%v, want %s", err, test.want)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("a refused sheet left a file")
		}
	}
	if err := Sheet(filepath.Join(t.TempDir(), "absent", "sheet.png"), []Tile{grey(8, 0)}); err == nil {
		t.Error("a folder that is not there: no error")
	}
}

func TestWrap(t *testing.T) {
	fonts, err := loadFonts()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"":                          "",
		"red ring":                  "red ring",
		"a striped orange moon":     "a striped orange|moon",
		"a checkered orange square": "a checkered|orange square",
		"hippopotamuses-hippopotamuses and others of its kind": "hippopotamuses…|and others of its…",
	} {
		if got := strings.Join(wrap(fonts.plain, text, 110, 2), "|"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
