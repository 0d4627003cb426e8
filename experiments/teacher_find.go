package experiments

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"spotlighter/experiments/methods"
	"spotlighter/experiments/runfmt"
	"spotlighter/graph"
	"spotlighter/internal/clip"
	"spotlighter/internal/tiny"
	"spotlighter/internal/weights"
)

// teaching says where a teacher comes from: one of the fields is set.
type teaching struct {
	cell *Config // trained here, if its run is not done
	dir  string  // the folder of a run
	clip string  // a checkpoint, as it is
}

// teaching resolves promptkd.teacher for a cell.
func (c Config) teaching() (t teaching, err error) {
	s := methods.TeacherOf(options(c))
	fail := func(format string, args ...any) (teaching, error) {
		return t, fmt.Errorf("promptkd.teacher: "+format, args...)
	}
	switch {
	case slices.Contains(methods.Names(), s.Teacher):
		if methods.Taught(s.Teacher) {
			return fail("%s needs a teacher of its own", s.Teacher)
		}
		cell := c
		cell.Method = List[string]{s.Teacher}
		t.cell = &cell
	case strings.HasSuffix(s.Teacher, ".yaml"), strings.HasSuffix(s.Teacher, ".yml"):
		cell, err := Load(s.Teacher, nil)
		if errors.Is(err, fs.ErrNotExist) { // the program may be without its sources
			name := strings.TrimPrefix(s.Teacher, embeddedFolder)
			if _, none := fs.Stat(files, name); none == nil && name != s.Teacher {
				cell, err = LoadEmbedded(name, nil)
			}
		}
		if err != nil {
			return fail("%w", err)
		}
		if len(cell.Method) != 1 || methods.Taught(cell.Method[0]) {
			return fail("%s: method: found %s, want one method, that needs no teacher", s.Teacher, strings.Join(cell.Method, ", "))
		}
		cell.Protocol, cell.Dataset, cell.Seed, cell.Data = c.Protocol, c.Dataset, c.Seed, c.Data
		cell.Out, cell.Threads, cell.Cache, cell.CacheFolder, cell.CacheLimit = c.Out, c.Threads, c.Cache, c.CacheFolder, c.CacheLimit
		t.cell = &cell
	default:
		switch info, err := os.Stat(s.Teacher); {
		case errors.Is(err, fs.ErrNotExist):
			hint := ""
			if near := nearest(s.Teacher, methods.Names()); near != "" {
				hint = ", did you mean " + near + "?"
			}
			return fail("%q is no method, and there is no such file or folder%s", s.Teacher, hint)
		case err != nil:
			return fail("%w", err)
		case info.IsDir():
			t.dir = s.Teacher
		default:
			t.clip = s.Teacher
		}
	}
	if t.cell != nil {
		t.cell.Targets = nil
		if t.cell.Protocol != BaseToNovel { // it learns the same classes, and has nothing else to be tested on
			t.cell.Protocol = FewShot
		}
		if s.Clip != "" {
			t.cell.Clip.Weights = s.Clip
		}
		return t, nil
	}
	if s.Clip != "" {
		return fail("%s is there already, promptkd.clip is of one that is trained here", s.Teacher)
	}
	return t, nil
}

// identity tells a teacher from others without its being there.
func (t teaching) identity() (string, error) {
	switch {
	case t.cell != nil:
		return "teacher " + t.cell.Hash()[:16], nil
	case t.clip != "":
		f, err := weights.Open(t.clip)
		if err != nil {
			return "", fmt.Errorf("promptkd.teacher: %w", err)
		}
		defer f.Close()
		return "teacher " + f.Hash(), nil
	}
	f, err := weights.Open(filepath.Join(t.dir, runfmt.CheckpointFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("promptkd.teacher: run %s: no %s in it, want the folder of a finished run of a method that learns", t.dir, runfmt.CheckpointFile)
	}
	if err != nil {
		return "", fmt.Errorf("promptkd.teacher: %w", err)
	}
	defer f.Close()
	return "teacher " + f.Hash(), nil
}

// identify is the part of a run's identity that its teacher is; "" without one.
func (c Config) identify() (string, error) {
	if !methods.Taught(c.Method[0]) {
		return "", nil
	}
	t, err := c.teaching()
	if err != nil {
		return "", err
	}
	id, err := t.identity()
	return "/" + id, err
}

// checkTeacher finds what is wrong with a cell's teacher without training it.
func (l *Lab) checkTeacher(ctx context.Context, c Config) error {
	if !methods.Taught(c.Method[0]) {
		return nil
	}
	from, err := c.teaching()
	if err != nil {
		return err
	}
	if from.cell == nil {
		b, err := OpenBenchmark(c)
		if err != nil {
			return err
		}
		return l.engage(ctx, c, c.learned(b.Classes, b.Base), func(Step) {})
	}
	lab := l
	if from.cell.Clip != c.Clip {
		if lab, err = NewLab(*from.cell); err != nil {
			return fmt.Errorf("promptkd.teacher: %w", err)
		}
	}
	if err := lab.Check(ctx, *from.cell); err != nil {
		return fmt.Errorf("promptkd.teacher: %w", err)
	}
	l.use(c)
	return nil
}

// stand puts class texts of the teacher's width where a program is built and not
// run, and the teacher is not at hand.
func (l *Lab) stand(c Config, cl *methods.Classes) error {
	if !methods.Taught(c.Method[0]) || cl.Teacher.F32 != nil {
		return nil
	}
	from, err := c.teaching()
	if err != nil {
		return err
	}
	width, path := l.model.Vision.Embed, from.clip
	switch {
	case from.cell != nil:
		path = from.cell.Clip.Weights
	case from.dir != "":
		cfg, err := Load(filepath.Join(from.dir, runfmt.ConfigFile), nil)
		if err != nil {
			return fmt.Errorf("promptkd.teacher: %w", err)
		}
		path = cfg.Clip.Weights
	}
	if path != c.Clip.Weights {
		weights, err := l.embed(path)
		if err != nil {
			return fmt.Errorf("promptkd.teacher: %w", err)
		}
		width = weights
	}
	cl.Teacher = graph.NewTensor(graph.Float32, len(cl.Names), width)
	return nil
}

// openWeights is the joint width of a CLIP, whose weights are not read.
func openWeights(path string) (width int, err error) {
	if path == "tiny" {
		m, err := tiny.CLIP()
		if err != nil {
			return 0, err
		}
		return m.Vision.Embed, nil
	}
	c, err := clip.Inspect(path, "")
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return c.Vision.Embed, nil
}
