package methods

import (
	"context"
	"strings"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// Support is all training images of a run, for methods that keep them or are
// fitted to them as a whole.
type Support struct {
	Plain  graph.Tensor   // unit features of the whole images [n, D]
	Views  []graph.Tensor // of each augmented view [n, D]
	Labels []int          // [n]
}

// Fitter is a method that learns from all training images at once, and not step by
// step.
type Fitter interface {
	Method
	// Fit declares what the training images leave behind under c's scope, gives it its
	// values and returns those variables that were learned. What has a row for each
	// class is State.
	Fit(ctx context.Context, pool *cpu.Pool, c CLIP, cl Classes) ([]*graph.Variable, error)
}

// SupportKind is the kind of a variable that a row with Support leaves behind: what
// has a row for each class is State.
func SupportKind(name string) graph.Kind {
	if ofClasses(name) {
		return graph.State
	}
	return graph.Trainable
}

// ofClasses says whether a variable that a row with Support leaves behind has a row
// for each class that it learned.
func ofClasses(name string) bool {
	return name == CacheValues || strings.HasPrefix(name, probeScope+".")
}
