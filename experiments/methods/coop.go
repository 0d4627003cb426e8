package methods

import (
	"strings"

	"spotlighter/graph"
	"spotlighter/layers"
	"spotlighter/optim"
	"spotlighter/textenc"
)

func init() {
	Register(Row{Name: "coop", Learns: true, New: func(o Options) Method { return coop{Options: o} }})
}

// coop learns the words around the class names, one context for all classes
// (CoOp: Zhou et al., arXiv 2109.01134): M vectors that start at the embeddings
// of the context words, trained by the cross-entropy of CLIP's logits.
type coop struct {
	frozenVision
	Options
}

const contextName = "context"

func (m coop) Text(c CLIP, cl Classes) *Node {
	s := c.Scope.Sub("prompt")
	start := m.start(c)
	context := s.Var(contextName, graph.Trainable, graph.Values(start.F32), start.Shape...)
	return unit(c.Encoders.Text.Classes(cl.Prompts, textenc.Context{Vectors: context}, m.TextEncoder))
}

// start is the embeddings of the context words [M, W].
func (m coop) start(c CLIP) graph.Tensor {
	rows, err := c.Model.Tokens(m.ContextWords)
	if err != nil {
		graph.Failf("train.context: %v", err)
	}
	if len(rows) < 3 {
		graph.Failf("train.context: %q has no words to learn from", m.ContextWords)
	}
	return c.Model.Embedding(rows[1 : len(rows)-1])
}

func (m coop) Build(c CLIP, _ Classes, b Batch) Outputs {
	o := Outputs{Logits: compare(c, b.Features.Image, b.Text)}
	if b.Labels != nil {
		o.Loss = layers.CrossEntropy(o.Logits, b.Labels)
		o.Groups = []optim.Group{m.prompt(c)}
	}
	return o
}

// prompt is the context with the optimiser of CoOp's trainer.
func (m coop) prompt(c CLIP) optim.Group {
	return optim.Group{
		Optimizer: optim.SGD{Momentum: m.Momentum, WeightDecay: m.WeightDecay}, LRScale: 1,
		Vars: []*graph.Variable{c.Scope.Sub("prompt").Find(contextName)},
	}
}

// PromptScalars counts the scalars of the learned context.
func PromptScalars(vars []*graph.Variable) int {
	n := 0
	for _, v := range vars {
		if strings.HasPrefix(v.Name, "prompt.") {
			n += v.Value.Len()
		}
	}
	return n
}
