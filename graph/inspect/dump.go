package inspect

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"spotlighter/graph"
	"spotlighter/internal/atomicfile"
)

// Dump is a Watcher that writes named values as .npy files. Of the
// programs of one title and folder the first writes those of its first Run. Ops run one by one, so that every node has a value.
type Dump struct {
	// Folder is where the files go, DIR/TITLE/NODE.npy; it may change from program
	// to program.
	Folder  string
	Written []string // paths

	wanted  []string // names, or patterns of path.Match
	matched []bool
	seen    map[string]bool // every name that there was
	ran     map[string]bool // folder and title
	first   bool            // the program at work is the first of its title
}

// NewDump writes the nodes of those names. In a pattern * stands for any
// characters but a slash, ? for one.
func NewDump(wanted []string) (*Dump, error) {
	for _, w := range wanted {
		if _, err := path.Match(w, ""); err != nil || w == "" {
			return nil, fmt.Errorf("node %q: want a name or a pattern", w)
		}
	}
	return &Dump{wanted: wanted, matched: make([]bool, len(wanted)), seen: map[string]bool{}, ran: map[string]bool{}}, nil
}

// Plain asks for every op by itself.
func (*Dump) Plain() {}

// Begin writes inputs, variables and constants that are asked for.
func (d *Dump) Begin(p *graph.Program, leaves []graph.Leaf) error {
	at := d.folder(p)
	d.first = !d.ran[at]
	d.ran[at] = true
	for _, l := range leaves {
		_, name, _ := strings.Cut(l.Name, " ") // "input images" is images
		if err := d.write(p, l.Value, l.Name, name); err != nil {
			return err
		}
	}
	return nil
}

// Step writes a result that is asked for.
func (d *Dump) Step(p *graph.Program, s *graph.Step, out graph.Tensor, _ []graph.Tensor, _ time.Time, _ time.Duration) error {
	return d.write(p, out, append([]string{s.Node}, s.Aliases...)...)
}

func (d *Dump) folder(p *graph.Program) string {
	return filepath.Join(d.Folder, cmp.Or(p.Title(), "program"))
}

func (d *Dump) write(p *graph.Program, t graph.Tensor, names ...string) error {
	if !d.first {
		return nil
	}
	for _, name := range names {
		d.seen[name] = true
		hit := false
		for i, w := range d.wanted {
			if ok, _ := path.Match(w, name); ok || w == name {
				hit, d.matched[i] = true, true
			}
		}
		if !hit {
			continue
		}
		file := filepath.Join(d.folder(p), strings.NewReplacer("/", "__", ":", "_", " ", "_").Replace(name)+".npy")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		err := atomicfile.Write(file, func(w io.Writer) error {
			b := bufio.NewWriter(w)
			if err := WriteNPY(b, t); err != nil {
				return err
			}
			return b.Flush()
		})
		if err != nil {
			return err
		}
		d.Written = append(d.Written, file)
	}
	return nil
}

// Missing says which of the names no program had, with the nearest that one had.
func (d *Dump) Missing() error {
	if len(d.ran) == 0 {
		return fmt.Errorf("node %q: no program has run; runs that are done are not run again, but with --force", d.wanted[0])
	}
	for i, w := range d.wanted {
		if d.matched[i] {
			continue
		}
		return fmt.Errorf("node %q: no program that ran has it%s", w, nearest(w, slices.Sorted(maps.Keys(d.seen))))
	}
	return nil
}

// nearest names a few nodes that share the most with the wanted one.
func nearest(want string, have []string) string {
	score := func(s string) int {
		n := 0
		for _, part := range strings.FieldsFunc(want, func(r rune) bool { return strings.ContainsRune("/.:*", r) }) {
			if strings.Contains(s, part) {
				n += len(part)
			}
		}
		return n
	}
	slices.SortStableFunc(have, func(a, b string) int { return score(b) - score(a) })
	have = have[:min(3, len(have))]
	if len(have) == 0 {
		return ""
	}
	return "; it has " + strings.Join(have, ", ") + ", …"
}
