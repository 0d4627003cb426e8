package results

import (
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestContact finds each picture where it belongs, and a caption below it.
func TestContact(t *testing.T) {
	var tiles []Tile
	for i := range 6 {
		pix := slices.Repeat([]uint8{uint8(40 * i), 0, 200}, 192*192)
		tiles = append(tiles, Tile{RGB: pix, W: 192, H: 192, Caption: "cougar body"})
	}
	path := filepath.Join(t.TempDir(), "x.png")
	if err := Contact(path, "caltech101: 100 classes", tiles); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if w := img.Bounds().Dx(); w != 2*20+4*192+3*16 {
		t.Errorf("%d pixels wide", w)
	}
	for i := range tiles {
		x, y := 20+i%4*(192+16), 20+34+i/4*(192+40+16)
		if c := color.RGBAModel.Convert(img.At(x+96, y+96)); c != (color.RGBA{uint8(40 * i), 0, 200, 255}) {
			t.Errorf("picture %d: %v", i, c)
		}
		dark := 0
		for dy := range 40 {
			for dx := range 192 {
				if r, _, _, _ := img.At(x+dx, y+192+dy).RGBA(); r < 0x8000 {
					dark++
				}
			}
		}
		if dark < 100 {
			t.Errorf("picture %d: a caption of %d pixels", i, dark)
		}
	}
	if err := Contact(path, "", nil); err == nil || !strings.Contains(err.Error(), "no pictures") {
		t.Errorf("nothing: %v", err)
	}
	tiles[3].W = 5
	if err := Contact(path, "", tiles); err == nil || !strings.Contains(err.Error(), "picture 3") {
		t.Errorf("wrong size: %v", err)
	}
}
