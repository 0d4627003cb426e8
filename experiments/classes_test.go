package experiments

import (
	"math"
	"testing"

	"spotlighter/experiments/runfmt"
)

// The classes' counts sum to the accuracies of their halves, and an example
// knows the true class.
func TestClassCounts(t *testing.T) {
	c := tinyCell(t, "coop+spotlighter")
	res, dir, _, err := newLab(t, c).RunCell(t.Context(), c, func(Step) {})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Classes) != 4 || res.BaseClasses != 2 {
		t.Fatalf("classes %+v, want 2 base and 2 novel ones", res.Classes)
	}
	for _, half := range []struct {
		classes  []runfmt.ClassCount
		accuracy float64
	}{{res.Classes[:2], res.Base}, {res.Classes[2:], res.Novel}} {
		right, images := 0, 0
		for _, class := range half.classes {
			if class.Images != 4 || class.Name == "" {
				t.Errorf("class %+v, want a name and 4 images", class)
			}
			right, images = right+class.Right, images+class.Images
		}
		if want := 100 * float64(right) / float64(images); math.Abs(half.accuracy-want) > 1e-9 {
			t.Errorf("accuracy %g, the classes make %g", half.accuracy, want)
		}
	}
	xs, err := runfmt.ReadExamples(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range xs {
		if x.Class == "" || x.Right != (x.Caption == x.Class) {
			t.Errorf("example %d: predicted %q, true %q, right %v", i, x.Caption, x.Class, x.Right)
		}
	}
}
