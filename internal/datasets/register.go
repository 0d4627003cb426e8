package datasets

import (
	"fmt"
	"slices"
)

// Source is a data set beside the published ones. Its file registers it, so that
// a new data set takes one file.
type Source struct {
	Name   string    // that configurations call it by
	Folder string    // its own, below the common root
	Size   Size      // as it should be; zero where that is not known
	Steps  [3]string // what to bring from where, how to lay it out
	// Read lists the images of the folder dir. An error should name the file and the
	// line at fault; a missing file may be returned as os.Open gives it.
	Read func(dir string, l *List) error
}

// Register makes a data set known to Load. Call it before anything else runs; it
// panics if the name is taken.
func Register(s Source) {
	if s.Name == "" || s.Folder == "" || Known(s.Name) {
		panic(fmt.Sprintf("datasets: the name %q is taken, or it or the folder is empty", s.Name))
	}
	layouts = append(layouts, layout{name: s.Name, folder: s.Folder, size: s.Size, steps: s.Steps, read: func(r request) (*Dataset, error) {
		b := newBuilder(r.dir)
		if err := s.Read(r.dir, &List{b}); err != nil {
			return nil, err
		}
		if len(b.Train) == 0 { // only for testing what was learned elsewhere
			return b.finish(Test)
		}
		return b.finish(Train, Test)
	}})
}

// The parts of a data set.
const (
	Train = "train"
	Val   = "val"
	Test  = "test"
)

// List collects the images of a data set.
type List struct{ b *builder }

// Add notes an image of the part of that name: its path, relative to the data set's folder and
// with slashes, and its class. Labels count from 0 without a gap, in the order in
// which protocols divide the classes: the first half are the base classes.
func (l *List) Add(name, path string, label int, class string) error {
	parts := l.b.parts()
	i := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
	if i < 0 {
		return fmt.Errorf("part %q, want %s, %s or %s", name, Train, Val, Test)
	}
	return l.b.add(parts[i].items, path, label, class)
}
