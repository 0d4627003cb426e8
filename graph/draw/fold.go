package draw

import (
	"slices"
)

// Fold leaves out what is inside of layers deeper than depth: 0 shows the phases'
// outermost layers as closed boxes. Edges end at what is left, each pair once.
func (g *Graph) Fold(depth int) {
	shown := map[string]*Item{} // of every leaf: itself or the closed box
	var visit func(list []*Item, level int, closed *Item)
	visit = func(list []*Item, level int, closed *Item) {
		for _, x := range list {
			at, inner := closed, level
			if at == nil && x.Kind == "layer" {
				inner++
				if inner > depth {
					at = x
				}
			}
			if shown[x.ID] = x; closed != nil {
				shown[x.ID] = closed
			}
			visit(x.Items, inner, at)
			if at == x {
				x.Items = nil
			}
		}
	}
	visit(g.Items, 0, nil)
	seen := map[[2]string]bool{}
	g.Edges = slices.DeleteFunc(g.Edges, func(e Edge) bool {
		key := [2]string{shown[e.From].ID, shown[e.To].ID}
		if key[0] == key[1] || seen[key] {
			return true
		}
		seen[key] = true
		return false
	})
	for i, e := range g.Edges {
		g.Edges[i].From, g.Edges[i].To = shown[e.From].ID, shown[e.To].ID
	}
}
