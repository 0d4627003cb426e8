package inspect

import (
	"time"

	"spotlighter/graph"
)

// Programs is a Watcher that keeps the programs that are compiled, to be looked at.
// Each of their ops is by itself.
type Programs struct {
	All []*graph.Program // in the order of compilation
}

// Plain asks for every op by itself.
func (*Programs) Plain() {}

// Compiled keeps a program.
func (s *Programs) Compiled(p *graph.Program) { s.All = append(s.All, p) }

// Begin does nothing.
func (*Programs) Begin(*graph.Program, []graph.Leaf) error { return nil }

// Step does nothing.
func (*Programs) Step(*graph.Program, *graph.Step, graph.Tensor, []graph.Tensor, time.Time, time.Duration) error {
	return nil
}
