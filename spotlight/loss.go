package spotlight

import "spotlighter/layers"

// Losses are the parts of the training loss.
type Losses struct {
	Plain      *Node   // cross-entropy of tau g.t, the prompt's own
	Prediction *Node   // of the mixed logits
	Levels     []*Node // of a reading by each level alone, under local_loss
	Local      *Node   // what is added to the prompt's own loss: the others, divided by balance
	Total      *Node
}

// Loss is CE(tau g.t) + (CE(prediction) + those of the levels)/balance, for labels
// [B], Int.
func (m *Model) Loss(o Output, labels *Node) Losses {
	defer m.stage("loss")()
	l := Losses{Plain: layers.CrossEntropy(o.Plain, labels), Prediction: layers.CrossEntropy(o.Logits, labels)}
	local := l.Prediction
	for _, x := range o.Levels {
		ce := layers.CrossEntropy(x, labels)
		l.Levels = append(l.Levels, ce)
		local = layers.Add(local, ce)
	}
	l.Local = layers.Scale(local, 1/m.Balance)
	l.Total = layers.Add(l.Plain, l.Local)
	return l
}
