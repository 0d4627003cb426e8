package textenc

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"spotlighter/internal/shared"
)

func newTokenizer(t testing.TB) *Tokenizer {
	t.Helper()
	tok, err := NewTokenizer()
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

type vector struct {
	Text string
	IDs  []int
}

func readVectors(t *testing.T, path string) []vector {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	for line := range bytes.Lines(content) {
		var v vector
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// TestEncode compares with ids that the published tokenizer, ftfy included,
// gave for texts written for this test.
func TestEncode(t *testing.T) {
	tok := newTokenizer(t)
	vectors := readVectors(t, "testdata/tokenizer.jsonl")
	for _, v := range vectors {
		if got := tok.Encode(v.Text); !slices.Equal(got, v.IDs) {
			t.Errorf("%+q: got %v, want %v", v.Text, got, v.IDs)
		}
	}
}

func TestSharedVectors(t *testing.T) {
	tok := newTokenizer(t)
	for _, v := range readVectors(t, shared.Path(t, "data/clip/tokenizer_vectors.jsonl")) {
		want := make([]int, ContextLength)
		copy(want, v.IDs)
		got, err := tok.Tokens(v.Text, ContextLength)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %v, %v, want %v", v.Text, got, err, want)
		}
	}
}

// TestVocabularySource finds the embedded merges, byte for byte, in the file
// that OpenAI published.
func TestVocabularySource(t *testing.T) {
	published, err := os.ReadFile(shared.Path(t, "data/clip/bpe_simple_vocab_16e6.txt.gz"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(gunzip(t, published), []byte("\n"))
	want := bytes.Join(lines[1:1+VocabSize-firstPair-2], nil)
	if !bytes.Equal(gunzip(t, mergesGz), want) {
		t.Error("embedded merges differ from lines 2 to 48895 of the published file")
	}
}

func gunzip(t *testing.T, content []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTokens(t *testing.T) {
	tok := newTokenizer(t)
	if got, want := tok.Truncated("a photo of", 4), []int{SOT, 320, 1125, EOT}; !slices.Equal(got, want) {
		t.Errorf("truncated: %v, want %v", got, want)
	}
	got, err := tok.Tokens("a photo", 6)
	if want := []int{SOT, 320, 1125, EOT, 0, 0}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if _, err := tok.Tokens("a photo", 4); err != nil {
		t.Errorf("a text that just fits: %v", err)
	}
	_, err = tok.Tokens("a photo", 3)
	if err == nil || !strings.Contains(err.Error(), `"a photo"`) || !strings.Contains(err.Error(), "4 tokens") {
		t.Errorf("got %v, want an error that names the text and its 4 tokens", err)
	}
	if got := tok.Encode("a <|EndOfText|>"); !slices.Equal(got, []int{320, EOT}) {
		t.Errorf("mark inside a text: %v", got)
	}
}

func TestDecode(t *testing.T) {
	tok := newTokenizer(t)
	for text, want := range map[string]string{
		"A photo of  2 cafés!": "a photo of 2 cafés ! ",
		"日本語 🎂":                "日本語 🎂 ",
	} {
		if got, err := tok.Decode(tok.Encode(text)); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	if _, err := tok.Decode([]int{VocabSize}); err == nil {
		t.Error("an id outside the vocabulary decoded")
	}
}

// wordPattern is the published pattern; texts reach it in lower case and with
// plain spaces.
var wordPattern = regexp.MustCompile(`<\|startoftext\|>|<\|endoftext\|>|'s|'ſ|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`)

// FuzzWords compares the hand-written splitter with the published pattern, and
// wants every encoded text to decode to its words.
func FuzzWords(f *testing.F) {
	tok := newTokenizer(f)
	for _, s := range []string{"it's 3.14's!'s don't", "<|startoftext|>a<|endoftext|", "a\u0301 ½²٤ '' 're", "&amp;lt; \x80\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := clean(s)
		if plain, ok := tok.encodePlain(s); ok && !slices.Equal(plain, tok.encodeWords(text)) {
			t.Fatalf("%q: the plain way gives %v, the general way %v", s, plain, tok.encodeWords(text))
		}
		want := wordPattern.FindAllString(text, -1)
		var got []string
		for word, rest := nextWord(text); word != ""; word, rest = nextWord(rest) {
			got = append(got, word)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q: got %q, want %q", text, got, want)
		}
		joined := strings.Join(append(want, ""), " ")
		if strings.Contains(joined, "<|") { // marks decode without a space
			return
		}
		if back, err := tok.Decode(tok.Encode(s)); err != nil || back != joined {
			t.Fatalf("%q: decoded %q, %v, want %q", s, back, err, joined)
		}
	})
}

// FuzzLong holds the merging of long words against the plain one.
func FuzzLong(f *testing.F) {
	tok := newTokenizer(f)
	for _, s := range []string{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "thethethethethequickbrownfox", "\xff\xfe日本語日本語", "!!!!!!!!!!!!!!!!!!!!!!?!"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" || len(s) > 2000 {
			return
		}
		bytes := func() []int {
			ids := make([]int, len(s))
			for i := range len(s) {
				ids[i] = tok.vocab.byteID[s[i]]
			}
			ids[len(ids)-1] += firstEnd
			return ids
		}
		if got, want := tok.vocab.mergeLong(bytes()), tok.vocab.merge(bytes()); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	})
}

// TestLongWord wants a megabyte without a space done in a moment.
func TestLongWord(t *testing.T) {
	tok := newTokenizer(t)
	start := time.Now()
	ids := tok.Encode(strings.Repeat("abcdefgh", 1<<17))
	if took := time.Since(start); len(ids) < 1<<17 || took > 5*time.Second {
		t.Errorf("%d ids in %v", len(ids), took)
	}
	_, err := tok.Tokens(strings.Repeat("word ", 1<<18), ContextLength)
	if err == nil || len(err.Error()) > 500 {
		t.Errorf("error of a megabyte: %.600v", err)
	}
}

// TestDamagedVocabulary wants an error, not wrong ids.
func TestDamagedVocabulary(t *testing.T) {
	for want, text := range map[string]string{
		"unknown symbols": "i n\nzz q\n",
		"wanted 49408":    "i n\n",
	} {
		_, err := readVocabulary(bufio.NewScanner(strings.NewReader(text)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	tok := newTokenizer(b)
	text := strings.Repeat("a photo of a golden retriever, it's lying on the 2nd sofa. ", 4)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		tok.Encode(text)
	}
}
