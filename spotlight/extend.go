package spotlight

import (
	"fmt"
	"maps"
	"slices"

	"spotlighter/graph"
	"spotlighter/layers"
)

// The stages that a program can replace by its own, and what stands there
// otherwise.
const (
	Blend   = "blend"   // Config.Activation: lambda s1 + (1 - lambda) s2
	Softmax = "softmax" // Config.Weighting: softmax(.3 s + rho) in each level
)

// Sight is what an activation can score tokens by. R is B, or B*Q in the
// class-wise mode, where each of an image's Q candidates has a row.
type Sight struct {
	Scope  *graph.Scope // for variables of its own; trainable ones are trained and saved
	Tokens *Node        // [B, N, D], what each patch contributes, not normalised
	Text   *Node        // unit texts of the classes [C, D]
	Bank   *Node        // prototypes [C, P, D]
	Belief *Node        // in the classes [R, C]; no gradient passes
	Tau    float64      // the encoders' temperature
	// Score [R, N] is what the method alone would rank the tokens by: the blend of
	// the activations that are switched on, standardised; nil where none is.
	Score *Node

	model *Model
}

// Spread makes an activation of images [B, N] fit to stand beside Score: smoothed
// over the patch grid as the config says, standardised over the patches, and
// repeated for each of an image's candidates [R, N].
func (s Sight) Spread(a *Node) *Node {
	a = s.model.spread(a)
	b, n, r := shape(a)[0], shape(a)[1], shape(s.Belief)[0]
	if r == b {
		return a
	}
	return layers.Reshape(layers.Broadcast(layers.Reshape(a, b, 1, n), b, r/b, n), r, n)
}

// Activation scores the tokens of images: it returns [R, N], the larger the more
// a token matters.
type Activation func(s Sight) *Node

// Ranking is what a weighting can weigh the kept tokens by.
type Ranking struct {
	Scope  *graph.Scope // for variables of its own; trainable ones are trained and saved
	Score  *Node        // of the kept tokens, by falling score [R, K]
	Levels []Level
}

// Level is a range of the kept tokens, from Lo to before Hi.
type Level struct{ Lo, Hi int }

// Size is the number of tokens in the level.
func (l Level) Size() int { return l.Hi - l.Lo }

// Weighting weighs the kept tokens: it returns [R, K]. In each level the weights
// should sum to 1; what a level counts as a whole is learned beside them.
type Weighting func(r Ranking) *Node

// activations and weightings are those that programs registered, by name.
var (
	activations = map[string]Activation{}
	weightings  = map[string]Weighting{}
)

// RegisterActivation makes an activation known by a name to Config.Activation.
// Call it before anything else runs; it panics if the name is taken.
func RegisterActivation(name string, a Activation) { register(activations, Blend, name, a) }

// RegisterWeighting makes a weighting known by a name to Config.Weighting. Call it
// before anything else runs; it panics if the name is taken.
func RegisterWeighting(name string, w Weighting) { register(weightings, Softmax, name, w) }

func register[F any](known map[string]F, ours, name string, f F) {
	if _, taken := known[name]; taken || name == ours || name == "" {
		panic(fmt.Sprintf("spotlight: the name %q is taken or empty", name))
	}
	known[name] = f
}

func namesOf[F any](known map[string]F, ours string) []string {
	return append([]string{ours}, slices.Sorted(maps.Keys(known))...)
}

// score is what the tokens are ranked by: the blend of the two activations
// [R, N], or what a registered one makes of it.
func (m *Model) score(o Output, f Features, text *Node) *Node {
	blend := m.blend(o.SampleScore, o.SemanticScore)
	if m.Activation == Blend {
		return blend
	}
	s := activations[m.Activation](Sight{
		Scope: m.scope.Sub("activation"), Tokens: f.Tokens, Text: text, Bank: m.bank, Belief: o.Belief, Tau: m.tau, Score: blend, model: m,
	})
	m.wantShape("activation "+m.Activation, s, shape(o.Belief)[0], m.grid*m.grid)
	return s
}

// wantShape refuses what a registered function returned.
func (m *Model) wantShape(what string, x *Node, want ...int) {
	if x == nil || !slices.Equal(shape(x), want) {
		got := "nothing"
		if x != nil {
			got = fmt.Sprint(shape(x))
		}
		graph.Failf("spotlight.%s: returned %s, want %v", what, got, graph.Shape(want))
	}
}
