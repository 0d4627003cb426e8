// Package methods holds the rows of the table: each builds its trainable part
// over the same frozen CLIP. The training loop knows nothing of any of them.
//
// Shape legend: B images, C classes, D joint width.
package methods

import (
	"fmt"
	"sort"
	"strings"

	"spotlighter/graph"
	"spotlighter/internal/clip"
	"spotlighter/layers"
	"spotlighter/optim"
	"spotlighter/spotlight"
	"spotlighter/textenc"
)

// Node is a value of the graph.
type Node = graph.Node

// Options are what the methods can be told.
type Options struct {
	ContextWords string // "a photo of a": what learned context starts from
	Momentum     float64
	WeightDecay  float64
	ScalarLR     float64 // rate of Spotlighter's scalars, as a multiple of the prompt's
	Seed         uint64  // of what starts at random
	Spotlight    spotlight.Config
	TextEncoder  textenc.Options
}

// CLIP is the frozen model in the graph of one program.
type CLIP struct {
	Model *clip.Model
	Scope *graph.Scope
	clip.Encoders
}

// Classes are the classes that a program tells apart.
type Classes struct {
	Names   []string
	Prompts textenc.Prompts // hand-written: context words and name
	Text    graph.Tensor    // their unit features [C, D]
}

// Batch holds the nodes that a program is fed.
type Batch struct {
	Features spotlight.Features
	Text     *Node // unit class texts [C, D]
	Labels   *Node // Int [B]; nil at test time
}

// Outputs are what a method makes of a batch. Loss, Groups and Updates are nil
// for a method that learns nothing, and at test time.
type Outputs struct {
	Logits *Node // [B, C]
	Index  *Node // kept tokens [B, K], Int, best first; nil where none are kept
	// Candidates [B, Q], Int, where each of several classes has kept tokens of its
	// own: Index is then [B*Q, K].
	Candidates *Node
	// Named are intermediates for views, by the names below; nil where a method has
	// none.
	Named   map[string]*Node
	Loss    *Node // scalar
	Groups  []optim.Group
	Updates []graph.Update // beside the optimiser's
}

// The intermediates of Spotlighter, of each image or of each of its candidates.
const (
	NamedSample   = "sample-wise"   // activation [B, N]
	NamedSemantic = "semantic-wise" // activation [B, N]
	NamedScore    = "score"         // [B, N]
	NamedKept     = "kept"          // unit tokens [B, K, D]
	NamedWeight   = "weight"        // of the kept tokens, inside their level [B, K]
	NamedBelief   = "belief"        // in the classes [B, C]
)

// Method is one row of the table.
type Method interface {
	// Text declares the learned prompt, if there is one, and returns the unit
	// texts of the classes [C, D].
	Text(c CLIP, cl Classes) *Node
	// Build classifies a batch.
	Build(c CLIP, cl Classes, b Batch) Outputs
}

// New returns the method of that name: a prompt, and what is plugged into it
// after a plus sign.
func New(name string, o Options) (Method, error) {
	prompts := map[string]Method{"clip": zeroShot{o}, "coop": coop{o}}
	base, plug, plugged := strings.Cut(name, "+")
	m := prompts[base]
	if m == nil || plugged && plug != "spotlighter" {
		return nil, fmt.Errorf("method %q: want one of %s, or one of them with +spotlighter", name, strings.Join(sortedKeys(prompts), ", "))
	}
	switch {
	case !plugged:
		return m, nil
	case o.Spotlight.Variant != spotlight.Release:
		return spotlighter{m, o, base == "clip"}, nil
	case !Learns(name):
		return nil, fmt.Errorf("method %q: spotlight.variant %s has nothing to do without training, want paper", name, spotlight.Release)
	}
	return published{m, o}, nil
}

// Learns says whether the method of that name is trained.
func Learns(name string) bool { return name != "clip" && name != "clip+spotlighter" }

// KeepsTokens says whether the method of that name reads image tokens at test
// time.
func KeepsTokens(name string, cfg spotlight.Config) bool {
	return Plugged(name) && cfg.Variant != spotlight.Release
}

// Plugged says whether the method of that name has Spotlighter plugged in.
func Plugged(name string) bool { return strings.HasSuffix(name, "+spotlighter") }

func sortedKeys(m map[string]Method) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// unit divides rows by their length, as CLIP does.
func unit(x *Node) *Node { return layers.L2Normalize(x, 0) }

// compare is tau times the cosines of images and texts: CLIP's logits.
func compare(c CLIP, image, text *Node) *Node {
	return layers.Scale(layers.MatMul(image, text, false, true), c.Model.Scale)
}
