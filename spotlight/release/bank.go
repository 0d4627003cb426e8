package release

import (
	"spotlighter/graph"
	"spotlighter/layers"
)

// closed is the similarity of a token and a prototype that it may not write to.
const closed = -1e4

// write computes the bank after a step, from all tokens of the batch: rows x
// [R, D] of images with labels [B] among the given number of classes.
func (m *Model) write(o *Output, x, labels *Node, classes int) {
	var shut *Node
	if !m.UnlabelledBank {
		b, r, p := shape(labels)[0], shape(x)[0], m.Prototypes
		shut = layers.Embedding(m.scope.Const(shares(classes, p)), labels) // [B, P]
		shut = layers.Reshape(layers.Broadcast(layers.Reshape(shut, b, 1, p), b, r/b, p), r, p)
	}
	o.Written = m.memory.Write(x, shut, m.SumWrite)
}

// shares deals prototypes out to classes in turn: [C, P], 0 where a class may
// write.
func shares(classes, prototypes int) graph.Tensor {
	t := graph.NewTensor(graph.Float32, classes, prototypes)
	n := min(classes, prototypes)
	for c := range classes {
		for p := range prototypes {
			if p%n != c%n {
				t.F32[c*prototypes+p] = closed
			}
		}
	}
	return t
}
