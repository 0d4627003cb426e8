package experiments

import (
	"context"
	"slices"

	"github.com/sirupsen/logrus"

	"spotlighter/experiments/methods"
	"spotlighter/experiments/runfmt"
	"spotlighter/graph"
)

// on is the configuration with another data set.
func (c Config) on(dataset string) Config {
	c.Dataset = List[string]{dataset}
	return c
}

// score evaluates what was learned, as the protocol says.
func (l *Lab) score(ctx context.Context, c Config, run *Run, m methods.Method, vars []*graph.Variable, say Progress, res *runfmt.Result) error {
	learned := c.learned(l.bench.Classes, l.bench.Base)
	s := scorer{lab: l, ctx: ctx, method: m, say: say, parts: 1 + len(c.Targets), res: res}
	source := l.held
	var err error
	if c.Protocol == BaseToNovel {
		s.parts = 2
		err = s.test(c, "base", 0, l.bench.Base, vars, learned)
		if err == nil {
			err = s.test(c, "novel", l.bench.Base, len(l.bench.Classes), vars, learned)
		}
	} else {
		err = s.test(c, "all", 0, len(l.bench.Classes), vars, learned)
	}
	if err != nil {
		return err
	}
	res.UnseenZeroShot = methods.ReadsSupport(c.Method[0]) && (c.Protocol == BaseToNovel || len(c.Targets) > 0)
	res.Skipped = l.badTest
	if methods.Learns(c.Method[0]) {
		res.Skipped = append(res.Skipped[:len(res.Skipped):len(res.Skipped)], l.badTrain...)
	}
	res.OnObject = pointing(s.done)
	var examples []runfmt.Example
	for _, e := range s.done {
		examples = append(examples, e.Examples...)
		res.Classes = append(res.Classes, e.Classes...)
	}
	if err := runfmt.WriteExamples(run.Dir, examples); err != nil {
		return err
	}
	if run.events == nil { // nothing was trained
		if run.events, err = openEvents(run, 0); err != nil {
			return err
		}
	}
	if err := run.events.kept(s.at(c), examples); err != nil {
		return err
	}
	encode, err := l.encodeSpeed(ctx, c)
	if err != nil {
		return err
	}
	for _, name := range c.Targets {
		target := c.on(name)
		if err := l.hold(ctx, target, func(phase string, _ float64) { s.tell(phase, 0) }); err != nil {
			return err
		}
		of := learned
		if c.Protocol != DomainGeneralization && !slices.Equal(l.bench.Classes, source.bench.Classes) {
			of = nil // a class of the same name is another one elsewhere
		}
		if err := s.test(target, DatasetName(name), 0, len(l.bench.Classes), vars, of); err != nil {
			return err
		}
		res.Sets[len(res.Sets)-1].Names = slices.Clone(l.bench.Classes)
		res.Skipped = append(res.Skipped[:len(res.Skipped):len(res.Skipped)], l.badTest...)
		if err := run.LogData(map[string]string{l.bench.Name: l.bench.Content()}); err != nil {
			return err
		}
	}
	l.held = source
	for _, set := range res.Sets {
		values := map[string]float64{"top1": set.Top1, "macro": set.Macro, "ece": set.ECE, "zero_shot": set.ZeroShot}
		fields := logrus.Fields{"set": set.Name, "images": set.Images}
		for name, v := range values {
			fields[name] = v
			if err := run.events.scalars(s.at(c), map[string]float64{"test/" + set.Name + "/" + name: v}); err != nil {
				return err
			}
		}
		l.log.WithFields(fields).Info("tested")
	}
	s.sum(c, l.bench)
	images := 0
	for _, e := range s.done {
		res.EvalSeconds += e.Seconds
		images += e.Images
	}
	res.ImagesPerSecond = 1 / (encode + res.EvalSeconds/float64(max(images, 1)))
	return nil
}

// encodeSpeed is the seconds that an image takes in the encoder that a cell's
// method needs at test time.
func (l *Lab) encodeSpeed(ctx context.Context, c Config) (float64, error) {
	switch {
	case methods.ReadsImages(c.Method[0]): // the encoder is part of its program
		return l.plain.loadSpeed(l.bench.Test)
	case methods.KeepsTokens(c.Method[0], c.Spotlight):
		return l.full.speed(ctx, l.bench.Test)
	}
	return l.plain.speed(ctx, l.bench.Test)
}

// scorer tests one set of classes after the other.
type scorer struct {
	lab    *Lab
	ctx    context.Context
	method methods.Method
	say    Progress
	parts  int // how many sets there will be
	res    *runfmt.Result
	done   []evaluation
}

func (s *scorer) tell(phase string, share float64) {
	done := (float64(len(s.done)) + share) / float64(s.parts)
	s.say(Step{Phase: phase, Done: startEvaluation + done*(1-startEvaluation)})
}

// at is the step of training that the numbers of the test belong to: the last.
func (s *scorer) at(c Config) int {
	if _, ok := s.method.(methods.Fitter); ok || !methods.Learns(c.Method[0]) {
		return 0
	}
	return c.Train.Epochs * (len(s.lab.labels) / max(1, min(c.Train.Batch, len(s.lab.labels))))
}

// test evaluates the classes [lo, hi) of the data set at hand. vars are of the
// classes learned.
func (s *scorer) test(c Config, name string, lo, hi int, vars []*graph.Variable, learned []string) error {
	ev, err := s.lab.evaluate(s.ctx, c, s.method, lo, hi, vars, learned, func(share float64) { s.tell("evaluate", share) })
	if err != nil {
		return err
	}
	s.done = append(s.done, ev)
	s.res.Sets = append(s.res.Sets, ev.set(name))
	return nil
}

// sum fills in the numbers that every protocol has.
func (s *scorer) sum(c Config, source *Benchmark) {
	first, rest := s.done[0], s.done[1:]
	s.res.Base, s.res.BaseClasses, s.res.BaseImages = first.accuracy(), source.Base, first.Images
	s.res.NovelClasses = len(source.Classes) - source.Base
	for _, e := range rest {
		s.res.Novel += e.accuracy() / float64(len(rest))
		s.res.NovelImages += e.Images
	}
	s.res.HM = s.res.Base
	if len(rest) > 0 {
		s.res.HM = runfmt.HarmonicMean(s.res.Base, s.res.Novel)
	}
}
