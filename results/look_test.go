package results

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func aLook() Look {
	l := Look{
		Tile:  Tile{RGB: make([]uint8, 3*64*64), W: 64, H: 64, Grid: 8, Level1: []int{9, 10}, Level2: []int{17}, Caption: `<b>"photo".png`},
		Class: "red star", Note: "2 of 3 kept patches lie on the object.",
		Guesses: []Guess{{"blue star", .75}, {"red star", .25}},
		Tokens:  []Token{{1, 3.5, .6, []string{"blue star #2 90%"}, "blue star #2, 0.91"}, {1, -1, .4, nil, ""}, {2, .5, 1, []string{"blue star #1 50%"}, "red star #4, 0.5"}},
	}
	values := make([]float32, 64)
	values[8*6+1] = 2 // row 6, column 1
	l.Maps = []Map{{"Sample-wise activation", values}, {"Score", values}}
	return l
}

// The brightest place of a heat map is its greatest patch.
func TestLookPNG(t *testing.T) {
	path := filepath.Join(t.TempDir(), "look.png")
	if err := LookPNG(path, aLook()); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	panel := image.Rect(0, 0, 256, 256).Add(image.Pt(margin+256+panelGap, margin+44+panelHead))
	at, best := image.Point{}, uint32(0)
	for y := panel.Min.Y; y < panel.Max.Y; y++ {
		for x := panel.Min.X; x < panel.Max.X; x++ {
			if r, g, b, _ := picture.At(x, y).RGBA(); r+g+b > best {
				best, at = r+g+b, image.Pt(x, y).Sub(panel.Min)
			}
		}
	}
	if at.X/32 != 1 || at.Y/32 != 6 {
		t.Errorf("brightest at %v, want in column 1, row 6 of patches of 32 pixels", at)
	}
}

// The page escapes names, and says in words what the pictures show.
func TestLookPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.html")
	if err := LookPage(path, "Looks", []Look{aLook()}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, want := range []string{
		"&lt;b&gt;", "strongest in row 7 of 8, column 2", "with 2 patches of level 1 and 1 of level 2 outlined",
		"Wrong:", "the object is a red star", "blue star #2 90%", "none: the method has no bank", "width: 75.0%", "−1.00",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, bad := range []string{"<b>", "ZgotmplZ", "http://", "https://"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
}

func TestLookThatDoesNotFit(t *testing.T) {
	for want, change := range map[string]func(l *Look){
		"map Score: 63 values, want those of a 8x8 grid": func(l *Look) { l.Maps[1].Values = l.Maps[1].Values[:63] },
		"patch 64, want 0 to 63":                         func(l *Look) { l.Level2 = []int{64} },
	} {
		l := aLook()
		change(&l)
		for _, write := range []func(path string) error{
			func(path string) error { return LookPNG(path, l) },
			func(path string) error { return LookPage(path, "", []Look{l}) },
		} {
			path := filepath.Join(t.TempDir(), "x")
			if err := write(path); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error is %v, want %s", err, want)
			}
			if _, err := os.Stat(path); err == nil {
				t.Error("something was written")
			}
		}
	}
}
