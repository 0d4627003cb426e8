package graph

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Row is one layer of a Summary.
type Row struct {
	Layer  string
	Ops    int
	Shape  Shape // of the layer's last value
	Params map[Kind]int
	FLOPs  int64 // of a Run, the first aside: see Options.Fixed
}

// Summary describes a program layer by layer, in the order of execution.
func (p *Program) Summary() []Row {
	var rows []Row
	at := map[string]int{}
	params := map[string]map[Kind]int{}
	for _, b := range p.vars {
		layer := layerOf(b.v)
		if params[layer] == nil {
			params[layer] = map[Kind]int{}
		}
		params[layer][b.v.Kind] += size(b.v.Type.Shape)
	}
	row := func(layer string) *Row {
		i, ok := at[layer]
		if !ok {
			i = len(rows)
			at[layer] = i
			rows = append(rows, Row{Layer: layer, Params: params[layer]})
			delete(params, layer)
		}
		return &rows[i]
	}
	for i, st := range p.plan.steps {
		r := row(st.layer)
		r.Ops++
		out := p.plan.values[st.out].typ
		r.Shape = out.Shape
		if c, ok := st.op.(Counter); ok && (i >= p.plan.once || p.loaded != nil) {
			var in []Type
			for _, v := range st.in {
				in = append(in, p.plan.values[v].typ)
			}
			r.FLOPs += c.FLOPs(in, out)
		}
	}
	for _, b := range p.vars { // variables that only another layer's ops read
		if layer := layerOf(b.v); params[layer] != nil {
			row(layer)
		}
	}
	return rows
}

// layerOf is the scope that a variable was declared in.
func layerOf(v *Variable) string {
	return v.Name[:max(0, strings.LastIndexByte(v.Name, '.'))]
}

// FLOPs counts the arithmetic of one Run, the first aside: see Options.Fixed.
func (p *Program) FLOPs() int64 {
	var n int64
	for _, r := range p.Summary() {
		n += r.FLOPs
	}
	return n
}

// WriteSummary prints the summary as a table.
func (p *Program) WriteSummary(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "layer\tshape\tops\ttrainable\tfrozen\tstate\tMFLOP")
	for _, r := range p.Summary() {
		layer := r.Layer
		if layer == "" {
			layer = "(root)"
		}
		fmt.Fprintf(t, "%s\t%v\t%d\t%d\t%d\t%d\t%.1f\n", layer, []int(r.Shape), r.Ops, r.Params[Trainable], r.Params[Frozen], r.Params[State], float64(r.FLOPs)/1e6)
	}
	fmt.Fprintf(t, "total\t\t%d\t\t\t\t%.1f\n", len(p.plan.steps), float64(p.FLOPs())/1e6)
	return t.Flush()
}
