package release

import "spotlighter/layers"

// The weights of the loss.
const (
	balance = 50 // divides the cross-entropies of the selected rows
	pull    = 20 // multiplies the distances of the memory's outputs from their inputs
)

// Losses are the parts of the training loss.
type Losses struct {
	Global        *Node // cross-entropy of the mixed logits
	All, Top, Low *Node // of the selected rows
	Text, Image   *Node // mean |r/|r| - t| and |out/|out| - g| over the elements
	Total         *Node
}

// losses adds up what is minimised, for labels [B].
func losses(o Output, t, g, labels *Node) Losses {
	l := Losses{
		Global: layers.CrossEntropy(o.Logits, labels),
		All:    RowsCrossEntropy(o.AllLogits, labels), Top: RowsCrossEntropy(o.TopLogits, labels), Low: RowsCrossEntropy(o.LowLogits, labels),
		Text: Distance(o.Text, t), Image: Distance(o.Image, g),
	}
	local := layers.Add(layers.Add(l.All, l.Top), l.Low)
	pulls := layers.Add(l.Text, l.Image)
	l.Total = layers.Add(layers.Add(l.Global, layers.Scale(local, 1./balance)), layers.Scale(pulls, pull))
	return l
}

// RowsCrossEntropy is the mean cross-entropy of rows [B, n, C], each of which has
// its image's label.
func RowsCrossEntropy(logits, labels *Node) *Node {
	b := shape(logits)[0]
	perImage := layers.Mean(layers.LogSoftmax(logits), 1) // [B, C]
	return layers.Scale(layers.MeanAll(layers.Gather(perImage, layers.Reshape(labels, b, 1))), -1)
}

// Distance is the mean absolute difference of x [M, D], normalised, from unit rows
// [M, D]: a scalar.
func Distance(x, to *Node) *Node { return layers.MeanAll(layers.Abs(layers.Sub(unit(x), to))) }
