package bench

import (
	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// On is what computes.
type On struct {
	Pool   *cpu.Pool
	Device graph.Device // nil: the CPU
}
