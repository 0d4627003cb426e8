package experiments

import (
	"context"
	"time"

	"spotlighter/experiments/methods"
	"spotlighter/experiments/runfmt"
	"spotlighter/graph"
)

// support is the features of the training images at hand, whole and in all views.
func (l *Lab) support(ctx context.Context, c Config, say func(phase string, share float64)) (*methods.Support, error) {
	pictures := l.train[0].pictures
	keep, err := l.keeps(c, l.plain, l.featureStore(c, l.plain, l.bench.Classes), "training", len(pictures))
	if err != nil {
		return nil, err
	}
	whole := func(int) string { return "" }
	plain, err := l.newFeatures(ctx, c, l.plain, pictures, "training", nil, whole, keep, func(share float64) { say("encode training images", share) })
	if err != nil {
		return nil, err
	}
	s := &methods.Support{Labels: l.labels}
	if s.Plain, err = plain.unit(ctx); err != nil {
		return nil, err
	}
	for _, v := range l.train {
		x, err := v.unit(ctx)
		if err != nil {
			return nil, err
		}
		s.Views = append(s.Views, x)
	}
	return s, nil
}

// unit is the image's feature alone, of all pictures [n, D].
func (f *features) unit(ctx context.Context) (graph.Tensor, error) {
	n := len(f.pictures)
	x := graph.NewTensor(graph.Float32, n, f.enc.model.Vision.Embed)
	feeds := map[string]graph.Tensor{"image": x}
	if err := f.fill(ctx, span(0, n), feeds); err != nil {
		return x, err
	}
	return x, f.check(span(0, n), feeds)
}

// blank is a support of zeros, a few images of each class: enough to build a
// method's programs by.
func (l *Lab) blank(c Config, classes int) *methods.Support {
	s := &methods.Support{}
	for i := range classes * c.Shots {
		s.Labels = append(s.Labels, i%classes)
	}
	s.Plain = graph.NewTensor(graph.Float32, len(s.Labels), l.model.Vision.Embed)
	s.Views = []graph.Tensor{s.Plain}
	return s
}

// fitAll has a method learn from all training images at once. It takes seconds: a
// run that was stopped in it starts it anew, to the same bits.
func (l *Lab) fitAll(ctx context.Context, c Config, run *Run, m methods.Fitter, cl methods.Classes, res *runfmt.Result) ([]*graph.Variable, error) {
	s, mc, err := l.scope(nil)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	learned, err := m.Fit(ctx, l.pool, mc, cl)
	if err != nil {
		return nil, err
	}
	res.TrainSeconds = time.Since(start).Seconds()
	res.TrainableTensors = len(learned)
	for _, v := range learned {
		res.TrainableScalars += v.Value.Len()
	}
	t := &trainer{cfg: c, store: s.Store()}
	return s.Store().Variables(), t.save(run.Checkpoint(), position{})
}
