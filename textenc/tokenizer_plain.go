package textenc

import "strings"

// class sorts ASCII bytes by what they do to words.
type class uint8

const (
	special class = iota // needs the general way: controls, entities, not ASCII
	space
	letter
	digit
	mark
)

var classes = func() (table [256]class) {
	for b := '!'; b <= '~'; b++ {
		table[b] = mark
	}
	for b := 'a'; b <= 'z'; b++ {
		table[b], table[b-'a'+'A'] = letter, letter
	}
	for b := '0'; b <= '9'; b++ {
		table[b] = digit
	}
	for _, b := range " \t\n\f\r" {
		table[b] = space
	}
	table['&'] = special // may begin an HTML entity
	return table
}()

// encodePlain does what Encode does for texts of printable ASCII without
// entities, which English prompts are: nothing is to be repaired, and words are
// found byte by byte.
func (t *Tokenizer) encodePlain(text string) (ids []int, ok bool) {
	low := make([]byte, len(text))
	for i := range len(text) {
		b := text[i]
		if classes[b] == special {
			return nil, false
		}
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		low[i] = b
	}
	ids = make([]int, 0, len(text)/4+2)
	t.mu.RLock()
	for at := 0; at < len(low); {
		if classes[low[at]] == space {
			at++
			continue
		}
		end := at + plainWord(low[at:])
		word, known := t.words[string(low[at:end])] // no copy
		if !known {
			t.mu.RUnlock()
			word = t.encodeWord(string(low[at:end]))
			t.mu.RLock()
		}
		ids = append(ids, word...)
		at = end
	}
	t.mu.RUnlock()
	return ids, true
}

// plainWord is the length of the word that text, not empty and not beginning
// with a space, begins with.
func plainWord(text []byte) int {
	if text[0] == '\'' || text[0] == '<' {
		for _, s := range suffixes {
			if strings.HasPrefix(string(text[:min(len(text), len(s))]), s) {
				return len(s)
			}
		}
	}
	kind := classes[text[0]]
	if kind == digit {
		return 1
	}
	n := 1
	for n < len(text) && classes[text[n]] == kind {
		n++
	}
	return n
}
