package experiments

import (
	"context"
	"maps"

	"spotlighter/experiments/methods"
	"spotlighter/graph"
	"spotlighter/spotlight"
	"spotlighter/vit"
)

// compile prepares the classes and builds the program.
func (t *Trained) compile(ctx context.Context) error {
	c, l := t.Config, t.lab
	var err error
	if t.known, err = l.classes(ctx, c, t.Classes); err != nil {
		return err
	}
	if err := l.reword(ctx, c, &t.known); err != nil {
		return err
	}
	t.vars = methods.ForClasses(t.vars, t.learned, t.known, c.Spotlight)
	if t.text, err = l.text(ctx, t.method, t.known, t.vars); err != nil {
		return err
	}
	if t.score, err = l.pruneScore(ctx, c, t.Classes); err != nil {
		return err
	}
	side := l.model.Vision.ImageSize
	t.images = graph.NewTensor(graph.Float32, t.Batch, 3, side, side)
	t.program, err = t.build(t.Batch)
	return err
}

// build makes the program from images to logits, for so many images.
func (t *Trained) build(batch int) (*graph.Program, error) {
	c, cl := t.Config, t.known
	s, mc, err := t.lab.scope(t.vars)
	if err != nil {
		return nil, err
	}
	s.Called("predict")
	side := mc.Model.Vision.ImageSize
	outputs := map[string]*graph.Node{}
	err = graph.Try(func() {
		images := s.Input(imagesInput, s.Dtype(), batch, 3, side, side)
		var pass vit.Output
		if methods.ReadsImages(c.Method[0]) {
			pass = t.method.Image(mc, cl, images)
		} else {
			pass = mc.Vision.ForwardBy(images, t.score(s, mc.Vision))
		}
		f := spotlight.Encode(c.features(), mc.Vision, pass)
		batch := methods.Batch{Features: f, Images: images, Pass: pass}
		if t.text.F32 != nil {
			batch.Text = s.Const(t.text)
		}
		out := t.method.Build(mc, cl, batch)
		outputs["image"], outputs["logits"] = f.Image, out.Logits
		if !t.views {
			return
		}
		maps.Copy(outputs, out.Named)
		if out.Index != nil {
			outputs["index"] = out.Index
		}
		if out.Candidates != nil {
			outputs["candidates"] = out.Candidates
		}
	})
	if err != nil {
		return nil, err
	}
	return s.CompileWith(graph.Options{Fixed: true}, t.lab.pool, outputs)
}
