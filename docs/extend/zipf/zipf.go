package main

import (
	"math"

	"spotlighter/graph"
	"spotlighter/layers"
	"spotlighter/spotlight"
)

// weighting lets the weights in a level fall with the rank by Zipf's law: the
// token of rank i and score s weighs in proportion to i^-a exp(.3 s), with one
// exponent a a level, learned from 0. It has a scalar for each level where softmax
// has one for each token.
func weighting(r spotlight.Ranking) *graph.Node {
	exponent := r.Scope.Var("exponent", graph.Trainable, graph.Zeros, len(r.Levels))
	var levels []*graph.Node
	for i, l := range r.Levels {
		score := layers.Scale(layers.Slice(r.Score, 1, l.Lo, l.Hi), .3)
		levels = append(levels, zipf(score, layers.Slice(exponent, 0, i, i+1), r.Scope))
	}
	return layers.Concat(1, levels...)
}

// zipf is i^-a exp(x_i), each row [R, n] of it divided by its sum, for logits x
// [R, n] by falling score and an exponent a [1].
func zipf(x, a *graph.Node, s *graph.Scope) *graph.Node {
	logRank := graph.NewTensor(graph.Float64, layers.ShapeOf(x)[1])
	for i := range logRank.F64 {
		logRank.F64[i] = math.Log(float64(i + 1))
	}
	return layers.Softmax(layers.Sub(x, layers.Mul(s.Const(logRank), a)))
}
