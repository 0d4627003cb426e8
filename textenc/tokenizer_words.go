package textenc

import (
	"html"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// startText and endText are how texts spell the marks SOT and EOT.
const (
	startText = "<|startoftext|>"
	endText   = "<|endoftext|>"
)

// suffixes are words of their own wherever a word may begin.
// The long s counts as an s: the published pattern ignores case.
var suffixes = []string{startText, endText, "'s", "'ſ", "'t", "'re", "'ve", "'m", "'ll", "'d"}

// nextWord cuts the first word off a cleaned text: a mark, an English
// contraction, a run of letters, one digit, or a run of anything else that is
// not space. At the end of the text the word is empty.
func nextWord(text string) (word, rest string) {
	text = strings.TrimLeftFunc(text, unicode.IsSpace)
	if text == "" {
		return "", ""
	}
	for _, s := range suffixes {
		if strings.HasPrefix(text, s) {
			return s, text[len(s):]
		}
	}
	first, n := utf8.DecodeRuneInString(text)
	switch {
	case unicode.IsNumber(first):
	case unicode.IsLetter(first):
		n = indexNot(text, unicode.IsLetter)
	default:
		n = indexNot(text, isMark)
	}
	return text[:n], text[n:]
}

// indexNot returns how many bytes of text its longest prefix of such runes has.
func indexNot(text string, such func(rune) bool) int {
	for i, r := range text {
		if !such(r) {
			return i
		}
	}
	return len(text)
}

func isMark(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsSpace(r)
}

// clean prepares a text as CLIP does: repair of common typographic trouble,
// HTML entities unescaped twice, white space collapsed, lower case.
func clean(text string) string {
	text = html.UnescapeString(html.UnescapeString(repair(text)))
	text = strings.Join(strings.Fields(text), " ")
	if isASCII(text) {
		return strings.ToLower(text)
	}
	return cases.Lower(language.Und).String(text) // final sigma, dotted I
}

// repair does what the ftfy library, which CLIP calls first, does most often:
// straight quotes, ligatures and full-width forms spelt out, control
// characters dropped, composed form (NFC). It does not guess wrong encodings.
func repair(text string) string {
	if isASCII(text) && strings.IndexFunc(text, isControl) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == 'ʼ' || r >= '‘' && r <= '‛':
			b.WriteByte('\'')
		case r >= '“' && r <= '‟':
			b.WriteByte('"')
		case r == 'ŉ':
			b.WriteString("'n")
		case r == 'ﬅ':
			b.WriteString("ſt")
		case strings.ContainsRune("ĲĳǱǲǳǄǅǆǇǈǉǊǋǌﬀﬁﬂﬃﬄﬆ", r), r == '\u3000', r >= '\uFF01' && r <= '\uFFEF':
			b.WriteString(norm.NFKC.String(string(r)))
		case !isControl(r):
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}

// isControl says whether r has no meaning in running text: control characters
// that are not white space, byte order marks, interlinear annotation.
func isControl(r rune) bool {
	return r < '\t' || r == '\v' || r > '\r' && r < ' ' || r == 0x7F ||
		r >= '\u206A' && r <= '\u206F' || r == '\uFEFF' || r >= '\uFFF9' && r <= '\uFFFC'
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
