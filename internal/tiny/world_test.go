package tiny

import (
	"slices"
	"strings"
	"testing"
)

func TestSplitOfTheTriples(t *testing.T) {
	seen := map[Triple]bool{}
	for _, triple := range slices.Concat(Held(), Train()) {
		if seen[triple] {
			t.Errorf("%s comes twice", triple)
		}
		seen[triple] = true
	}
	if len(Held()) != 96 || len(Train()) != 288 || len(seen) != 384 {
		t.Errorf("%d held out and %d to train, %d in all", len(Held()), len(Train()), len(seen))
	}
	for _, words := range [][]string{shapes, colours, patterns} {
		for _, w := range words { // a model can only compose what it has met
			n := 0
			for _, triple := range Train() {
				if slices.Contains(strings.Fields(triple.String()), w) {
					n++
				}
			}
			if n < 12 {
				t.Errorf("%s is in %d training triples", w, n)
			}
		}
	}
	if got := (Triple{star, 0, striped}).String(); got != "striped red star" {
		t.Errorf("class name %q", got)
	}
}

func TestWordsAreThoseOfCaptionsAndNames(t *testing.T) {
	words := Words()
	if !slices.IsSorted(words) {
		t.Error("the words are not sorted")
	}
	used := map[string]bool{}
	r := newRandom(4)
	for range 20000 {
		triple := train[r.below(len(train))]
		text := caption(triple, r.below(len(backgrounds)), r.below(len(styles)), r.between(8, 16), r)
		if !strings.Contains(text, shapes[triple.Shape]) {
			t.Errorf("%q does not name its %s", text, shapes[triple.Shape])
		}
		for _, w := range strings.Fields("a photo of a " + triple.String() + " " + text) {
			used[w] = true
			if !slices.Contains(words, w) {
				t.Fatalf("%q of %q is not among the words", w, text)
			}
		}
	}
	for _, w := range words {
		if !used[w] {
			t.Errorf("%q is never used", w)
		}
	}
}

func TestCaptionDependsOnTheSize(t *testing.T) {
	r := newRandom(5)
	count := map[string]int{}
	for range 1000 {
		for _, size := range []struct {
			name   string
			radius float64
		}{{"9", 9}, {"12", 12}, {"15", 15}} {
			words := strings.Fields(caption(Triple{}, snow, 0, size.radius, r))
			for _, w := range []string{"small", "large"} {
				if slices.Contains(words, w) {
					count[size.name+" "+w]++
				}
			}
		}
	}
	if len(count) != 2 || count["9 small"] < 400 || count["15 large"] < 400 {
		t.Errorf("radius and word: %v", count)
	}
}

func TestValidationGoesThroughTheHeldTriples(t *testing.T) {
	for _, i := range []int{0, 5, 96, 200} {
		if _, label := RenderHeld(1, i); label != i%96 {
			t.Errorf("picture %d has label %d", i, label)
		}
	}
}
