package experiments

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"

	"spotlighter/experiments/methods"
	"spotlighter/experiments/runfmt"
	"spotlighter/graph"
	"spotlighter/internal/device"
)

// Progress is told how far a cell is.
type Progress func(Step)

// Step is where a cell is. What is 0 is not known.
type Step struct {
	Phase         string // what is done outside of training
	Epoch, Epochs int
	Step, Steps   int     // of the epoch
	Done          float64 // share of the cell's work
	Loss          float64 // mean of the epoch so far
	LR            float64
	// ImagesPerSecond are those trained on.
	ImagesPerSecond float64
	// EpochOver says that this was the epoch's last step.
	EpochOver bool
}

// The shares of a trained cell's work by which its phases begin.
const (
	startTraining   = .2
	startEvaluation = .8
)

// ErrStopped says that a run was interrupted and can go on.
var ErrStopped = errors.New("stopped; the same command goes on from here")

// RunCell runs one cell in its folder: from the start, on from its checkpoint,
// or not at all if it is done. done says that it was.
func (l *Lab) RunCell(ctx context.Context, c Config, say Progress) (res runfmt.Result, dir string, done bool, err error) {
	open := OpenRun
	if l.Force {
		open = Restart
	}
	teacher, err := c.identify()
	if err != nil {
		return res, "", false, err
	}
	run, err := open(c, l.model.Hash+"/"+l.dataHash(c)+teacher)
	if err != nil {
		return res, "", false, err
	}
	defer func() {
		l.log.SetOutput(io.Discard)
		if cerr := run.Close(); err == nil {
			err = cerr
		}
	}()
	if run.State() == Done {
		res, err = run.Result()
		return res, run.Dir, true, err
	}
	l.log.SetOutput(run.log)
	if l.device != nil {
		if err := run.LogDevice(l.device.Name() + ", " + device.Arithmetic(l.device)); err != nil {
			return res, run.Dir, false, err
		}
	}
	if l.say != "" {
		l.log.Warn(l.say)
		l.say = ""
	}
	if l.dump != nil {
		l.dump.Folder = filepath.Join(run.Dir, "dump")
	}
	start := time.Now()
	l.log.WithFields(logrus.Fields{"state": run.State().String(), "session": run.session, "pid": os.Getpid()}).Info("begin")
	res, err = l.work(ctx, c, run, say)
	res.RunSeconds = time.Since(start).Seconds()
	if l.profile != nil {
		if perr := l.profile.Take().Write(filepath.Join(run.Dir, "profile")); err == nil {
			err = perr
		}
	}
	if err == nil {
		err = run.Finish(res)
	}
	switch {
	case errors.Is(err, context.Canceled):
		l.log.Info("stopped")
		err = ErrStopped
	case err != nil:
		l.log.WithError(err).Info("failed")
	default:
		if fault := res.Collapsed(); fault != "" {
			l.log.Warnf("%s collapsed: %s", run.Dir, fault)
		}
		l.log.WithFields(logrus.Fields{"hm": res.HM, "seconds": res.RunSeconds}).Info("done")
		res, err = run.Result()
		return res, run.Dir, false, err
	}
	return res, run.Dir, false, fmt.Errorf("%s: %w", run.Dir, err)
}

// dataHash tells a data set's content apart where its name does not: a world
// task read from a file.
func (l *Lab) dataHash(c Config) string {
	b, err := OpenBenchmark(c)
	if err != nil {
		return "" // reported by hold, which opens it again
	}
	return b.Hash
}

func (l *Lab) work(ctx context.Context, c Config, run *Run, say Progress) (res runfmt.Result, err error) {
	m, err := methods.New(c.Method[0], options(c))
	if err != nil {
		return res, err
	}
	phase := func(name string, share float64) { say(Step{Phase: name, Done: share * startTraining}) }
	if err := l.teach(ctx, c, run, say); err != nil {
		return res, err
	}
	l.forget(c)
	if err := l.hold(ctx, c, phase); err != nil {
		return res, err
	}
	if err := run.LogData(map[string]string{l.bench.Name: l.bench.Content()}); err != nil {
		return res, err
	}
	vars, err := l.fit(ctx, c, run, m, say, &res)
	if err != nil {
		return res, err
	}
	return res, l.score(ctx, c, run, m, vars, say, &res)
}

func options(c Config) methods.Options {
	return methods.Options{
		ContextWords: c.Train.Context, Momentum: c.Train.Momentum, WeightDecay: c.Train.WeightDecay,
		ScalarLR: c.Train.ScalarLR, Seed: uint64(c.Seed[0]), Epochs: c.Train.Epochs,
		Spotlight: c.Spotlight, TextEncoder: c.Text, Settings: c.Sections,
	}
}

// fit trains the cell's method, if it learns, and returns all that it left behind.
func (l *Lab) fit(ctx context.Context, c Config, run *Run, m methods.Method, say Progress, res *runfmt.Result) ([]*graph.Variable, error) {
	if !methods.Learns(c.Method[0]) { // no training image is needed
		return nil, nil
	}
	if err := l.holdTrain(ctx, c, func(name string, share float64) { say(Step{Phase: name, Done: share * startTraining}) }); err != nil {
		return nil, err
	}
	cl, err := l.classes(ctx, c, c.learned(l.bench.Classes, l.bench.Base))
	if err != nil {
		return nil, err
	}
	if methods.ReadsSupport(c.Method[0]) {
		if cl.Support, err = l.support(ctx, c, func(name string, share float64) { say(Step{Phase: name, Done: share * startTraining}) }); err != nil {
			return nil, err
		}
	}
	if f, ok := m.(methods.Fitter); ok {
		say(Step{Phase: "fit", Done: startTraining})
		return l.fitAll(ctx, c, run, f, cl, res)
	}
	t, err := l.newTrainer(c, m, cl, len(l.labels))
	if err != nil {
		return nil, err
	}
	if run.State() == Unfinished {
		if err := t.restore(run.Checkpoint()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		kept, err := run.TruncateMetrics(t.at.Epoch)
		if err != nil {
			return nil, err
		}
		if kept < t.at.Epoch { // a file was damaged: the same bits are had from the start alone
			l.log.Warnf("%s: %s ends with epoch %d, the checkpoint is of epoch %d: training starts anew", run.Dir, runfmt.MetricsFile, kept, t.at.Epoch)
			if t, err = l.newTrainer(c, m, cl, len(l.labels)); err != nil {
				return nil, err
			}
			if _, err := run.TruncateMetrics(0); err != nil {
				return nil, err
			}
		}
	}
	steps := len(l.labels) / t.batch
	if run.events, err = openEvents(run, t.at.Epoch*steps+t.at.Step+1); err != nil {
		return nil, err
	}
	l.log.WithFields(logrus.Fields{"epoch": t.at.Epoch + 1, "step": t.at.Step + 1, "images": len(l.labels)}).Info("train from")
	err = t.run(ctx, l, hooks{
		epoch: func(e int, loss, lr float64) error {
			l.log.WithFields(logrus.Fields{"epoch": e, "epochs": c.Train.Epochs, "loss": loss, "lr": lr, "images_per_second": t.speed()}).Info("epoch")
			if err := run.events.scalars(e*steps, map[string]float64{"epoch/loss": loss, "epoch/lr": lr}); err != nil {
				return err
			}
			if err := run.Log(map[string]any{"epoch": e, "loss": loss, "lr": lr}); err != nil {
				return err
			}
			return t.save(run.Checkpoint(), position{Epoch: e, LastLoss: loss})
		},
		step: func(s Step, loss float64) error {
			s.Done = startTraining + s.Done*(startEvaluation-startTraining)
			say(s)
			if at := (s.Epoch-1)*steps + s.Step; at%eventSteps == 0 {
				return run.events.scalars(at, map[string]float64{"step/loss": loss})
			}
			return nil
		},
	})
	if err != nil {
		if ctx.Err() != nil && (t.at.Epoch > 0 || t.at.Step > 0) {
			if serr := t.save(run.Checkpoint(), t.at); serr != nil {
				return nil, serr
			}
		}
		return nil, err
	}
	if err := t.store.Sync(); err != nil {
		return nil, err
	}
	res.TrainableTensors = len(t.vars)
	for _, v := range t.vars {
		res.TrainableScalars += v.Value.Len()
	}
	res.PromptScalars = methods.PromptScalars(t.vars)
	res.Epochs, res.FinalLoss, res.TrainSeconds = c.Train.Epochs, t.at.LastLoss, t.Seconds
	return t.store.Variables(), nil
}
