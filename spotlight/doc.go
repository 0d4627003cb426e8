// Package spotlight is the method: it keeps the few image tokens that matter,
// ranks them in two levels, reads the image again by their light, and maps what
// it read and the class texts with a bank of prototypes (arXiv 2509.00905; the
// choices that the paper leaves open are named in Config).
//
// One file a stage, in the order of the figure: tokens, activation, selection,
// ranking, matching, reread, irm, trm, loss, bank. Stages see nodes, never
// files.
//
// Shape legend: B images, N patches, W width of the image encoder, D joint
// width, C classes, P prototypes a class, K kept tokens, H heads.
package spotlight

import (
	"spotlighter/graph"
	"spotlighter/layers"
)

// Node is a value of the graph.
type Node = graph.Node

// unit divides rows by their length, as torch.nn.functional.normalize does.
func unit(x *Node) *Node { return layers.L2Normalize(x, 1e-12) }

func shape(x *Node) graph.Shape { return layers.ShapeOf(x) }
