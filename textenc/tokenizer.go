package textenc

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// CLIP's vocabulary: 256 bytes, 256 bytes that end a word, 48,894 merges, and
// two marks.
const (
	SOT       = 49406 // start of text
	EOT       = 49407 // end of text; the encoder reads its features here
	VocabSize = 49408

	// ContextLength is the number of tokens that published CLIP models read.
	ContextLength = 77
)

// A long run over free text must not fill the memory with words. Prompts and
// captions use a small part of this.
const (
	maxCachedWords = 1 << 16
	maxCachedBytes = longWord // of a word
)

// Tokenizer is CLIP's lower-cased byte-pair encoding. It is safe for
// concurrent use.
type Tokenizer struct {
	vocab *vocabulary

	mu    sync.RWMutex
	words map[string][]int // ids of words met before
}

// NewTokenizer returns a tokenizer over the vocabulary published with CLIP,
// which is embedded. An error means that the embedded file is damaged.
func NewTokenizer() (*Tokenizer, error) {
	v, err := published()
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return &Tokenizer{vocab: v, words: make(map[string][]int)}, nil
}

// Encode returns the ids of a text, without marks around them. As in the
// published tokenizer, the marks' own spellings <|startoftext|> and
// <|endoftext|> inside the text stand for the marks.
func (t *Tokenizer) Encode(text string) []int {
	if ids, ok := t.encodePlain(text); ok {
		return ids
	}
	return t.encodeWords(clean(text))
}

// encodeWords returns the ids of a cleaned text.
func (t *Tokenizer) encodeWords(rest string) []int {
	var ids []int
	for {
		var word string
		if word, rest = nextWord(rest); word == "" {
			return ids
		}
		ids = append(ids, t.encodeWord(word)...)
	}
}

// Tokens returns SOT, the ids of text, EOT, and zeros up to context ids in
// all. A text that does not fit is an error.
func (t *Tokenizer) Tokens(text string, context int) ([]int, error) {
	ids := t.Encode(text)
	if n := len(ids) + 2; n > context {
		return nil, fmt.Errorf("text %s is too long: %d tokens with both marks, the context holds %d", Quoted(text), n, context)
	}
	out := make([]int, context)
	out[0] = SOT
	n := copy(out[1:], ids)
	out[n+1] = EOT
	return out, nil
}

// Truncated is Tokens for a text of any length: one that does not fit loses its
// end, as with the published tokenizer's truncate=True.
func (t *Tokenizer) Truncated(text string, context int) []int {
	out := make([]int, context)
	out[0] = SOT
	n := copy(out[1:context-1], t.Encode(text))
	out[n+1] = EOT
	return out
}

// Decode returns the text that ids stand for, with a space after each word as
// in the published tokenizer. Bytes that are not UTF-8 become U+FFFD.
func (t *Tokenizer) Decode(ids []int) (string, error) {
	var b strings.Builder
	for i, id := range ids {
		if id < 0 || id >= VocabSize {
			return "", fmt.Errorf("tokenizer: id %d at position %d, wanted 0 to %d", id, i, VocabSize-1)
		}
		b.WriteString(t.vocab.spelling[id])
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD"), nil
}

// Quoted is a text as messages show it: in quotes, and not more than its beginning.
func Quoted(text string) string {
	if r := []rune(text); len(r) > 200 {
		text = string(r[:200]) + "…"
	}
	return strconv.Quote(text)
}

// encodeWord returns the ids of one word; the caller must not change them.
func (t *Tokenizer) encodeWord(word string) []int {
	t.mu.RLock()
	ids, ok := t.words[word]
	t.mu.RUnlock()
	if ok {
		return ids
	}
	ids = t.vocab.encode(word)
	if len(word) > maxCachedBytes {
		return ids
	}
	t.mu.Lock()
	if len(t.words) < maxCachedWords {
		t.words[strings.Clone(word)] = ids // word is a part of the whole text
	}
	t.mu.Unlock()
	return ids
}
