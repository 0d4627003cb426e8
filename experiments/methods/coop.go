package methods

import (
	"encoding/json"
	"fmt"
	"strings"

	"spotlighter/graph"
	"spotlighter/layers"
	"spotlighter/optim"
	"spotlighter/textenc"
)

const coopKey = "coop"

func init() {
	Register(Row{
		Name: "coop", Learns: true,
		Section: Section{Key: coopKey, Default: func() Settings { c := defaultCoOp(); return &c }},
		Closed: func(o Options) string {
			if !settings[CoOp](o, coopKey).ClassSpecific {
				return ""
			}
			return "coop.class_specific: a class that was not learned has no context of its own"
		},
		New: func(o Options) Method { return coop{Options: o, set: settings[CoOp](o, coopKey)} },
	})
}

// CoOp is what learned context looks like.
type CoOp struct {
	// Start is what the vectors start from: "words", the embeddings of the context
	// words, or "random", draws of deviation .02.
	Start string `yaml:"start"`
	// Length is how many vectors are learned; 0: as many as the context words have.
	Length int `yaml:"length"`
	// ClassSpecific learns a context for each class. What it learned serves these
	// classes alone.
	ClassSpecific bool `yaml:"class_specific"`
	// Position is where the class name stands: "end", "middle" or "front".
	Position string `yaml:"position"`
}

// What a context starts from.
const (
	startWords  = "words"
	startRandom = "random"
)

// contextDeviation is that of vectors that start at random.
const contextDeviation = .02

func defaultCoOp() CoOp {
	return CoOp{Start: startWords, Position: textenc.PositionNames[textenc.End]}
}

// Validate reports the first setting that cannot work.
func (c *CoOp) Validate() error {
	switch {
	case c.Start != startWords && c.Start != startRandom:
		return fmt.Errorf("coop.start: %q is none of %s, %s", c.Start, startWords, startRandom)
	case c.Length < 0:
		return fmt.Errorf("coop.length: found %d, want at least 0 (as many as train.context has)", c.Length)
	case c.Length > 0 && c.Start == startWords:
		return fmt.Errorf("coop.length: found %d, want 0 (as many as train.context has) under coop.start %s", c.Length, startWords)
	}
	if _, err := textenc.ParsePosition(c.Position); err != nil {
		return fmt.Errorf("coop.position: %q is none of %s", c.Position, strings.Join(textenc.PositionNames, ", "))
	}
	return nil
}

// MarshalJSON leaves the defaults out, so that the hash of a run of them is what it
// was before there were settings.
func (c CoOp) MarshalJSON() ([]byte, error) {
	if c == defaultCoOp() {
		return []byte("{}"), nil
	}
	type plain CoOp
	return json.Marshal(plain(c))
}

// coop learns the words around the class names (CoOp: Zhou et al., arXiv
// 2109.01134): M vectors, for all classes or for each, trained by the
// cross-entropy of CLIP's logits.
type coop struct {
	frozenVision
	Options
	set CoOp
}

// The learned context, under its scope.
const (
	promptScope = "prompt"
	contextName = "context"
)

func (m coop) Text(c CLIP, cl Classes) *Node {
	position, err := textenc.ParsePosition(m.set.Position)
	if err != nil {
		graph.Failf("coop.position: %v", err)
	}
	context := textenc.Context{Name: position}
	classes := 0
	if m.set.ClassSpecific {
		context.Over, classes = textenc.EachClass, len(cl.Names)
	}
	context.Vectors = m.context(c, m.set.Start, m.set.Length, classes)
	return unit(c.Encoders.Text.Classes(cl.Prompts, context, m.TextEncoder))
}

// context declares M vectors [M, W], or [C, M, W] where there are classes.
func (o Options) context(c CLIP, start string, length, classes int) *Node {
	words := o.words(c)
	shape := append([]int(nil), words.Shape...)
	if length > 0 {
		shape[0] = length
	}
	of := max(classes, 1)
	if classes > 0 {
		shape = append([]int{classes}, shape...)
	}
	init := graph.Normal(o.Seed, contextDeviation)
	if start == startWords {
		init = func(_ string, dst []float32) {
			for i := range of {
				copy(dst[i*len(dst)/of:], words.F32)
			}
		}
	}
	return c.Scope.Sub(promptScope).Var(contextName, graph.Trainable, init, shape...)
}

// words is the embeddings of the context words [M, W].
func (o Options) words(c CLIP) graph.Tensor {
	rows, err := c.Model.Tokens(o.ContextWords)
	if err != nil {
		graph.Failf("train.context: %v", err)
	}
	if len(rows) < 3 {
		graph.Failf("train.context: %q has no words to learn from", o.ContextWords)
	}
	return c.Model.Embedding(rows[1 : len(rows)-1])
}

func (m coop) Build(c CLIP, _ Classes, b Batch) Outputs {
	o := Outputs{Logits: compare(c, b.Features.Image, b.Text)}
	if b.Labels != nil {
		o.Loss = layers.CrossEntropy(o.Logits, b.Labels)
		o.Groups = []optim.Group{m.sgd(c.Scope.Sub(promptScope).Find(contextName))}
	}
	return o
}

// sgd is the optimiser of CoOp's trainer, at the common rate.
func (o Options) sgd(vars ...*graph.Variable) optim.Group {
	return optim.Group{Optimizer: optim.SGD{Momentum: o.Momentum, WeightDecay: o.WeightDecay}, LRScale: 1, Vars: vars}
}

// PromptScalars counts the scalars of the learned context.
func PromptScalars(vars []*graph.Variable) int {
	n := 0
	for _, v := range vars {
		if strings.HasPrefix(v.Name, promptScope+".") {
			n += v.Value.Len()
		}
	}
	return n
}
