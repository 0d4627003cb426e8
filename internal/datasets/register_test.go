package datasets

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// registerFor adds a data set for one test.
func registerFor(t *testing.T, s Source) {
	before := slices.Clip(layouts)
	t.Cleanup(func() { layouts = before })
	Register(s)
}

func TestRegister(t *testing.T) {
	registerFor(t, Source{Name: "birds", Folder: "birds", Read: func(_ string, l *List) error {
		return errors.Join(l.Add(Train, "a/1.jpg", 0, "ant"), l.Add(Train, "b/1.jpg", 1, "bee"), l.Add(Test, "a/2.jpg", 0, "ant"), l.Add(Test, "b/2.jpg", 1, "bee"))
	}})
	registerFor(t, Source{Name: "shift", Folder: "birds", Read: func(_ string, l *List) error { return l.Add(Test, "a/2.jpg", 0, "ant") }})
	registerFor(t, Source{Name: "odd", Folder: "birds", Read: func(_ string, l *List) error { return l.Add("dev", "a/2.jpg", 0, "ant") }})
	root := t.TempDir()
	put(t, root, map[string]string{"birds/a/1.jpg": "", "birds/a/2.jpg": "", "birds/b/1.jpg": "", "birds/b/2.jpg": ""})
	d := load(t, "birds", root)
	if got, want := rel(t, d, d.Train), []string{"a/1.jpg 0 ant", "b/1.jpg 1 bee"}; !slices.Equal(got, want) {
		t.Errorf("train is %v, want %v", got, want)
	}
	if d := load(t, "shift", root); len(d.Train) != 0 || len(d.Test) != 1 {
		t.Errorf("a data set of test images: %+v", d)
	}
	if _, err := Open("odd", root, 1); err == nil || !strings.Contains(err.Error(), `data set odd: part "dev", want train, val or test`) {
		t.Errorf("a part that there is not: %v", err)
	}
	if !slices.Contains(Names(), "birds") {
		t.Errorf("names are %v", Names())
	}
	for _, name := range []string{"birds", "caltech101", "folder", ""} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was registered", name)
				}
			}()
			Register(Source{Name: name, Folder: "x"})
		}()
	}
}
