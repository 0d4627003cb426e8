package experiments

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// includeKey names the files that a file stands on: one path or a list of them,
// relative to its own folder. They are read first, in their order, so that what
// the file itself says counts.
const includeKey = "include"

// The files that the program carries, as a user who has the sources names them.
const embeddedFolder = "experiments/"

var (
	disk     = reader{open: os.ReadFile, folder: filepath.Dir}
	embedded = reader{folder: path.Dir, open: func(name string) ([]byte, error) {
		return files.ReadFile(strings.TrimPrefix(name, embeddedFolder))
	}}
)

// reader reads a configuration and what it includes.
type reader struct {
	open   func(path string) ([]byte, error)
	folder func(path string) string
}

// origin is where a value comes from.
type origin struct {
	where string // file and line, or the override
	kind  string // put before where for a user
}

// What a user is told of values that the file itself does not set.
const (
	includePrefix  = "include "
	overridePrefix = "override "
)

// Resolved is a Config that knows where each of its values comes from.
type Resolved struct {
	Config
	origins map[string]origin
}

// Resolve is Load, and keeps where each value comes from.
func Resolve(path string, overrides []string) (Resolved, error) { return disk.load(path, overrides) }

// Origin is where the value of a key such as "train.lr" comes from: "default",
// "x.yaml:3", "include base.yaml:3" or "override train.lr=.01".
func (r Resolved) Origin(key string) string {
	o, ok := r.origins[key]
	if !ok {
		return "default"
	}
	return o.kind + o.where
}

// load decodes the file over Default, then the overrides, then validates.
func (r reader) load(path string, overrides []string) (Resolved, error) {
	out := Resolved{Config: Default(), origins: map[string]origin{}}
	root := reflect.ValueOf(&out.Config).Elem()
	text, err := r.open(path)
	if err != nil {
		return Resolved{}, fmt.Errorf("config: %w", err)
	}
	if err := r.file(text, []string{path}, root, out.origins); err != nil {
		return Resolved{}, err
	}
	if err := r.readRecipes(&out); err != nil {
		return Resolved{}, err
	}
	for _, o := range overrides {
		d := decoder{source: overridePrefix + printable(o), origin: out.origins}
		if err := d.override(o, root); err != nil {
			return Resolved{}, err
		}
	}
	out.yield()
	out.setTargets()
	if err := out.Validate(); err != nil {
		key, _, _ := strings.Cut(err.Error(), ":")
		if o, ok := out.origins[key]; ok {
			return Resolved{}, fmt.Errorf("%s: %w", o.where, err)
		}
		return Resolved{}, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// file decodes the last of the open files into root, after those that it includes.
func (r reader) file(text []byte, stack []string, root reflect.Value, origins map[string]origin) error {
	d := decoder{source: stack[len(stack)-1], lines: true, origin: origins}
	if len(stack) > 1 {
		d.kind = includePrefix
	}
	node, err := d.parse(text)
	if err != nil || node == nil {
		return err
	}
	if m, ok := node.(ast.MapNode); ok {
		if err := r.include(d, m, stack, root); err != nil {
			return err
		}
	}
	return d.decode(node, root, "")
}

// include decodes the files that m names.
func (r reader) include(d decoder, m ast.MapNode, stack []string, root reflect.Value) error {
	for pairs := m.MapRange(); pairs.Next(); {
		if keyName(pairs.Key()) != includeKey {
			continue
		}
		var names List[string]
		at := d.where(line(pairs.Value()))
		if err := (decoder{source: d.source, lines: true, origin: map[string]origin{}}).decode(pairs.Value(), reflect.ValueOf(&names).Elem(), includeKey); err != nil {
			return err
		}
		for _, name := range names {
			file := name
			if !filepath.IsAbs(name) {
				file = filepath.ToSlash(filepath.Join(r.folder(d.source), name))
			}
			if slices.Contains(stack, file) {
				return fmt.Errorf("%s: %s: %s includes itself", at, includeKey, printable(name))
			}
			text, err := r.open(file)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", at, includeKey, err)
			}
			if err := r.file(text, append(slices.Clone(stack), file), root, d.origin); err != nil {
				return err
			}
		}
	}
	return nil
}
