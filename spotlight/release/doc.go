// Package release is the trainer that was published with the method, step by
// step as it runs (greatest-gourmet/Spotlighter, commit baa1db0). It differs from
// the paper, and has defects; each is a switch of Config, on as published. It is
// here so that its numbers can be compared with ours, and its defects priced.
//
// What it learns beside the prompt: a transform of the image tokens, whose rows
// are classified in training alone; and a memory of a bank of prototypes, which
// moves the class texts and gives a second image feature. At test time no token
// is selected.
//
// One file a stage: selection, cache, memory, bank, loss; and student, the plug-in
// into PromptKD.
//
// Shape legend: B images, N patches, N+1 tokens with CLS first, D joint width, C
// classes, P prototypes, K kept tokens, H heads, R = B(N+1) token rows.
package release

import (
	"spotlighter/graph"
	"spotlighter/layers"
)

// Node is a value of the graph.
type Node = graph.Node

// unit divides rows by their length, as torch.nn.functional.normalize does.
func unit(x *Node) *Node { return layers.L2Normalize(x, 1e-12) }

func shape(x *Node) graph.Shape { return layers.ShapeOf(x) }
