package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unsafe"
)

// What earlier runs of the published code left in a data set's folder.

// readPickle reads the lists of a pickle, by name.
func readPickle(file string) (map[string][]*datum, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("pickle: %w", err)
	}
	value, err := unpickle(unsafe.String(unsafe.SliceData(content), len(content))) // content is not changed any more
	if err != nil {
		return nil, fmt.Errorf("pickle %s: %w", file, err)
	}
	top, ok := value.(*dict)
	if !ok {
		return nil, fmt.Errorf("pickle %s: found a %T, wanted a dict of lists", file, value)
	}
	lists := map[string][]*datum{}
	for i := 0; i < len(top.pairs); i += 2 {
		name, ok := top.pairs[i].(string)
		l, ok2 := top.pairs[i+1].(*list)
		if !ok || !ok2 {
			return nil, fmt.Errorf("pickle %s: found %v: %T, wanted a dict of lists", file, top.pairs[i], top.pairs[i+1])
		}
		data := make([]*datum, len(l.items))
		for j, x := range l.items {
			if data[j], ok = x.(*datum); !ok {
				return nil, fmt.Errorf("pickle %s: %s[%d]: found a %T, wanted a Datum", file, name, j, x)
			}
		}
		lists[name] = data
	}
	return lists, nil
}

// takeFrom makes the images of a few-shot pickle the data set's training and
// validation images. They must be among those that it has.
func (d *Dataset) takeFrom(file string) error {
	lists, err := readPickle(file)
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

// match finds the images of a list among items of the data set in folder. The
// error begins with the place in the list.
func (d *Dataset) match(data []*datum, items []Item, folder string) ([]Item, error) {
	known := make(map[string]int32, len(items))
	for i, item := range items {
		known[item.Path] = int32(i)
	}
	out := make([]Item, len(data))
	for i, x := range data {
		file, err := below(filepath.Base(folder), x.path)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		at, ok := known[filepath.Join(folder, filepath.FromSlash(file))]
		if !ok {
			return nil, fmt.Errorf("[%d]: image %s is not among those of the data set", i, file)
		}
		out[i] = items[at]
		if class := d.Classes[out[i].Label]; x.label != out[i].Label || x.class != class {
			return nil, fmt.Errorf("[%d]: image %s has label %d, %q, wanted %d, %q", i, file, x.label, x.class, out[i].Label, class)
		}
	}
	return out, nil
}

// below cuts off what is above the data set's folder, which was another one where
// the pickle was written.
func below(folder, file string) (string, error) {
	file = strings.ReplaceAll(file, `\`, "/")
	mark := "/" + folder + "/"
	at := strings.LastIndex(file, mark)
	if at < 0 {
		return "", fmt.Errorf("image %q is in no folder %s", file, folder)
	}
	return path.Clean(file[at+len(mark):]), nil
}
