package draw

import (
	_ "embed" // the page
	"html/template"
	"io"
)

//go:embed graph.html
var page string

var pageTemplate = template.Must(template.New("graph").Parse(page))

// WriteHTML writes the graph as one page that needs no other file. Its boxes open and
// close; layers deeper than depth begin closed.
func (g *Graph) WriteHTML(w io.Writer, depth int) error {
	type box struct {
		*Item
		Level int
		Open  bool
		Inner []([]any)
	}
	var boxOf func(x *Item, level int) any
	boxOf = func(x *Item, level int) any {
		if x.Kind == "layer" {
			level++
		}
		b := box{Item: x, Level: level, Open: level <= depth}
		for _, row := range x.Rows() {
			var inner []any
			for _, c := range row {
				inner = append(inner, boxOf(c, level))
			}
			b.Inner = append(b.Inner, inner)
		}
		return b
	}
	type edge struct {
		From, To, Shape, Change string
	}
	data := struct {
		Title string
		Items []any
		Edges []edge
		Diff  bool
	}{Title: g.Title}
	for _, x := range g.Items {
		data.Items = append(data.Items, boxOf(x, 0))
		data.Diff = data.Diff || x.Change != ""
	}
	for _, e := range g.Edges {
		data.Edges = append(data.Edges, edge{e.From, e.To, shape(e.Shape), e.Change})
		data.Diff = data.Diff || e.Change != ""
	}
	return pageTemplate.Execute(w, data)
}
