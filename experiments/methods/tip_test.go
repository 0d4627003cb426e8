package methods

import (
	"context"
	"slices"
	"testing"

	"spotlighter/graph"
	"spotlighter/spotlight"
)

// support is the cache's images of the fixture.
func (r reference) support() *Support {
	s := &Support{Labels: r.Ints("support").Int}
	views := r.Tensor("views")
	n, d := views.Shape[1], views.Shape[2]
	for v := range views.Shape[0] {
		s.Views = append(s.Views, graph.Floats(views.F32[v*n*d:(v+1)*n*d], n, d))
	}
	return s
}

// The cache of the published program, the logits that it reads out of it, and two
// steps of its training.
func TestTipReference(t *testing.T) {
	r := openReference(t, "tip")
	r.model.Scale = 100 // written into the published program, and that of every published CLIP
	o := r.options("a photo of a", map[string]Settings{tipKey: &Tip{Alpha: 1, Beta: 5.5}})
	cl := Classes{Names: fixtureClasses, Text: r.Tensor("texts"), Support: r.support()}
	x := r.train("tip-adapter-f", o, cl, nil, 0, 6)
	r.Near("keys", x.store.Find("cache.keys").Value, parity)
	for _, step := range []string{"step1", "step2"} {
		x.step(.001)
		r.Near(step+".loss", x.program.Output("loss"), parity)
		r.Near(step+".logits", x.program.Output("logits"), parity)
		r.Near(step+".gradient", x.program.Output("cache.keys"), parity)
		r.Near(step+".keys", x.store.Find("cache.keys").Value, parity)
	}
	if tensors, scalars := x.count(); tensors != 1 || scalars != 10*24 {
		t.Errorf("%d tensors, %d scalars, want the 10 keys", tensors, scalars)
	}

	// The training-free form has what training starts from.
	m, err := New("tip-adapter", o)
	if err != nil {
		t.Fatal(err)
	}
	s, enc, err := r.model.Scope()
	if err != nil {
		t.Fatal(err)
	}
	learned, err := m.(Fitter).Fit(context.Background(), r.pool, CLIP{Model: r.model, Scope: s, Encoders: enc}, cl)
	if err != nil || len(learned) > 0 {
		t.Fatalf("%d variables are learned, %v", len(learned), err)
	}
	cl.Support = nil
	r.Near("step1.logits", r.test("tip-adapter", o, cl, s.Store()), parity)

	// Classes that the cache knows nothing of have CLIP's logits; a class that it
	// knows keeps its images among others.
	other := Classes{Names: []string{"x", "fish", "y"}, Text: graph.NewTensor(graph.Float32, 3, 24)}
	for i, from := range []int{0, 3, 1} {
		copy(other.Text.Row(i), cl.Text.Row(from))
	}
	zero := r.test("clip", o, other, graph.NewStore(nil))
	logits := func(vars []*graph.Variable) graph.Tensor {
		store := graph.NewStore(nil)
		for _, v := range vars {
			store.Set(v.Name, v.Kind, v.Value)
		}
		return r.test("tip-adapter", o, other, store)
	}
	unseen := slices.DeleteFunc(s.Store().Variables(), func(v *graph.Variable) bool { return !CarriesOver(v, o.Spotlight) })
	if got := logits(unseen); !slices.Equal(got.F32, zero.F32) {
		t.Errorf("unseen classes: %v, want CLIP's %v", got.F32, zero.F32)
	}
	got, want := logits(ForClasses(s.Store().Variables(), fixtureClasses, other, spotlight.Default())), r.Tensor("step1.logits")
	for b := range 6 {
		if d := got.Row(b)[1] - want.Row(b)[3]; d > 1e-4 || d < -1e-4 || got.Row(b)[0] != zero.Row(b)[0] || got.Row(b)[2] != zero.Row(b)[2] {
			t.Errorf("image %d: %v, want %g for fish and CLIP's %v for the others", b, got.Row(b), want.Row(b)[3], zero.Row(b))
		}
	}
}

func TestTipSettings(t *testing.T) {
	for want, c := range map[string]Tip{
		"tip.alpha: found -1, want 0 or above": {Alpha: -1, Beta: 1},
		"tip.beta: found 0, want above 0":      {Alpha: 1},
	} {
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
	if err := DefaultSettings(tipKey).Validate(); err != nil {
		t.Error(err)
	}
}
