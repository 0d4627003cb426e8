package api

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the listings anew")

// TestListings wants every exported name documented, and every change of one in
// the committed listing. After a change that is meant:
//
//	go test ./internal/api -update
func TestListings(t *testing.T) {
	root := filepath.Join("..", "..")
	if *update {
		written, err := Update(root)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("written: %v", written)
	}
	for _, name := range Packages {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(root, filepath.FromSlash(name))
			p, err := Read(dir, "spotlighter/"+name)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range p.Undocumented {
				t.Errorf("%s.%s has no comment", name, n)
			}
			for _, n := range p.Shapeless {
				if strings.HasPrefix(name, "graph") {
					break // what it does, it does to nodes of any shape
				}
				t.Errorf("%s.%s works on nodes, and its comment tells no shape: brackets, or the word", name, n)
			}
			want, err := os.ReadFile(filepath.Join(dir, File))
			if err != nil {
				t.Fatal(err)
			}
			if diff := lines(string(want), p.Listing); diff != "" {
				t.Errorf("the API is not what %s/api.txt lists:\n%sIf that is meant, go test ./internal/api -update writes it anew.", name, diff)
			}
		})
	}
}

// lines are those that one text has and the other has not.
func lines(was, is string) string {
	count := map[string]int{}
	for l := range strings.Lines(was) {
		count[l]--
	}
	for l := range strings.Lines(is) {
		count[l]++
	}
	var b strings.Builder
	for _, text := range []struct {
		sign, from string
		of         int
	}{{"- ", was, -1}, {"+ ", is, 1}} {
		for l := range strings.Lines(text.from) {
			if count[l]*text.of > 0 {
				b.WriteString(text.sign + l)
				count[l] -= text.of
			}
		}
	}
	if b.Len() == 0 && was != is {
		return "the order of the declarations changed\n"
	}
	return b.String()
}

// TestRead lists a package that has one of everything.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	source := `// Package p is documented.
package p

// T is a type.
type T struct {
	A int // kept
	b int
}

// Node is a node.
type Node struct{}

type U struct{}

// M has a comment; the receiver's type has none.
func (U) M() {}

func (T) N() {}

// Twice doubles x.
func Twice(x *Node) *Node { return x }

// Half halves x [B, N].
func Half(x *Node) *Node { return x }

func hidden() {}

// The letters.
const (
	Alpha = iota
	Beta
)

var Loose = 1
`
	if err := os.WriteFile(filepath.Join(dir, "p.go"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := Read(dir, "p")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(p.Undocumented, " "); got != "Loose T.N U" {
		t.Errorf("undocumented: %q", got)
	}
	if got := strings.Join(p.Shapeless, " "); got != "Twice" {
		t.Errorf("shapeless: %q", got)
	}
	for _, want := range []string{"func Twice(x *Node) *Node\n", "type T struct {\n\tA int\n", "func (U) M()\n", "Alpha = iota\n", "var Loose = 1\n"} {
		if !strings.Contains(p.Listing, want) {
			t.Errorf("no %q in\n%s", want, p.Listing)
		}
	}
	for _, not := range []string{"hidden", "b int", "doubles", "kept", "return"} {
		if strings.Contains(p.Listing, not) {
			t.Errorf("%q in\n%s", not, p.Listing)
		}
	}
	if got := lines("a\nb\n", "a\nc\n"); got != "- b\n+ c\n" {
		t.Errorf("lines: %q", got)
	}
}
