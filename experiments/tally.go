package experiments

import (
	"math"

	"spotlighter/experiments/runfmt"
)

// tally counts what a classifier says of images, one after the other.
type tally struct {
	Images, Right int
	top5          int
	zeroShot      int
	nan           int
	confusion     []runfmt.Confusion // by true class
	bins          [runfmt.ECEBins]struct {
		images, right int
		confidence    float64 // summed
	}
}

func newTally(classes int) tally {
	t := tally{confusion: make([]runfmt.Confusion, classes)}
	for i := range t.confusion {
		t.confusion[i] = runfmt.Confusion{}
	}
	return t
}

// count takes one image: its true class, those that the method and zero-shot
// say, and the method's logits.
func (t *tally) count(label, class, zeroShot int, logits []float32) {
	t.Images++
	t.confusion[label][class]++
	if class == label {
		t.Right++
	}
	if zeroShot == label {
		t.zeroShot++
	}
	better := 0 // classes that come before the true one, the first of equals first
	for i, v := range logits {
		if v != v {
			t.nan++
			return
		}
		if v > logits[label] || v == logits[label] && i < label {
			better++
		}
	}
	if better < 5 {
		t.top5++
	}
	p := confidence(logits, class)
	bin := &t.bins[min(int(p*runfmt.ECEBins), runfmt.ECEBins-1)]
	bin.images++
	bin.confidence += p
	if class == label {
		bin.right++
	}
}

// confidence is the softmax probability of a class.
func confidence(logits []float32, class int) float64 {
	sum := 0.
	for _, v := range logits {
		sum += math.Exp(float64(v) - float64(logits[class]))
	}
	return 1 / sum
}

// set is the outcome.
func (t *tally) set(name string) runfmt.Set {
	s := runfmt.Set{
		Name: name, Classes: len(t.confusion), Images: t.Images, Top1: t.accuracy(),
		ZeroShot: percent(t.zeroShot, t.Images), NaN: t.nan, Confusion: t.confusion,
	}
	if len(t.confusion) > 5 {
		top5 := percent(t.top5, t.Images)
		s.Top5 = &top5
	}
	shown := 0 // classes that have images
	for label, row := range t.confusion {
		images := 0
		for _, n := range row {
			images += n
		}
		if images > 0 {
			shown++
			s.Macro += percent(row[label], images)
		}
	}
	s.Macro /= float64(max(shown, 1))
	for _, b := range t.bins {
		s.ECE += 100 * math.Abs(float64(b.right)-b.confidence) / float64(max(t.Images, 1))
	}
	return s
}

func (t *tally) accuracy() float64 { return percent(t.Right, t.Images) }
