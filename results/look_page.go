package results

import (
	"bytes"
	_ "embed" // the page
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/png"

	"spotlighter/internal/atomicfile"
)

//go:embed look.html
var lookHTML string

// LookPage writes looks as one page that needs no other file.
func LookPage(path, title string, looks []Look) error {
	css, err := reportFiles.ReadFile("report.css")
	if err != nil {
		return fmt.Errorf("look %s: %w", path, err)
	}
	page := lookPage{Title: title, CSS: template.CSS(css)} // our own file
	for i, l := range looks {
		if err := l.check(); err != nil {
			return fmt.Errorf("look %s: image %d: %w", path, i, err)
		}
		s := lookSection{Look: l}
		if s.Panels, err = l.panels(); err != nil {
			return fmt.Errorf("look %s: %w", path, err)
		}
		page.Looks = append(page.Looks, s)
	}
	t, err := template.New("look").Funcs(template.FuncMap{
		"decimal": decimal,
		"percent": func(v float64) string { return fmt.Sprintf("%.1f", 100*v) },
		"add":     func(a, b int) int { return a + b },
	}).Parse(lookHTML)
	if err != nil {
		return fmt.Errorf("look %s: %w", path, err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, page); err != nil {
		return fmt.Errorf("look %s: %w", path, err)
	}
	return atomicfile.WriteBytes(path, b.Bytes())
}

type lookPage struct {
	Title string
	CSS   template.CSS
	Looks []lookSection
}

type lookSection struct {
	Look
	Panels []panel
}

// panel is one picture of a section.
type panel struct {
	Title, Text string // Text is for those who do not see it
	Low, High   string // of a map's colours
	Data        template.URL
}

func (l Look) panels() ([]panel, error) {
	l.Tile = l.magnified()
	side := image.Rect(0, 0, l.W*l.scale(), l.H*l.scale())
	picture := image.NewRGBA(side)
	drawTile(picture, l.Tile, image.Point{})
	data, err := dataURL(picture)
	if err != nil {
		return nil, err
	}
	list := []panel{{Title: "Kept patches", Data: data,
		Text: fmt.Sprintf("%s with %d patches of level 1 and %d of level 2 outlined", l.Caption, len(l.Level1), len(l.Level2))}}
	for _, m := range l.Maps {
		picture := image.NewRGBA(side)
		least, greatest := drawHeat(picture, l.Tile, m.Values, image.Point{})
		if data, err = dataURL(picture); err != nil {
			return nil, err
		}
		list = append(list, panel{Title: m.Title, Data: data, Low: decimal(least), High: decimal(greatest),
			Text: fmt.Sprintf("%s as a heat map over %s, strongest %s", m.Title, l.Caption, place(m.Values, l.Grid))})
	}
	return list, nil
}

// place says in words where a map is greatest.
func place(values []float32, grid int) string {
	best := 0
	for i, v := range values {
		if v > values[best] {
			best = i
		}
	}
	return fmt.Sprintf("in row %d of %d, column %d", best/grid+1, grid, best%grid+1)
}

func dataURL(picture image.Image) (template.URL, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return "", err
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil
}
