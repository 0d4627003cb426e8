package methods

import (
	"slices"

	"spotlighter/graph"
	"spotlighter/spotlight"
)

// The bank's variables, which have a row for each class.
const (
	BankName    = plugScope + ".bank"
	readingName = plugScope + ".reading"
	seenName    = plugScope + ".seen"
	meanName    = plugScope + ".mean"  // of what was read in training; of no class
	KappaName   = plugScope + ".kappa" // logarithm of the temperature that tokens are matched by
)

// ForClasses is what training left behind for other classes: what belongs to no
// class stays, and a class that was learned, by its name, keeps its rows of the
// bank; the others get what a class starts from. learned are the classes of vars.
func ForClasses(vars []*graph.Variable, learned []string, cl Classes, cfg spotlight.Config) []*graph.Variable {
	if slices.Equal(learned, cl.Names) {
		return vars
	}
	at := map[string]int{}
	for i, name := range learned {
		at[name] = i
	}
	var out []*graph.Variable
	for _, v := range vars {
		switch {
		case CarriesOver(v, cfg):
			out = append(out, v)
		case v.Name == CacheValues:
			out = append(out, rowsOf(v, zeros(v, cl), at, cl.Names))
		case cfg.Variant == spotlight.Release: // its bank belongs to no class
		case v.Name == BankName:
			out = append(out, rowsOf(v, StartBank(cl, cfg), at, cl.Names))
		case v.Name == readingName, v.Name == seenName:
			out = append(out, rowsOf(v, zeros(v, cl), at, cl.Names))
		}
	}
	return out
}

// zeros is a value like v's with a row for each class.
func zeros(v *graph.Variable, cl Classes) graph.Tensor {
	shape := v.Value.Shape.Clone()
	shape[0] = len(cl.Names)
	return graph.NewTensor(graph.Float32, shape...)
}

// rowsOf puts the rows of learned classes into a value for others.
func rowsOf(v *graph.Variable, start graph.Tensor, at map[string]int, names []string) *graph.Variable {
	for i, name := range names {
		if from, ok := at[name]; ok {
			copy(start.Row(i), v.Value.Row(from))
		}
	}
	return &graph.Variable{Name: v.Name, Kind: v.Kind, Type: graph.Type{Shape: start.Shape, Dtype: start.Dtype}, Value: start}
}
