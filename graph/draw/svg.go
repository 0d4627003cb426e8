package draw

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Sizes in pixels. Texts are drawn by the reader's own font: letter is more than
// most take.
const (
	letter   = 7.3
	leafHigh = 38
	header   = 30
	margin   = 14
	gapX     = 16
	gapY     = 34 // room for the shapes on the edges
)

// place is where an item is drawn.
type place struct{ x, y, w, h float64 }

// svg is a picture as it is drawn.
type svg struct {
	g      *Graph
	at     map[*Item]place
	before map[*Item][]*Item // siblings that an item takes values from
	strings.Builder
}

// WriteSVG draws the graph: rows from top to bottom, each item below what it takes
// values from.
func (g *Graph) WriteSVG(w io.Writer) error {
	s := &svg{g: g, at: map[*Item]place{}, before: map[*Item][]*Item{}}
	for _, e := range g.Edges {
		if from, to := siblings(g.byID[e.From], g.byID[e.To]); from != nil {
			s.before[to] = append(s.before[to], from)
		}
	}
	x, high := float64(margin), 0.0
	for _, p := range g.Items { // programs side by side
		s.size(p)
		s.move(p, x, margin+header)
		x += s.at[p].w + 2*gapX
		high = max(high, s.at[p].h)
	}
	width, height := max(x, 420), high+2*margin+header
	fmt.Fprintf(s, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="11">`+"\n", width, height, width, height)
	fmt.Fprintf(s, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="22" font-size="15" font-weight="bold">%s</text>`+"\n", margin, html.EscapeString(g.Title))
	for _, p := range g.Items {
		s.boxes(p)
	}
	s.edges()
	g.walk(func(x *Item) {
		if len(x.Items) == 0 {
			s.rect(x)
		}
	})
	s.WriteString("</svg>\n")
	_, err := io.WriteString(w, s.String())
	return err
}

// size lays out the inside of an item, relative to its corner.
func (s *svg) size(x *Item) {
	text := letter * float64(max(utf8.RuneCountInString(x.Name), utf8.RuneCountInString(x.Detail())))
	if len(x.Items) == 0 {
		s.at[x] = place{w: text + 14, h: leafHigh}
		return
	}
	rows := x.Rows()
	width := text + 2*margin
	widths := make([]float64, len(rows))
	for i, row := range rows {
		for _, c := range row {
			s.size(c)
			widths[i] += s.at[c].w + gapX
		}
		widths[i] -= gapX
		width = max(width, widths[i]+2*margin)
	}
	y := float64(header + margin)
	for i, row := range rows {
		s.order(row)
		at, high := (width-widths[i])/2, 0.0
		for _, c := range row {
			p := s.at[c]
			s.at[c] = place{at, y, p.w, p.h}
			at += p.w + gapX
			high = max(high, p.h)
		}
		y += high + gapY
	}
	s.at[x] = place{w: width, h: y - gapY + margin}
}

// order sorts a row by the middle of what each item takes values from.
func (s *svg) order(row []*Item) {
	middle := map[*Item]float64{}
	for i, c := range row {
		sum := 0.0
		for _, b := range s.before[c] {
			sum += s.at[b].x + s.at[b].w/2
		}
		if n := len(s.before[c]); n > 0 {
			middle[c] = sum / float64(n)
		} else {
			middle[c] = float64(i)
		}
	}
	slices.SortStableFunc(row, func(a, b *Item) int { return cmp.Compare(middle[a], middle[b]) })
}

// move makes places absolute.
func (s *svg) move(x *Item, dx, dy float64) {
	p := s.at[x]
	p.x, p.y = p.x+dx, p.y+dy
	s.at[x] = p
	for _, c := range x.Items {
		s.move(c, p.x, p.y)
	}
}

func (s *svg) boxes(x *Item) {
	if len(x.Items) == 0 {
		return
	}
	s.rect(x)
	for _, c := range x.Items {
		s.boxes(c)
	}
}

func (s *svg) rect(x *Item) {
	p, c := s.at[x], x.colour()
	dash := ""
	if x.Change == "removed" {
		dash = ` stroke-dasharray="5 3"`
	}
	stroke := 1.0
	if x.Change != "" || x.Kind == "trainable" {
		stroke = 2
	}
	fmt.Fprintf(s, `<g class="%s"><title>%s</title><rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="5" fill="%s" stroke="%s" stroke-width="%g"%s/>`,
		x.Class(), html.EscapeString(x.ID), p.x, p.y, p.w, p.h, c.fill, c.line, stroke, dash)
	fmt.Fprintf(s, `<text x="%.1f" y="%.1f" font-weight="bold">%s</text><text x="%.1f" y="%.1f" fill="#444">%s</text></g>`+"\n",
		p.x+7, p.y+15, html.EscapeString(x.Name), p.x+7, p.y+29, html.EscapeString(x.Detail()))
}

// edges draws a curve for each pair of items, and below each item the shapes of
// what it gives: there, and not at the arrows, labels do not lie on each other.
func (s *svg) edges() {
	labels, drawn := map[*Item][]string{}, map[[2]string]bool{}
	for _, e := range s.g.Edges {
		k := [2]string{e.From, e.To}
		from, to := s.g.byID[e.From], s.g.byID[e.To]
		if text := shape(e.Shape); from.Phase == to.Phase && !slices.Contains(labels[from], text) {
			labels[from] = append(labels[from], text)
		}
		if drawn[k] {
			continue
		}
		drawn[k] = true
		a, b := s.at[from], s.at[to]
		x1, y1, x2, y2 := a.x+a.w/2, a.y+a.h, b.x+b.w/2, b.y
		bend := max(16, min(60, (y2-y1)/2))
		across := from.Phase != to.Phase
		look := ""
		if e.Change == "removed" || across {
			look = ` stroke-dasharray="4 3"`
		}
		fmt.Fprintf(s, `<path class="edge" d="M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f" fill="none" stroke="%s"%s/>`, x1, y1, x1, y1+bend, x2, y2-bend, x2, y2, edgeColour(e, from, to), look)
		fmt.Fprintf(s, `<path d="M%.1f %.1fl-3 -6h6z" fill="%s"/>`, x2, y2, edgeColour(e, from, to))
		s.WriteByte('\n')
	}
	s.g.walk(func(x *Item) {
		if len(labels[x]) > 0 {
			p := s.at[x]
			fmt.Fprintf(s, `<text x="%.1f" y="%.1f" font-size="9" text-anchor="middle" fill="#333" stroke="white" stroke-width="2.5" paint-order="stroke">%s</text>`+"\n", p.x+p.w/2, p.y+p.h+11, html.EscapeString(strings.Join(labels[x], ", ")))
		}
	})
}
