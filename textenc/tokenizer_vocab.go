package textenc

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed" // the vocabulary
	"fmt"
	"math"
	"strings"
	"sync"
)

//go:embed vocab/merges.txt.gz
var mergesGz []byte

const (
	endOfWord = "</w>" // how the merges file marks a symbol that ends a word
	firstEnd  = 256    // id of the first byte that ends a word
	firstPair = 512    // id of the first merge
)

// vocabulary holds byte-pair merges. A merge's id is its rank plus firstPair,
// so that comparing ids compares ranks.
type vocabulary struct {
	byteID   [256]int       // byte -> id of the byte inside a word
	pairs    map[[2]int]int // two neighbours -> their merge
	spelling []string       // id -> bytes, with a space for the end of a word
}

// published decodes the embedded vocabulary, once.
var published = sync.OnceValues(func() (*vocabulary, error) {
	r, err := gzip.NewReader(bytes.NewReader(mergesGz))
	if err != nil {
		return nil, fmt.Errorf("embedded vocabulary: %w", err)
	}
	return readVocabulary(bufio.NewScanner(r))
})

// readVocabulary reads merges, two symbols a line, in order of rank. The file
// writes each byte as a printable character: bytes that print in Latin-1 as
// themselves, the others as U+0100 onwards; ids follow the same order.
func readVocabulary(lines *bufio.Scanner) (*vocabulary, error) {
	v := &vocabulary{
		pairs:    make(map[[2]int]int, VocabSize-firstPair),
		spelling: make([]string, firstPair, VocabSize),
	}
	ids := make(map[string]int, VocabSize) // as written in the file
	addByte := func(b int, written rune) {
		id := len(ids) / 2
		v.byteID[b] = id
		v.spelling[id], v.spelling[firstEnd+id] = string([]byte{byte(b)}), string([]byte{byte(b), ' '})
		ids[string(written)], ids[string(written)+endOfWord] = id, firstEnd+id
	}
	for b := range 256 {
		if printable(b) {
			addByte(b, rune(b))
		}
	}
	for b, next := 0, rune(0x100); b < 256; b++ {
		if !printable(b) {
			addByte(b, next)
			next++
		}
	}
	for lines.Scan() {
		left, right, _ := strings.Cut(lines.Text(), " ")
		l, okL := ids[left]
		r, okR := ids[right]
		if !okL || !okR {
			return nil, fmt.Errorf("vocabulary: merge %d, %q, is of unknown symbols", len(v.pairs), lines.Text())
		}
		id := len(v.spelling)
		v.pairs[[2]int{l, r}] = id
		v.spelling = append(v.spelling, v.spelling[l]+v.spelling[r])
		ids[left+right] = id
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("vocabulary: %w", err)
	}
	v.spelling = append(v.spelling, startText, endText)
	if len(v.spelling) != VocabSize {
		return nil, fmt.Errorf("vocabulary: %d symbols, wanted %d", len(v.spelling), VocabSize)
	}
	return v, nil
}

// printable says whether the vocabulary writes byte b as itself.
func printable(b int) bool {
	return b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xFF && b != 0xAD
}

// encode splits a word into symbols by merging, over and over, the pair of
// neighbours with the lowest rank, all its occurrences from left to right.
func (v *vocabulary) encode(word string) []int {
	switch word {
	case startText:
		return []int{SOT}
	case endText:
		return []int{EOT}
	}
	ids := make([]int, len(word))
	for i := range len(word) {
		ids[i] = v.byteID[word[i]]
	}
	ids[len(ids)-1] += firstEnd
	if len(ids) > longWord {
		return v.mergeLong(ids)
	}
	return v.merge(ids)
}

// merge looks for the lowest pair anew each time, which is fastest for the
// words of a language.
func (v *vocabulary) merge(ids []int) []int {
	for {
		best := math.MaxInt
		var pair [2]int
		for i := range len(ids) - 1 {
			p := [2]int{ids[i], ids[i+1]}
			if id, ok := v.pairs[p]; ok && id < best {
				best, pair = id, p
			}
		}
		if best == math.MaxInt {
			return ids
		}
		kept := ids[:0]
		for i := 0; i < len(ids); i++ {
			if i+1 < len(ids) && ids[i] == pair[0] && ids[i+1] == pair[1] {
				kept = append(kept, best)
				i++
			} else {
				kept = append(kept, ids[i])
			}
		}
		ids = kept
	}
}
