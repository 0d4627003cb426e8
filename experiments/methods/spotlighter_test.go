package methods

import (
	"context"
	"testing"

	"spotlighter/graph"
	"spotlighter/internal/fixture"
	"spotlighter/spotlight"
)

// Over a student with prompts, in training and at test time, a second reading
// without a bias is the first one, prompts and projection included; and a bias
// changes it.
func TestRereadOfStudent(t *testing.T) {
	r := openReference(t, "promptkd")
	o := r.options("a photo of a", map[string]Settings{promptKDName: tinyPromptKD()})
	m := promptKD{o, *tinyPromptKD()}
	for _, training := range []bool{true, false} {
		s, enc, err := r.model.Scope()
		if err != nil {
			t.Fatal(err)
		}
		outputs := map[string]*graph.Node{}
		err = graph.Try(func() {
			c, cl := CLIP{Model: r.model, Scope: s, Encoders: enc}, r.taughtClasses()
			b := r.batch("promptkd", m, c, cl, 0, 6)
			b.Text = m.Text(c, cl)
			if training {
				b.Labels = s.Const(graph.NewTensor(graph.Int, 6))
			}
			f := spotlight.EncodeThrough(spotlight.Default(), c.Vision, b.Pass, m.student(c, b).head(b))
			n := c.Vision.Patches()
			bias := graph.NewTensor(graph.Float32, 6, 2, n) // the first reading has none
			for i := range 6 {
				bias.F32[(2*i+1)*n] = 3
			}
			outputs["image"], outputs["readings"] = f.Image, spotlight.Reread(c.Vision, f, s.Const(bias))
		})
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.Compile(r.pool, outputs)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Run(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		image, readings := p.Output("image"), p.Output("readings")
		width := image.Shape[1]
		for i := range 6 {
			want, row := graph.Floats(image.Row(i), width), readings.Row(i)
			fixture.Near(t, "reading", graph.Floats(row[:width], width), want, 1e-5)
			var apart float32
			for k, v := range row[width:] {
				apart = max(apart, v-row[k], row[k]-v)
			}
			if apart < 1e-4 {
				t.Errorf("training %v, image %d: a bias changes nothing", training, i)
			}
		}
	}
}

// Spotlighter learns its 21 scalars over every method that it plugs into, beside
// all that the method learns alone.
func TestSpotlighterScalars(t *testing.T) {
	for name := range rows {
		if !plugs[spotlighterName].Over(rows[name]) || !rows[name].Learns {
			continue
		}
		o := Options{ContextWords: "a photo of a", Spotlight: spotlight.Default()}
		tensors, scalars := vitB16(t, name, o, 6)
		plugged, all := vitB16(t, name+"+"+spotlighterName, o, 6)
		if all != scalars+21 || plugged <= tensors {
			t.Errorf("%s: %d tensors and %d scalars alone, %d and %d plugged into, want 21 scalars more", name, tensors, scalars, plugged, all)
		}
	}
}

// The published plug-in into PromptKD learns a transform and a memory of the
// teacher's width: 15 tensors beside PromptKD's.
func TestPublishedStudentScalars(t *testing.T) {
	o := Options{ContextWords: "a photo of a", Spotlight: spotlight.Default()}
	o.Spotlight.Variant = spotlight.Release
	_, alone := vitB16(t, "promptkd", o, 2)
	tensors, scalars := vitB16(t, "promptkd+spotlighter", o, 2)
	transform := 512*768 + 768 + 2*768 + 768*768 + 768
	if want := alone + transform + 4*(768*768+768) + 768*2*768; tensors != 15+15 || scalars != want {
		t.Errorf("%d tensors, %d scalars, want 30 and %d", tensors, scalars, want)
	}
}

// A training step reads for as many candidates as it is told, a test for all.
func TestTrainCandidates(t *testing.T) {
	model, err := random()
	if err != nil {
		t.Fatal(err)
	}
	cl := Classes{Names: []string{"cat", "dog", "fish", "owl", "fox", "hen"}, Text: graph.NewTensor(graph.Float32, 6, 512)}
	if cl.Prompts, err = model.Prompts("a photo of a", cl.Names); err != nil {
		t.Fatal(err)
	}
	o := Options{ContextWords: "a photo of a", Spotlight: spotlight.Default()}
	o.Spotlight.TrainCandidates = 2
	m, err := New("coop+spotlighter", o)
	if err != nil {
		t.Fatal(err)
	}
	for _, training := range []bool{true, false} {
		s, enc, err := model.Scope()
		if err != nil {
			t.Fatal(err)
		}
		var out Outputs
		err = graph.Try(func() {
			c := CLIP{Model: model, Scope: s, Encoders: enc}
			b := Batch{Features: spotlight.Inputs(o.Spotlight, s, model.Vision, 3), Text: m.Text(c, cl)}
			if training {
				b.Labels = s.Input("labels", graph.Int, 3)
			}
			out = m.Build(c, cl, b)
		})
		if err != nil {
			t.Fatal(err)
		}
		want := o.Spotlight.Candidates
		if training {
			want = 2
		}
		if got := out.Candidates.Shape(); got[0] != 3 || got[1] != want {
			t.Errorf("training %v: candidates %v, want [3 %d]", training, got, want)
		}
	}
}
