package clip

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/fixture"
	"spotlighter/textenc"
)

func TestTokens(t *testing.T) {
	m := small(t).model(t)
	rows, err := m.Tokens("A photo of a red cup")
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 8 {
		t.Fatalf("rows %v, want eight", rows)
	}
	var ids []int
	for _, r := range rows {
		ids = append(ids, m.vocab.IDs[r])
	}
	tok, _ := textenc.NewTokenizer()
	if want := append(append([]int{textenc.SOT}, tok.Encode("a photo of a red cup")...), textenc.EOT); !slices.Equal(ids, want) {
		t.Errorf("ids %v, want %v", ids, want)
	}
	e := m.Embedding(rows)
	table := m.store.Find("token_embedding.weight").Value
	for i, r := range rows {
		if !slices.Equal(e.Row(i), table.Row(r)) {
			t.Errorf("embedding %d is not row %d of the table", i, r)
		}
	}
	if _, err := m.Tokens("a photo of a red red red cup"); err == nil || !strings.Contains(err.Error(), "has 10 tokens, the text encoder takes 9") {
		t.Errorf("long text: error is %v", err)
	}
}

func TestUnknownWords(t *testing.T) {
	m := small(t).model(t)
	_, err := m.Tokens("a photo of a green dog and a dog")
	if err == nil {
		t.Fatal("no error")
	}
	_, err = m.Tokens("a green dog, a dog")
	want := `"a green dog, a dog": this CLIP does not know green, dog,, dog; it knows only a, cup, of, photo, red (clip.unknown=random gives unknown words random embeddings)`
	if err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

// An unknown id's embedding depends on the id alone: not on the texts beside
// it, nor on their order.
func TestWithRandomWords(t *testing.T) {
	f := small(t)
	m := f.model(t)
	first := m.WithRandomWords([]string{"a green dog", "a red cat"})
	other := m.WithRandomWords([]string{"cat", "tree", "dog green"})
	for _, word := range []string{"green", "dog", "cat", "red", "a"} {
		a, b := embedding(t, first, word), embedding(t, other, word)
		if !slices.Equal(a, b) {
			t.Errorf("%s is %v, and %v in another order", word, a, b)
		}
	}
	if slices.Equal(embedding(t, first, "dog"), embedding(t, first, "cat")) {
		t.Error("two words have one embedding")
	}
	for _, word := range []string{"red", "a"} {
		if !slices.Equal(embedding(t, m, word), embedding(t, first, word)) {
			t.Errorf("the known word %s has moved", word)
		}
	}
	if _, err := first.Tokens("a tree"); err == nil || !strings.Contains(err.Error(), "does not know tree") {
		t.Errorf("a word that was not asked for: error is %v", err)
	}
	if _, err := m.Tokens("dog"); err == nil {
		t.Error("the model itself has learned a word")
	}
	if first.Text.Vocabulary != m.Text.Vocabulary+3 {
		t.Errorf("%d rows, want three above %d", first.Text.Vocabulary, m.Text.Vocabulary)
	}

	// The drawn ones have the deviation of the table.
	long := strings.Fields("dog cat tree house green blue yellow car train plane boat road river hill stone glass book chair table door")
	many := m.WithRandomWords(long)
	var known, drawn float64
	for _, x := range f.tensors["token_embedding.weight"].Data {
		known += float64(x) * float64(x)
	}
	known /= float64(m.Text.Vocabulary)
	for _, w := range long {
		for _, x := range embedding(t, many, w) {
			drawn += float64(x) * float64(x) / float64(len(long))
		}
	}
	if r := math.Sqrt(drawn / known); r < .8 || r > 1.25 {
		t.Errorf("drawn embeddings are %.2f times as long as known ones", r)
	}

	// Texts of known words have the features they had.
	texts := []string{"a photo of a red cup"}
	want, err := NewZeroShot(m, cpu.NewPool(1)).Text(context.Background(), texts)
	if err != nil {
		t.Fatal(err)
	}
	got, err := NewZeroShot(first, cpu.NewPool(1)).Text(context.Background(), append(texts, "a green dog"))
	if err != nil {
		t.Fatal(err)
	}
	fixture.Near(t, "feature", graph.Floats(got.Row(0), 4), graph.Floats(want.Row(0), 4), 1e-6)
}

// embedding is the row of a word of one id.
func embedding(t *testing.T, m *Model, word string) []float32 {
	t.Helper()
	rows, err := m.Tokens(word)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 3 {
		t.Fatalf("%s has %d tokens, want one", word, len(rows)-2)
	}
	return m.Embedding(rows[1:2]).F32
}

// A model with random words is another than the one without, and the same whichever
// words they are: a run goes on in a grid of other methods, which has other texts.
func TestHashOfRandomWords(t *testing.T) {
	m := small(t).model(t)
	a, b := m.WithRandomWords([]string{"dog", "cat"}), m.WithRandomWords([]string{"dog", "tree"})
	if a.Hash != b.Hash || a.Hash == m.Hash {
		t.Errorf("hashes %s, %s, %s", m.Hash, a.Hash, b.Hash)
	}
	if same := m.WithRandomWords([]string{"a red cup"}); same.Hash != m.Hash {
		t.Errorf("no unknown word gives %s, want %s", same.Hash, m.Hash)
	}
}
