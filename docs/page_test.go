package docs_test

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// block is what stands between two fences of a page.
type block struct {
	lang string // after the opening fence
	line int    // of the opening fence
	text string
}

// page is a file of Markdown.
type page struct {
	name   string
	prose  []byte // all but the blocks
	blocks []block
}

func readPage(t *testing.T, name string) page {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	p := page{name: name}
	var prose, inside bytes.Buffer
	var at *block
	for i, line := range strings.SplitAfter(string(text), "\n") {
		lang, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && at == nil:
			at = &block{lang: strings.TrimSpace(lang), line: i + 1}
		case fence:
			at.text = inside.String()
			inside.Reset()
			p.blocks = append(p.blocks, *at)
			at = nil
		case at != nil:
			inside.WriteString(line)
		default:
			prose.WriteString(line)
		}
	}
	if at != nil {
		t.Fatalf("%s:%d: a block is not closed", name, at.line)
	}
	p.prose = prose.Bytes()
	return p
}

// path is what the first line of a block of code names, a comment that holds a
// path and nothing else, and the lines after it.
func (b block) path() (path, text string, ok bool) {
	first, rest, _ := strings.Cut(b.text, "\n")
	for _, mark := range []string{"// ", "# "} {
		if path, ok = strings.CutPrefix(first, mark); ok && named.MatchString(path) {
			return path, rest, true
		}
	}
	return "", "", false
}

var named = regexp.MustCompile(`^[\w./-]+\.\w+$`)

// command is a line of a console block after "$ ", and what is shown below it.
type command struct {
	line  int
	shell string
	shown []string
}

func (b block) commands() (all []command, err error) {
	more := false // the command goes on in the next line
	for i, line := range strings.Split(strings.TrimSuffix(b.text, "\n"), "\n") {
		shell, begins := strings.CutPrefix(line, "$ ")
		switch {
		case more:
			all[len(all)-1].shell += "\n" + line
			more = strings.HasSuffix(line, `\`)
		case begins:
			all = append(all, command{line: b.line + 1 + i, shell: shell})
			more = strings.HasSuffix(shell, `\`)
		case len(all) == 0:
			return nil, fmt.Errorf("line %d: output before the first command", b.line+1+i)
		default:
			all[len(all)-1].shown = append(all[len(all)-1].shown, line)
		}
	}
	return all, nil
}

var exitCode = regexp.MustCompile(`^\[exit code (\d+)\]$`)

// misses is the first shown line that an output does not have after those above
// it, "" where it has all. A line "..." and dots in a line stand for anything; so
// do runs of spaces for one another.
func (c command) misses(output string, code int) string {
	want := 0
	lines := strings.Split(output, "\n")
	for _, shown := range c.shown {
		if m := exitCode.FindStringSubmatch(shown); m != nil {
			_, _ = fmt.Sscan(m[1], &want) // digits
			continue
		}
		if strings.TrimSpace(shown) == "..." || strings.TrimSpace(shown) == "" {
			continue
		}
		pattern := regexp.QuoteMeta(strings.Join(strings.Fields(shown), " "))
		like := regexp.MustCompile("^" + strings.ReplaceAll(pattern, `\.\.\.`, ".*") + "$")
		at := 0
		for at < len(lines) && !like.MatchString(strings.Join(strings.Fields(lines[at]), " ")) {
			at++
		}
		if at == len(lines) {
			return shown
		}
		lines = lines[at+1:]
	}
	if code != want {
		return fmt.Sprintf("[exit code %d]", want)
	}
	return ""
}
