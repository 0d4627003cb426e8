package clip

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"spotlighter/graph"
	"spotlighter/internal/weights"
	"spotlighter/textenc"
)

// Vocabulary says which row of a trimmed embedding table belongs to which of
// CLIP's token ids. A nil Vocabulary is CLIP's own, where they are the same.
type Vocabulary struct {
	IDs   []int    // by row
	Words []string // what the ids were made of, for messages; may be nil
	row   map[int]int
}

// NewVocabulary has one row for each id, in that order.
func NewVocabulary(ids []int) *Vocabulary {
	v := &Vocabulary{IDs: ids, row: map[int]int{}}
	for r, id := range ids {
		v.row[id] = r
	}
	return v
}

// Where a checkpoint keeps the ids of a trimmed table, and their words.
const (
	metadataKey = "token_ids"
	wordsKey    = "words"
)

// Metadata is what a checkpoint with this vocabulary says of it.
func (v *Vocabulary) Metadata() map[string]string {
	ids, _ := json.Marshal(v.IDs) // ints always marshal
	return map[string]string{metadataKey: string(ids), wordsKey: strings.Join(v.Words, " ")}
}

func readVocabulary(f *weights.File, rows int) (*Vocabulary, error) {
	text, ok := f.Metadata()[metadataKey]
	if !ok {
		if rows != textenc.VocabSize {
			return nil, fmt.Errorf("token_embedding.weight has %d rows, CLIP's tokenizer needs %d: it has another tokenizer, or no metadata %s say which ids they are", rows, textenc.VocabSize, metadataKey)
		}
		return nil, nil
	}
	var ids []int
	if err := json.Unmarshal([]byte(text), &ids); err != nil {
		return nil, fmt.Errorf("metadata %s: %w", metadataKey, err)
	}
	if len(ids) != rows {
		return nil, fmt.Errorf("metadata %s lists %d ids for %d rows", metadataKey, len(ids), rows)
	}
	v := NewVocabulary(ids)
	v.Words = strings.Fields(f.Metadata()[wordsKey])
	for r, id := range ids {
		switch {
		case id < 0 || id >= textenc.VocabSize:
			return nil, fmt.Errorf("metadata %s has id %d in row %d, CLIP's are 0 to %d", metadataKey, id, r, textenc.VocabSize-1)
		case v.row[id] != r:
			return nil, fmt.Errorf("metadata %s has id %d in rows %d and %d", metadataKey, id, r, v.row[id])
		}
	}
	for _, id := range []int{textenc.SOT, textenc.EOT} {
		if _, ok := v.row[id]; !ok {
			return nil, fmt.Errorf("metadata %s lack id %d, which every text has", metadataKey, id)
		}
	}
	return v, nil
}

// Rows maps ids, or says which words have no row and which do.
func (v *Vocabulary) Rows(ids []int, text string, t *textenc.Tokenizer) ([]int, error) {
	if v == nil {
		return ids, nil
	}
	out := make([]int, len(ids))
	for i, id := range ids {
		r, ok := v.row[id]
		if !ok {
			return nil, fmt.Errorf("%q: this CLIP does not know %s; %s (clip.unknown=random gives unknown words random embeddings)",
				text, strings.Join(v.unknown(text, t), ", "), v.known())
		}
		out[i] = r
	}
	return out, nil
}

// unknown lists the words of a text that have ids without a row.
func (v *Vocabulary) unknown(text string, t *textenc.Tokenizer) []string {
	var ws []string
	for _, w := range strings.Fields(text) {
		for _, id := range t.Encode(w) {
			if _, ok := v.row[id]; !ok && !slices.Contains(ws, w) {
				ws = append(ws, w)
			}
		}
	}
	return ws
}

func (v *Vocabulary) known() string {
	if len(v.Words) == 0 {
		return fmt.Sprintf("its embedding has %d tokens", len(v.IDs))
	}
	return "it knows only " + strings.Join(v.Words, ", ")
}

// WithRandomWords returns a model that knows the words of all texts: the
// embedding of an unknown id is drawn, from a generator of the id alone, with
// the deviation of the known ones. Such words mean nothing to the text encoder;
// it serves runs whose purpose is not their accuracy.
func (m *Model) WithRandomWords(texts []string) *Model {
	if m.vocab == nil {
		return m
	}
	table := m.store.Find("token_embedding.weight").Value
	var square float64
	for _, x := range table.F32 {
		square += float64(x) * float64(x)
	}
	std := math.Sqrt(square / float64(table.Len()))
	ids := append([]int(nil), m.vocab.IDs...)
	data := append([]float32(nil), table.F32...)
	seen := NewVocabulary(ids)
	for _, text := range texts {
		for _, id := range m.tokenizer.Encode(text) {
			if _, ok := seen.row[id]; ok {
				continue
			}
			seen.row[id] = len(ids)
			ids = append(ids, id)
			r := rand.New(rand.NewPCG(uint64(id), 0x7061646469))
			for range m.Text.Width {
				data = append(data, float32(r.NormFloat64()*std))
			}
		}
	}
	if len(ids) == len(m.vocab.IDs) {
		return m
	}
	c := *m
	c.vocab = NewVocabulary(ids)
	c.vocab.Words = m.vocab.Words
	c.Text.Vocabulary = len(ids)
	// Which words are known is no part of it: a run's are as many as its grid's texts
	// need, and what each embeds to is the same in every grid.
	c.Hash = m.Hash + "+random"
	c.store = graph.NewStore(m.store)
	c.store.Set("token_embedding.weight", graph.Frozen, graph.Floats(data, len(ids), m.Text.Width))
	return &c
}
