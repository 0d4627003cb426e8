package experiments

import (
	"context"
	"encoding/json"
	"fmt"

	"spotlighter/experiments/methods"
	"spotlighter/graph"
	"spotlighter/graph/onnx"
	"spotlighter/internal/clip"
	"spotlighter/internal/device"
)

// Exported is a program from images [B, 3, S, S], prepared as CLIP's, as a model that
// other runtimes run.
type Exported struct {
	*onnx.Model

	config  Config
	clip    *clip.Model
	compile func(batch int) (*graph.Program, error)
}

// ExportEncode exports the frozen image encoder of a cell: of all features that its
// method reads at test time. batch is how many images the model takes; 0: any
// number.
func ExportEncode(ctx context.Context, c Config, batch int) (*Exported, error) {
	c.Device = device.CPU
	l, err := NewLab(c)
	if err != nil {
		return nil, err
	}
	l.use(c)
	b, err := OpenBenchmark(c)
	if err != nil {
		return nil, err
	}
	score, err := l.pruneScore(ctx, c, b.Classes)
	if err != nil {
		return nil, err
	}
	all := methods.KeepsTokens(c.Method[0], c.Spotlight)
	return exported("encode", c, l.model, batch, func(n int) (*graph.Program, error) {
		e, err := newEncoder(l.model, c.features(), all, l.pool, score, n)
		if err != nil {
			return nil, err
		}
		return e.program, nil
	})
}

// Export exports what a run learned: from images to the logits of its classes, and
// the intermediates that its views have, if it was opened with them. batch is as of
// ExportEncode. The run must be on the CPU.
func (t *Trained) Export(batch int) (*Exported, error) {
	x, err := exported("predict", t.Config, t.lab.model, batch, t.build)
	if err != nil {
		return nil, err
	}
	return x, x.tell("classes", t.Classes)
}

// Two sizes of a batch that no shape has by chance.
const oneBatch, anotherBatch = 11, 13

func exported(name string, c Config, m *clip.Model, batch int, compile func(batch int) (*graph.Program, error)) (*Exported, error) {
	x := &Exported{config: c, clip: m, compile: compile}
	first := batch
	if batch == 0 {
		first = oneBatch
	}
	p, err := compile(first)
	if err != nil {
		return nil, err
	}
	var twin *graph.Program
	if batch == 0 {
		if twin, err = compile(anotherBatch); err != nil {
			return nil, err
		}
	}
	if x.Model, err = onnx.Export(p, twin); err != nil {
		return nil, fmt.Errorf("program %s of method %s: %w", name, c.Method[0], err)
	}
	for _, what := range []struct {
		key   string
		value any
	}{
		{"program", name},
		{"method", c.Method[0]},
		{"clip", m.Hash},
		{"image.size", m.Transform.Size}, // the shorter side, bicubic, then the middle square
		{"image.mean", m.Transform.Mean},
		{"image.std", m.Transform.Std},
	} {
		if err := x.tell(what.key, what.value); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// tell writes something, as JSON, beside the graph.
func (x *Exported) tell(key string, value any) error {
	text, err := json.Marshal(value)
	x.Meta["spotlighter."+key] = string(text)
	return err
}

// SaveTestData writes what the program makes of n test images of the cell's data set
// to dir, for the model to be compared with: see onnx.TestData.
func (x *Exported) SaveTestData(ctx context.Context, dir string, n int) error {
	b, err := OpenBenchmark(x.config)
	if err != nil {
		return err
	}
	if n > len(b.Test) {
		return fmt.Errorf("data set %s has %d test images, %d are wanted", b.Name, len(b.Test), n)
	}
	p, err := x.compile(n)
	if err != nil {
		return err
	}
	feeds := p.Feeds()
	for i := range n {
		img, _, err := b.Test[i*len(b.Test)/n].Load() // spread over the classes
		if err != nil {
			return err
		}
		copy(feeds[imagesInput].Row(i), x.clip.Transform.Apply(img))
	}
	if err := p.Run(ctx, feeds); err != nil {
		return err
	}
	return x.Model.SaveTestData(dir, feeds, p)
}
