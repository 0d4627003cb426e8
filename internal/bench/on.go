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

// peak is the most memory that the card has held, or on the CPU the process.
func (on On) peak() int64 {
	if d, ok := on.Device.(interface{ Peak() int64 }); ok {
		return d.Peak()
	}
	return Peak()
}
