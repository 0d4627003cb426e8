package experiments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"spotlighter/experiments/methods"
	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/vit/preprocess"
)

// teacher is who teaches a cell's method: what is learned from are its class
// texts and its logits of images.
type teacher struct {
	*Trained        // nil where only its texts are at hand
	identity string // all that its numbers depend on but the classes and the images
	known    map[string][]float32
	width    int
}

// teach makes the cell's teacher the one at hand, if it has one: it is trained
// first where it is to be trained here and is not. What run has of it is written
// there.
func (l *Lab) teach(ctx context.Context, c Config, run *Run, say Progress) error {
	if !methods.Taught(c.Method[0]) {
		l.teacher, l.teacherKey = nil, ""
		return nil
	}
	b, err := OpenBenchmark(c)
	if err != nil {
		return err
	}
	if err := l.engage(ctx, c, c.learned(b.Classes, b.Base), say); err != nil {
		return fmt.Errorf("promptkd.teacher: %w", err)
	}
	text, err := l.teacher.texts(ctx, b.Classes)
	if err != nil {
		return err
	}
	l.log.WithFields(logrus.Fields{"teacher": l.teacher.identity, "method": l.teacher.Config.Method[0], "width": text.Shape[1]}).Info("taught by")
	return writeTeacher(run.Dir, b.Classes, text)
}

// engage makes a cell's teacher the one at hand, for classes to learn.
func (l *Lab) engage(ctx context.Context, c Config, names []string, say Progress) error {
	from, err := c.teaching()
	if err != nil {
		return err
	}
	id, err := from.identity()
	if err != nil {
		return err
	}
	key := fmt.Sprintf("%s %q", id, names)
	if l.teacherKey == key {
		return nil
	}
	if from.cell != nil {
		if from.dir, err = l.trainTeacher(ctx, *from.cell, say); err != nil {
			return err
		}
	}
	t := &teacher{identity: id, known: map[string][]float32{}}
	use := Use{Classes: names, Batch: encodeBatch, Threads: c.Threads}
	if from.clip != "" {
		t.Trained, err = openPlain(ctx, c, from.clip, use)
	} else {
		t.Trained, err = OpenTrained(ctx, from.dir, use)
	}
	if err != nil {
		return err
	}
	if t.text.F32 == nil {
		return fmt.Errorf("method %s has no class texts that a student could share", t.Config.Method[0])
	}
	t.width = t.text.Shape[1]
	t.keep(names, t.text)
	l.teacher, l.teacherKey = t, key
	return nil
}

// trainTeacher runs a teacher's cell, unless it is done, and returns its folder.
// Another process may be at it.
func (l *Lab) trainTeacher(ctx context.Context, c Config, say Progress) (dir string, err error) {
	lab, err := NewLab(c)
	if err != nil {
		return "", err
	}
	lab.Note = l.Note
	phase := "train teacher " + c.Method[0]
	for {
		_, dir, _, err = lab.RunCell(ctx, c, func(s Step) { say(Step{Phase: fmt.Sprintf("%s %.0f%%", phase, 100*s.Done)}) })
		if !errors.Is(err, errInUse) {
			return dir, err
		}
		say(Step{Phase: "wait for teacher " + c.Method[0]})
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// openPlain is a CLIP as it is, with the prompts of the cell.
func openPlain(ctx context.Context, c Config, checkpoint string, u Use) (*Trained, error) {
	c.Method, c.Clip.Weights = List[string]{"clip"}, checkpoint
	t := &Trained{Config: c, Batch: u.Batch, Classes: u.Classes}
	c.Threads = u.Threads
	var err error
	if t.lab, err = openLab(c); err != nil {
		return nil, err
	}
	texts, err := t.lab.texts(c, u.Classes)
	if err != nil {
		return nil, err
	}
	if err := t.lab.know(c, texts); err != nil {
		return nil, err
	}
	t.lab.use(c)
	if t.method, err = methods.New(c.Method[0], options(c)); err != nil {
		return nil, err
	}
	return t, t.compile(ctx)
}

// keep remembers the class texts [C, T].
func (t *teacher) keep(names []string, text graph.Tensor) {
	for i, name := range names {
		t.known[name] = text.Row(i)
	}
}

// texts are the teacher's unit texts of classes [C, T].
func (t *teacher) texts(ctx context.Context, names []string) (graph.Tensor, error) {
	if missing := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return t.known[n] != nil }); len(missing) > 0 {
		if t.Trained == nil {
			return graph.Tensor{}, fmt.Errorf("promptkd.teacher: the run has no text of its teacher for class %q, only for its own %d classes", missing[0], len(t.known))
		}
		text, err := t.Trained.Texts(ctx, missing)
		if err != nil {
			return graph.Tensor{}, fmt.Errorf("promptkd.teacher: %w", err)
		}
		t.keep(missing, text)
	}
	out := graph.NewTensor(graph.Float32, len(names), t.width)
	for i, name := range names {
		copy(out.Row(i), t.known[name])
	}
	return out, nil
}

// teacherInput is the input of a training step that has the teacher's logits, by
// the name that its own program gives them.
const teacherInput = "logits"

// holdLessons computes the teacher's logits of the training images at hand, in
// all views, and keeps them as features are kept.
func (l *Lab) holdLessons(ctx context.Context, c Config, pictures []Picture, crop func(v int) (view, func(i int) string), say func(phase string, share float64)) error {
	t := l.teacher
	e := &encoder{model: t.lab.model, pool: l.pool, program: t.program, names: []string{teacherInput}, images: t.images}
	path, _ := cpu.Path()
	store := fmt.Sprintf("version %d, logits of %s for %q, seen by %+v, kernels %s", featureVersion, t.identity, t.Classes, t.lab.model.Transform, path)
	keep, err := l.keeps(c, e, store, "training", len(pictures)*c.Train.Views)
	if err != nil {
		return err
	}
	bare := slices.Clone(pictures) // where objects are is no affair of a teacher's
	for i := range bare {
		bare[i].Load = func() (*preprocess.RGB, []float32, error) {
			img, _, err := pictures[i].Load()
			return img, nil, err
		}
	}
	l.lessons = nil
	for v := range c.Train.Views {
		view, viewed := crop(v)
		f, err := l.newFeatures(ctx, c, e, bare, "training", view, viewed, keep, func(s float64) {
			say("ask the teacher", (float64(v)+s)/float64(c.Train.Views))
		})
		if err != nil {
			return err
		}
		l.lessons = append(l.lessons, f)
	}
	return nil
}

// learned are the classes that training sees of those of a data set, the first of
// which are base classes.
func (c Config) learned(names []string, base int) []string {
	if methods.Taught(c.Method[0]) && methods.TeacherOf(options(c)).Leak == methods.LeakPublished {
		return names
	}
	return names[:base]
}

// shots are the training images a class; 0: all.
func (c Config) shots() int {
	if methods.Taught(c.Method[0]) {
		return methods.TeacherOf(options(c)).Shots
	}
	return c.Shots
}
