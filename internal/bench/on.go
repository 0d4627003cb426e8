package bench

import (
	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/clip"
)

// On is what computes.
type On struct {
	Pool   *cpu.Pool
	Device graph.Device // nil: the CPU
	Watch  []graph.Watcher
}

// over is the model that programs on it are made over.
func (on On) over(m *clip.Model) *clip.Model { return m.On(on.Device).Watched(on.Watch...) }
