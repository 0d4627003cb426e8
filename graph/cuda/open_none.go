//go:build !cuda_backend

package cuda

import (
	"errors"

	"spotlighter/graph"
)

var errNotBuilt = errors.New("this program was built without CUDA; build it with graph/cuda/go build (README, A graphics card)")

// Open opens a card for programs whose products are computed by math. Without
// the tag cuda_backend it returns an error that says so.
func Open(card int, math string) (graph.Device, error) { return nil, errNotBuilt }

// Find looks for cards.
func Find() Found { return Found{Err: errNotBuilt} }
