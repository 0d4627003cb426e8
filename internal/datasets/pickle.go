package datasets

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/types"
)

// The published code keeps lists of images as pickles of Dassl's Datum objects,
// {"train": [...], "val": [...]}. They are read as data: of all classes only
// Datum is let in, and it is no code.

// datum is an image of such a list. path is relative to the data set's folder.
type datum struct {
	path, class string
	label       int
}

// datumClass makes a datum wherever the pickle makes a Datum.
type datumClass struct{ folder string }

func (c datumClass) PyNew(...any) (any, error) { return &pickledDatum{folder: c.folder}, nil }

type pickledDatum struct {
	datum
	folder string
}

// PySetState takes the object's attributes.
func (d *pickledDatum) PySetState(state any) error {
	attributes, ok := state.(*types.Dict)
	if !ok {
		return fmt.Errorf("a Datum with the state %T", state)
	}
	var path string
	for _, a := range *attributes {
		ok := true
		switch a.Key {
		case "_impath":
			path, ok = a.Value.(string)
		case "_label":
			d.label, ok = a.Value.(int)
		case "_classname":
			d.class, ok = a.Value.(string)
		}
		if !ok {
			return fmt.Errorf("a Datum whose %v is a %T", a.Key, a.Value)
		}
	}
	var err error
	d.path, err = below(d.folder, path)
	return err
}

// below cuts off what is above the data set's folder, which was another one where
// the pickle was written.
func below(folder, file string) (string, error) {
	file = strings.ReplaceAll(file, `\`, "/")
	mark := "/" + filepath.ToSlash(folder) + "/"
	at := strings.LastIndex(file, mark)
	if at < 0 {
		return "", fmt.Errorf("image %q is in no folder %s", file, folder)
	}
	return path.Clean(file[at+len(mark):]), nil
}

// readPickle reads the lists of a pickle, by name. folder is the name of the data
// set's folder.
func readPickle(file, folder string) (lists map[string][]datum, err error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("pickle: %w", err)
	}
	defer f.Close()
	defer func() { // the reader trusts the lengths that it reads
		if r := recover(); r != nil {
			err = fmt.Errorf("pickle %s: damaged: %v", file, r)
		}
	}()
	u := pickle.NewUnpickler(bufio.NewReader(f))
	u.FindClass = func(module, name string) (any, error) {
		if name == "Datum" {
			return datumClass{folder}, nil
		}
		return nil, fmt.Errorf("found a %s.%s, wanted lists of Dassl's Datum", module, name)
	}
	value, err := u.Load()
	if err != nil {
		return nil, fmt.Errorf("pickle %s: %w", file, err)
	}
	top, ok := value.(*types.Dict)
	if !ok {
		return nil, fmt.Errorf("pickle %s: found a %T, wanted a dict of lists", file, value)
	}
	lists = map[string][]datum{}
	for _, entry := range *top {
		name, ok := entry.Key.(string)
		list, ok2 := entry.Value.(*types.List)
		if !ok || !ok2 {
			return nil, fmt.Errorf("pickle %s: found %v: %T, wanted a dict of lists", file, entry.Key, entry.Value)
		}
		data := make([]datum, len(*list))
		for i, x := range *list {
			d, ok := x.(*pickledDatum)
			if !ok {
				return nil, fmt.Errorf("pickle %s: %s[%d]: found a %T, wanted a Datum", file, name, i, x)
			}
			data[i] = d.datum
		}
		lists[name] = data
	}
	return lists, nil
}

// takeFrom makes the images of a few-shot pickle the data set's training and
// validation images. They must be among those that it has.
func (d *Dataset) takeFrom(file string) error {
	lists, err := readPickle(file, filepath.Base(d.Folder))
	if err != nil {
		return err
	}
	if len(lists["train"]) == 0 {
		return fmt.Errorf("pickle %s: no images in a list \"train\"", file)
	}
	for _, part := range d.parts()[:2] {
		data, ok := lists[part.name]
		if !ok { // ImageNet's has no validation images
			continue
		}
		items, err := d.match(data, *part.items, d.Folder)
		if err != nil {
			return fmt.Errorf("pickle %s: %s%w; without the file they are sampled anew", file, part.name, err)
		}
		*part.items = items
	}
	return nil
}

// match finds the images of a list among items. The error begins with the place
// in the list.
func (d *Dataset) match(data []datum, items []Item, folder string) ([]Item, error) {
	known := make(map[string]int, len(items))
	for i, item := range items {
		known[item.Path] = i
	}
	out := make([]Item, len(data))
	for i, x := range data {
		at, ok := known[filepath.Join(folder, filepath.FromSlash(x.path))]
		if !ok {
			return nil, fmt.Errorf("[%d]: image %s is not among those of the data set", i, x.path)
		}
		out[i] = items[at]
		if class := d.Classes[out[i].Label]; x.label != out[i].Label || x.class != class {
			return nil, fmt.Errorf("[%d]: image %s has label %d, %q, wanted %d, %q", i, x.path, x.label, x.class, out[i].Label, class)
		}
	}
	return out, nil
}
