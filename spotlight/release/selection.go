package release

import (
	"spotlighter/graph"
	"spotlighter/layers"
)

// selectRows takes the tokens that are classified in training: of the patches
// that CLS attends to most, all, the first level and the second, each between
// CLS and the mean of all tokens.
func (m *Model) selectRows(o *Output, attention *Node, tokens *Node) {
	if n := shape(attention)[1]; m.Keep > n {
		graph.Failf("spotlight.release.keep: %d, the image encoder has %d patches", m.Keep, n)
	}
	o.Index = layers.TopK(attention, m.Keep) // [B, K], patches
	from := tokens                           // off by one: patch p at row p, which is patch p-1
	if s := shape(tokens); !m.OffByOne {
		from = layers.Slice(tokens, 1, 1, s[1])
	}
	kept := layers.Gather(from, o.Index) // [B, K, D]
	o.All = Framed(tokens, kept)
	o.Top = Framed(tokens, layers.Slice(kept, 1, 0, m.Level1))
	o.Low = Framed(tokens, layers.Slice(kept, 1, m.Level1, m.Keep))
}

// Framed is CLS, the kept tokens [B, n, D], the mean of all tokens: [B, n+2, D].
func Framed(tokens, kept *Node) *Node {
	s := shape(tokens)
	mean := layers.Reshape(layers.Mean(tokens, 1), s[0], 1, s[2])
	return layers.Concat(1, layers.Slice(tokens, 1, 0, 1), kept, mean)
}
