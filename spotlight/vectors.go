package spotlight

import "spotlighter/layers"

// vectors are those of each image's candidates, K a class: their texts and
// prototypes.
type vectors struct {
	of     *Node   // candidates [B, Q]; nil where the tables are the images' own
	tables []*Node // of classes [C, K1, D], [C, K2, D]..., K their sum, or one [B, Q*K, D]
}

// rows are the vectors [B, Q*K, D], class by class.
func (v vectors) rows() *Node {
	if v.of == nil {
		return v.tables[0]
	}
	s := shape(v.of)
	var each []*Node // [B, Q, K*D]
	for _, t := range v.tables {
		d := shape(t)
		each = append(each, layers.Embedding(layers.Reshape(t, d[0], d[1]*d[2]), v.of))
	}
	x, d := layers.Concat(2, each...), last(shape(v.tables[0]))
	return layers.Reshape(x, s[0], s[1]*last(shape(x))/d, d)
}

// fewest are the same vectors, as those of all classes or as those of the images,
// whichever are fewer to map: one table.
func (v vectors) fewest() vectors {
	if s := shape(v.of); shape(v.tables[0])[0] > s[0]*s[1] {
		return vectors{tables: []*Node{v.rows()}}
	}
	return vectors{of: v.of, tables: []*Node{layers.Concat(1, v.tables...)}}
}

// through maps vectors by a function of rows [R, D] to [R, W].
func (v vectors) through(f func(x *Node) *Node) vectors {
	mapped := vectors{of: v.of}
	for _, t := range v.tables {
		s := shape(t)
		x := f(layers.Reshape(t, s[0]*s[1], s[2]))
		mapped.tables = append(mapped.tables, layers.Reshape(x, s[0], s[1], shape(x)[1]))
	}
	return mapped
}
