package methods

import (
	"fmt"
	"slices"
	"strings"

	"spotlighter/graph"
)

// deepPrompts declares the text prompts of the first blocks, tokens [M, W] each: the
// first start at the embeddings of as many context words, those of later blocks at
// normal draws. A method's section, for messages, says how many.
func (o Options) deepPrompts(c CLIP, tokens, depth int, std float64, section string) []*Node {
	if n := c.Encoders.Text.Layers; depth > n {
		graph.Failf("%sdepth: %d, the text encoder has %d blocks", section, depth, n)
	}
	words := o.words(c)
	if n := words.Shape[0]; tokens > n {
		graph.Failf("%stokens: %d are learned in the place of words, train.context has %d", section, tokens, n)
	}
	s, w := c.Scope.Sub(promptScope), c.Encoders.Text.Width
	p := []*Node{s.Var(contextName, graph.Trainable, graph.Values(words.F32[:tokens*w]), tokens, w)}
	for l := 1; l < depth; l++ {
		p = append(p, s.Var(fmt.Sprintf("text.%d", l), graph.Trainable, graph.Normal(o.Seed, std), tokens, w))
	}
	return p
}

// learnedPrompts are the trainables under the scope prompt.
func learnedPrompts(c CLIP) []*graph.Variable {
	return slices.DeleteFunc(c.Scope.Trainables(), func(v *graph.Variable) bool { return !strings.HasPrefix(v.Name, promptScope+".") })
}
