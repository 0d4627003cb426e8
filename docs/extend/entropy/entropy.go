package main

import (
	"spotlighter/graph"
	"spotlighter/layers"
	"spotlighter/spotlight"
)

// activation adds to the method's own score how sure a token is of any class: a
// patch of background reads like every class alike, a patch of an object does
// not. How much that counts beside the rest is learned.
func activation(s spotlight.Sight) *graph.Node {
	share := s.Scope.Var("share", graph.Trainable, graph.Fill(.25))
	sure := s.Spread(layers.Scale(entropy(s.Tokens, s.Text, s.Tau), -1))
	return layers.Add(s.Score, layers.Mul(sure, share))
}

// entropy is that of each token's posterior over the class texts, -sum_c p log p
// with p = softmax_c(tau cos(token, text)), from tokens [B, N, D] of any length
// and unit texts [C, D]: [B, N].
func entropy(tokens, text *graph.Node, tau float64) *graph.Node {
	s := layers.ShapeOf(tokens)
	rows := layers.Reshape(layers.L2Normalize(tokens, 1e-12), s[0]*s[1], s[2])
	logits := layers.Scale(layers.MatMul(rows, text, false, true), tau) // [B*N, C]
	each := layers.Mul(layers.Softmax(logits), layers.LogSoftmax(logits))
	return layers.Reshape(layers.Scale(layers.Sum(each, 1), -1), s[0], s[1])
}
