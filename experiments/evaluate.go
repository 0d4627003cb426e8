package experiments

import (
	"bytes"
	"context"
	"image/png"
	"slices"
	"time"

	"spotlighter/experiments/methods"
	"spotlighter/experiments/runfmt"
	"spotlighter/graph"
	"spotlighter/layers"
)

// onObject is the share of a patch that the object must cover for the patch to
// count as on it.
const onObject = .1

// evaluation is a method on the test images of one set of classes.
type evaluation struct {
	tally
	Classes  []runfmt.ClassCount
	Seconds  float64                     // in the program, the image encoder apart
	hits     [3]struct{ on, tokens int } // of the best 1, 3, 5 kept tokens
	patches  struct{ on, all int }
	Examples []runfmt.Example
}

func percent(a, b int) float64 { return 100 * float64(a) / float64(max(b, 1)) }

// evaluate classifies the test images of classes [lo, hi) among those classes.
// vars are what training left behind of the classes learned, by their names; others
// have nothing of their own and get the state that a class starts from.
func (l *Lab) evaluate(ctx context.Context, c Config, m methods.Method, lo, hi int, vars []*graph.Variable, learned []string, say func(share float64)) (evaluation, error) {
	ev := evaluation{tally: newTally(hi - lo)}
	cl, err := l.classes(ctx, c, l.bench.Classes[lo:hi])
	if err != nil {
		return ev, err
	}
	if err := l.reword(ctx, c, &cl); err != nil {
		return ev, err
	}
	vars = methods.ForClasses(vars, learned, cl, c.Spotlight)
	text, err := l.text(ctx, m, cl, vars)
	if err != nil {
		return ev, err
	}
	p, err := l.classifier(c, m, cl, vars, text.Shape)
	if err != nil {
		return ev, err
	}
	feeds := p.Feeds()
	if text.F32 != nil {
		feeds["text"] = text
	}
	var idx []int
	for i, pic := range l.bench.Test {
		if pic.Label >= lo && pic.Label < hi {
			idx = append(idx, i)
		}
	}
	for _, name := range l.bench.Classes[lo:hi] {
		ev.Classes = append(ev.Classes, runfmt.ClassCount{Name: name})
	}
	shown := examples(len(idx))
	for at := 0; at < len(idx); at += encodeBatch {
		part := idx[at:min(at+encodeBatch, len(idx))]
		if err := l.test.fill(ctx, part, feeds); err != nil {
			return ev, err
		}
		if err := l.test.check(part, feeds); err != nil {
			return ev, err
		}
		start := time.Now()
		if err := p.Run(ctx, feeds); err != nil {
			return ev, err
		}
		ev.Seconds += time.Since(start).Seconds() * float64(len(part)) / encodeBatch
		for b, i := range part {
			class, label := lo+p.Output("class").Int[b], l.bench.Test[i].Label
			kept := keptOf(p, b)
			ev.count(label-lo, class-lo, p.Output("zero-shot").Int[b], p.Output("logits").Row(b))
			ev.inspect(class == label, &ev.Classes[label-lo], kept, l.test.Masks[i])
			if shown[at+b] {
				x, err := l.example(c, i, class, kept)
				if err != nil {
					return ev, err
				}
				ev.Examples = append(ev.Examples, x)
			}
		}
		say(float64(at+len(part)) / float64(len(idx)))
	}
	return ev, nil
}

// text runs a method's texts once for a set of classes: [C, D]. It is the zero
// Tensor where they depend on the image.
func (l *Lab) text(ctx context.Context, m methods.Method, cl methods.Classes, vars []*graph.Variable) (graph.Tensor, error) {
	s, mc, err := l.scope(vars)
	if err != nil {
		return graph.Tensor{}, err
	}
	s.Called("text")
	var text *graph.Node
	if err := graph.Try(func() { text = m.Text(mc, cl) }); err != nil || text == nil {
		return graph.Tensor{}, err
	}
	p, err := s.Compile(l.pool, map[string]*graph.Node{"text": text})
	if err != nil {
		return graph.Tensor{}, err
	}
	err = p.Run(ctx, nil)
	return p.Output("text"), err
}

// classifier is the program of a method at test time. It outputs the logits and
// the class of each image of a batch, the class that zero-shot gives it, and,
// where the method keeps tokens, their index. It is fed texts of that shape; where
// it is nil the method makes them of each image.
func (l *Lab) classifier(c Config, m methods.Method, cl methods.Classes, vars []*graph.Variable, text graph.Shape) (*graph.Program, error) {
	s, mc, err := l.scope(vars)
	if err != nil {
		return nil, err
	}
	s.Called("classify")
	outputs := map[string]*graph.Node{}
	err = graph.Try(func() {
		batch, frozen := l.inputs(c, m, mc, cl, encodeBatch)
		if text != nil {
			batch.Text = s.Input("text", s.Dtype(), text...)
		}
		out := m.Build(mc, cl, batch)
		outputs["logits"] = out.Logits
		outputs["class"] = layers.ArgMax(out.Logits)
		// What the hand-written prompts say of the same images.
		outputs["zero-shot"] = layers.ArgMax(layers.MatMul(frozen, s.Const(cl.Text), false, true))
		if out.Index != nil {
			outputs["index"] = out.Index
		}
		if out.Candidates != nil {
			outputs["candidates"] = out.Candidates
		}
		outputs["image"] = batch.Features.Image
	})
	if err != nil {
		return nil, err
	}
	return s.Compile(l.pool, outputs)
}

// keptOf is the tokens that image b of the batch was classified by: of several
// candidates' those of the predicted class, else of the likeliest. Nil where none
// are kept.
func keptOf(p *graph.Program, b int) []int {
	if !p.Has("index") {
		return nil
	}
	row := b
	if p.Has("candidates") {
		cs := p.Output("candidates")
		q := cs.Shape[1]
		row = b*q + max(0, slices.Index(cs.Int[b*q:(b+1)*q], p.Output("class").Int[b]))
	}
	k := p.Output("index").Shape[1]
	return p.Output("index").Int[row*k : (row+1)*k]
}

// scope opens a graph over the frozen model and copies of the given variables.
func (l *Lab) scope(vars []*graph.Variable) (*graph.Scope, methods.CLIP, error) {
	s, enc, err := l.model.Scope()
	if err != nil {
		return nil, methods.CLIP{}, err
	}
	for _, v := range vars {
		s.Store().Set(v.Name, v.Kind, v.Value)
	}
	return s, methods.CLIP{Model: l.model, Scope: s, Encoders: enc}, nil
}

// inspect counts an image for its class, and its kept tokens by whether they lie
// on the object.
func (e *evaluation) inspect(right bool, class *runfmt.ClassCount, kept []int, mask []float32) {
	class.Images++
	if right {
		class.Right++
	}
	if kept == nil || mask == nil {
		return
	}
	for k, n := range []int{1, 3, 5} {
		for _, t := range kept[:min(n, len(kept))] {
			e.hits[k].tokens++
			if mask[t] > onObject {
				e.hits[k].on++
			}
		}
	}
	for _, share := range mask {
		e.patches.all++
		if share > onObject {
			e.patches.on++
		}
	}
}

// pointing joins the sets' shares of kept tokens on the object; nil where no
// token is kept or no object is known.
func pointing(of []evaluation) *runfmt.OnObject {
	var sum evaluation
	for _, e := range of {
		for k, h := range e.hits {
			sum.hits[k].on += h.on
			sum.hits[k].tokens += h.tokens
		}
		sum.patches.on += e.patches.on
		sum.patches.all += e.patches.all
	}
	if sum.patches.all == 0 {
		return nil
	}
	share := func(k int) float64 { return percent(sum.hits[k].on, sum.hits[k].tokens) }
	return &runfmt.OnObject{Top1: share(0), Top3: share(1), Top5: share(2), Chance: percent(sum.patches.on, sum.patches.all)}
}

// exampleCount is how many test images of each set a run shows.
const exampleCount = 6

// examples spreads the images that are shown evenly over n.
func examples(n int) map[int]bool {
	at := map[int]bool{}
	for i := range exampleCount {
		at[(2*i+1)*n/(2*exampleCount)] = true
	}
	return at
}

// example is what a picture of test image i needs.
func (l *Lab) example(c Config, i, class int, kept []int) (runfmt.Example, error) {
	pic := l.bench.Test[i]
	img, _, err := pic.Load()
	if err != nil {
		return runfmt.Example{}, err
	}
	img = l.model.Transform.Square(img)
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return runfmt.Example{}, err
	}
	x := runfmt.Example{PNG: b.Bytes(), Grid: l.model.Vision.Grid(), Caption: l.bench.Classes[class], Right: class == pic.Label, Class: l.bench.Classes[pic.Label]}
	if kept != nil {
		x.Level1, x.Level2 = []int{}, []int{}
		for rank, patch := range kept {
			if c.Spotlight.LevelOf(rank) == 1 {
				x.Level1 = append(x.Level1, patch)
			} else {
				x.Level2 = append(x.Level2, patch)
			}
		}
	}
	return x, nil
}
