package draw

import (
	"fmt"
	"slices"
)

// Diff is b with what a has and b lacks put back, each item and edge marked as added,
// removed or changed. Leaves are the same by program, phase, layer and op, and
// changed where shape or type differ.
func Diff(a, b *Graph) *Graph {
	d := &Graph{Title: a.Title + " → " + b.Title, byID: map[string]*Item{}}
	var copyOf func(list []*Item, parent *Item, change func(x *Item) string)
	copyOf = func(list []*Item, parent *Item, change func(x *Item) string) {
		for _, x := range list {
			_, had := d.byID[x.ID]
			y := d.item(parent, x.ID, x.Name, x.Kind, x.Phase)
			if !had {
				if y.Change = change(x); len(x.Items) == 0 {
					y.Shape, y.Type, y.FLOPs, y.Trainable, y.Frozen, y.Ops = x.Shape, x.Type, x.FLOPs, x.Trainable, x.Frozen, x.Ops
				}
				if was := a.byID[x.ID]; y.Change == "changed" && len(x.Items) == 0 {
					y.Was = was.Kind + " " + shape(was.Shape) + " " + was.Type
				}
			}
			copyOf(x.Items, y, change)
		}
	}
	copyOf(b.Items, nil, func(x *Item) string {
		switch was := a.byID[x.ID]; {
		case was == nil:
			return "added"
		case len(x.Items) == 0 && (!slices.Equal(was.Shape, x.Shape) || was.Type != x.Type || was.Kind != x.Kind):
			return "changed"
		}
		return ""
	})
	copyOf(a.Items, nil, func(*Item) string { return "removed" })

	key := func(e Edge) string { return fmt.Sprint(e.From, " ", e.To) }
	in := func(g *Graph) map[string]bool {
		m := map[string]bool{}
		for _, e := range g.Edges {
			m[key(e)] = true
		}
		return m
	}
	inA, inB := in(a), in(b)
	for _, e := range b.Edges {
		if !inA[key(e)] {
			e.Change = "added"
		}
		d.Edges = append(d.Edges, e)
	}
	for _, e := range a.Edges {
		if !inB[key(e)] {
			e.Change = "removed"
			d.Edges = append(d.Edges, e)
		}
	}
	d.arrange()
	d.mark(d.Items)
	return d
}

// mark makes boxes changed in which something is.
func (g *Graph) mark(list []*Item) (changed bool) {
	for _, x := range list {
		if g.mark(x.Items) && x.Change == "" {
			x.Change = "changed"
		}
		changed = changed || x.Change != ""
	}
	return changed
}

// Changes counts the leaves that Diff marked.
func (g *Graph) Changes() (added, removed, changed int) {
	g.walk(func(x *Item) {
		if x.box() {
			return
		}
		switch x.Change {
		case "added":
			added++
		case "removed":
			removed++
		case "changed":
			changed++
		}
	})
	return added, removed, changed
}
