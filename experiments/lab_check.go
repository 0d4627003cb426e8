package experiments

import (
	"context"

	"spotlighter/experiments/methods"
)

// Check finds what only the model and the data set can refuse in a cell, such
// as a block that the encoder does not have: it builds the cell's programs, for
// two classes, and runs none of them.
func (l *Lab) Check(ctx context.Context, c Config) error {
	l.use(c)
	m, err := methods.New(c.Method[0], options(c))
	if err != nil {
		return err
	}
	b, err := OpenBenchmark(c)
	if err != nil {
		return err
	}
	cl, err := l.classes(ctx, c, b.Classes[:2])
	if err != nil {
		return err
	}
	if _, err := l.encoder(ctx, c, cl.Names, methods.KeepsTokens(c.Method[0], c.Spotlight)); err != nil {
		return err
	}
	if methods.ReadsSupport(c.Method[0]) {
		cl.Support = l.blank(c, len(cl.Names))
	}
	if err := l.checkTeacher(ctx, c); err != nil {
		return err
	}
	if err := l.stand(c, &cl); err != nil {
		return err
	}
	if _, ok := m.(methods.Fitter); !ok && methods.Learns(c.Method[0]) {
		_, err = l.newTrainer(c, m, l.unread(cl), c.Train.Batch)
		return err
	}
	_, err = l.classifier(c, m, cl, nil, cl.Text.Shape)
	return err
}
