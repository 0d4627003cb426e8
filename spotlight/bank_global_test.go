package spotlight

import (
	"slices"
	"testing"

	"spotlighter/graph"
)

// A global bank is that of one class to which every image belongs.
func TestGlobalBankWrite(t *testing.T) {
	bank, z, score := unitDraw("bank", 1, 3, 16), unitDraw("tokens", 4, 2, 16), draw("scores", 4, 2)
	got, err := apply(t, bankWrite{Momentum: .8, Global: true}, bank, z, score, graph.Ints([]int{7, 0, 7, 3}, 4))
	if err != nil {
		t.Fatal(err)
	}
	want, err := apply(t, bankWrite{Momentum: .8}, bank, z, score, graph.Ints([]int{0, 0, 0, 0}, 4))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.F32, want.F32) || slices.Equal(got.F32, bank.F32) {
		t.Errorf("%v\nwant %v", got.F32, want.F32)
	}
}

// Prototypes that classes share start at one of each class in turn.
func TestSharedStart(t *testing.T) {
	classes := unitDraw("prototypes", 2, 3, 16)
	got := shared(classes)
	if !slices.Equal(got.Shape, []int{1, 3, 16}) {
		t.Fatalf("shape %v", got.Shape)
	}
	want := slices.Concat(classes.F32[:16], classes.F32[3*16:4*16], classes.F32[16:32])
	if !slices.Equal(got.F32, want) {
		t.Errorf("%v\nwant %v", got.F32, want)
	}
}
