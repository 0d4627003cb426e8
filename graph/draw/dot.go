package draw

import (
	"fmt"
	"io"
	"strings"
)

// WriteDOT writes the graph in Graphviz's language.
func (g *Graph) WriteDOT(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %q {\n\tcompound=true; node [shape=box, style=filled, fontname=\"sans-serif\"]; edge [fontname=\"sans-serif\", fontsize=9];\n", g.Title)
	n := 0
	var put func(x *Item, indent string)
	put = func(x *Item, indent string) {
		colour := x.colour()
		if len(x.Items) == 0 {
			fmt.Fprintf(&b, "%s%q [label=%q, fillcolor=%q, color=%q];\n", indent, x.ID, x.Name+"\n"+x.Detail(), colour.fill, colour.line)
			return
		}
		fmt.Fprintf(&b, "%ssubgraph cluster_%d {\n%s\tlabel=%q; style=filled; fillcolor=%q; color=%q;\n", indent, n, indent, x.Name+"\n"+x.Detail(), colour.fill, colour.line)
		n++
		for _, c := range x.Items {
			put(c, indent+"\t")
		}
		fmt.Fprintf(&b, "%s}\n", indent)
	}
	for _, x := range g.Items {
		put(x, "\t")
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "\t%q -> %q [label=%q, color=%q];\n", e.From, e.To, shape(e.Shape), edgeColour(e, g.byID[e.From], g.byID[e.To]))
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// colour is how an item is drawn.
type colour struct{ fill, line string }

func (x *Item) colour() colour {
	switch x.Change {
	case "added":
		return colour{"#c8f0cf", "#127a2b"}
	case "removed":
		return colour{"#fbd3d3", "#b3261e"}
	}
	c := colour{"#ffffff", "#55606e"}
	switch {
	case x.Kind == "trainable" || x.Kind == "layer" && x.Trainable > 0:
		c = colour{"#ffe0b8", "#b35900"}
	case x.Kind == "frozen":
		c = colour{"#d9dee6", "#55606e"}
	case x.Kind == "state":
		c = colour{"#d3efe9", "#0b6e60"}
	case x.Kind == "input":
		c = colour{"#fff6bf", "#7a6a00"}
	case x.Kind == "program":
		c = colour{"#f6f7f9", "#55606e"}
	case x.Phase == "backward":
		c = colour{"#eadcf7", "#6b2fa0"}
	case x.Phase == "update":
		c = colour{"#fbdcea", "#a0306a"}
	case x.Phase == "forward":
		c = colour{"#e0ecfb", "#1f5fa8"}
	}
	if len(x.Items) > 0 && x.Kind == "layer" && x.Trainable > 0 { // an open box: only its line says so
		c.fill = "#fff5e8"
	}
	if x.Change == "changed" {
		c.line = "#c77700"
	}
	return c
}

func edgeColour(e Edge, from, to *Item) string {
	switch {
	case e.Change == "added":
		return "#127a2b"
	case e.Change == "removed":
		return "#b3261e"
	case from.Phase != to.Phase:
		return "#b9bec6"
	case to.Phase == "backward":
		return "#6b2fa0"
	case to.Phase == "update":
		return "#a0306a"
	}
	return "#1f5fa8"
}
