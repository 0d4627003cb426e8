package experiments

import (
	"context"

	"spotlighter/experiments/methods"
	"spotlighter/graph"
	"spotlighter/graph/inspect"
)

// Programs are those of a cell, compiled and not run, each op by itself: "encode",
// the frozen image encoder; "step", a step of training, where the method is trained
// so; and "classify", what is run on test images.
func (l *Lab) Programs(ctx context.Context, c Config) ([]*graph.Program, error) {
	l.use(c)
	m, err := methods.New(c.Method[0], options(c))
	if err != nil {
		return nil, err
	}
	b, err := OpenBenchmark(c)
	if err != nil {
		return nil, err
	}
	cl, err := l.classes(ctx, c, c.learned(b.Classes, b.Base))
	if err != nil {
		return nil, err
	}
	if methods.ReadsSupport(c.Method[0]) {
		cl.Support = l.blank(c, len(cl.Names))
	}
	var vars []*graph.Variable
	if f, ok := m.(methods.Fitter); ok {
		s, mc, err := l.scope(nil)
		if err != nil {
			return nil, err
		}
		if _, err := f.Fit(ctx, l.pool, mc, cl); err != nil {
			return nil, err
		}
		vars = s.Store().Variables()
	}
	seen := &inspect.Programs{}
	model := l.model
	l.model = model.Watched(seen)
	defer func() { l.model = model }()
	if _, err := l.encoder(ctx, c, b.Classes, true); err != nil {
		return nil, err
	}
	if _, fits := m.(methods.Fitter); methods.Learns(c.Method[0]) && !fits {
		if err := l.stand(c, &cl); err != nil {
			return nil, err
		}
		t, err := l.newTrainer(c, m, l.unread(cl), c.Train.Batch)
		if err != nil {
			return nil, err
		}
		vars = t.store.Variables()
	}
	text, err := l.text(ctx, m, cl, vars)
	if err != nil {
		return nil, err
	}
	if _, err := l.classifier(c, m, cl, vars, text.Shape); err != nil {
		return nil, err
	}
	var all []*graph.Program
	for _, p := range seen.All {
		switch p.Title() {
		case "encode", "step", "classify":
			all = append(all, p)
		}
	}
	return all, nil
}
