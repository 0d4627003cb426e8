package experiments

import (
	"fmt"

	"spotlighter/internal/clip"
)

// NewSizedLab is NewLab over a CLIP of a published shape, "ViT-B/16" say, in place
// of the checkpoint that the configuration names: it has no weights, which is
// enough for Trainables, and for nothing that is run. A teacher may be such a
// shape too, by its name in place of a checkpoint's path.
func NewSizedLab(c Config, shape string) (*Lab, error) {
	s, err := clip.ShapeOf(shape)
	if err != nil {
		return nil, fmt.Errorf("shape %w", err)
	}
	l := emptyLab(c)
	l.sized = true
	if l.model, err = s.Blank(); err != nil {
		return nil, err
	}
	return l, l.meet(c)
}

// embed is the joint width of a checkpoint, in a lab without weights of a shape too.
func (l *Lab) embed(path string) (int, error) {
	if s, err := clip.ShapeOf(path); err == nil && l.sized {
		return s.Vision.Embed, nil
	}
	return openWeights(path)
}
