// Package methods holds the rows of the table: each builds its trainable part
// over the same frozen CLIP. The training loop knows nothing of any of them.
//
// Shape legend: B images, C classes, D joint width.
package methods

import (
	"spotlighter/graph"
	"spotlighter/internal/clip"
	"spotlighter/layers"
	"spotlighter/optim"
	"spotlighter/spotlight"
	"spotlighter/textenc"
	"spotlighter/vit"
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
	Epochs       int     // that training takes
	Spotlight    spotlight.Config
	TextEncoder  textenc.Options
	Settings     map[string]Settings // of sections, by key; one that is absent has its defaults
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
	Teacher graph.Tensor    // the teacher's unit texts [C, T], for rows that are taught
	// Encode runs the frozen text encoder on other texts: features [n, D], not
	// normalised. It is called while a graph is built, never in one.
	Encode func(texts []string) (graph.Tensor, error)
	// Support is there in training, for rows that ask for it.
	Support *Support
}

// Batch holds the nodes that a program is fed.
type Batch struct {
	// Features are of the frozen encoder, or of the method's own pass (Method.Image)
	// where its row reads images.
	Features spotlight.Features
	Images   *Node      // normalised [B, 3, S, S]; nil where the row does not read them
	Pass     vit.Output // the method's own (Method.Image); zero where the row does not read images
	// Frozen is the unit feature of the frozen encoder [B, D], for rows that ask for
	// it; nil at test time.
	Frozen  *Node
	Text    *Node // unit class texts [C, D]; nil where the method's depend on the image
	Labels  *Node // Int [B]; nil at test time
	Teacher *Node // logits of a teacher [B, C], for rows that are taught; nil at test time
	Clock   Clock
}

// Clock tells a training step when it is. Its nodes are nil at test time.
type Clock struct {
	Epoch        *Node // Int [1], counted from 0
	EpochOver    *Node // scalar, 1 in the last step of an epoch and 0 in the others
	TrainingOver *Node // scalar, 1 in the very last step and 0 in the others
}

// Outputs are what a method makes of a batch. Loss, Groups, Updates and After are
// nil for a method that learns nothing, and at test time.
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
	// After, where it is not nil, is given the optimiser's updates and returns those
	// that take their place: to average what is learned over time, to keep it within
	// bounds. Its own state it declares under s, the optimiser's scope; that is saved
	// for a training that goes on, and no part of what was learned.
	After func(s *graph.Scope, us []graph.Update) []graph.Update
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
	// texts of the classes [C, D]: nil where they depend on the image.
	Text(c CLIP, cl Classes) *Node
	// Image is the method's own pass of the image encoder over images [B, 3, S, S],
	// with what it declares for it. Rows that do not read images have the frozen one.
	Image(c CLIP, cl Classes, images *Node) vit.Output
	// Build classifies a batch.
	Build(c CLIP, cl Classes, b Batch) Outputs
}

// frozenVision is embedded by methods that leave the image encoder as it is.
type frozenVision struct{}

func (frozenVision) Image(c CLIP, _ Classes, images *Node) vit.Output {
	return c.Vision.Forward(images)
}

// unit divides rows by their length, as CLIP does.
func unit(x *Node) *Node { return layers.L2Normalize(x, 0) }

// compare is tau times the cosines of images and texts: CLIP's logits.
func compare(c CLIP, image, text *Node) *Node {
	return layers.Scale(layers.MatMul(image, text, false, true), c.Model.Scale)
}
