package experiments

import (
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"spotlighter/experiments/methods"
)

// Recipes are what single methods of a grid have otherwise than the rest, by their
// names: a list of overrides ("train.lr=.002"), and of files whose settings count
// as such. A row's recipe is also that of the row with something plugged in, whose
// own counts more, and an override of the command line counts more than both.
type Recipes map[string][]string

const recipesKey = "recipes"

// recipeKeys are the parts of the configuration that a recipe may set, beside the
// methods' own sections; the others belong to the grid as a whole.
var recipeKeys = []string{"train", "spotlight", "text", "prune"}

// ofMethod says whether a recipe may set a key.
func ofMethod(key string) bool {
	part, _, _ := strings.Cut(key, ".")
	return slices.Contains(recipeKeys, part) || slices.Contains(methods.Sections(), part) || key == "clip.templates"
}

// readRecipes puts what the recipes' files say in place of their names.
func (r reader) readRecipes(out *Resolved) error {
	at := out.origins[recipesKey].where
	source := at[:max(0, strings.LastIndex(at, ":"))]
	for _, method := range slices.Sorted(maps.Keys(out.Recipes)) {
		var all []string
		for _, item := range out.Recipes[method] {
			switch {
			case strings.Contains(item, "=") || !isTaskFile(item): // the value of an override may be a file
				all = append(all, item)
			case source == "":
				return fmt.Errorf("%s: %s.%s: a file can be named in a file alone", at, recipesKey, method)
			default:
				said, err := r.settings(filepath.ToSlash(filepath.Join(r.folder(source), item)))
				if err != nil {
					return fmt.Errorf("%s: %s.%s: %w", at, recipesKey, method, err)
				}
				all = append(all, said...)
			}
		}
		out.Recipes[method] = all
	}
	return nil
}

// settings is what a file says of the methods that it is for, as overrides.
func (r reader) settings(path string) ([]string, error) {
	text, err := r.open(path)
	if err != nil {
		return nil, err
	}
	c, origins := Default(), map[string]origin{}
	root := reflect.ValueOf(&c).Elem()
	if err := r.file(text, []string{path}, root, origins); err != nil {
		return nil, err
	}
	var said []string
	for _, key := range slices.Sorted(maps.Keys(origins)) {
		if v := fieldAt(root, key); ofMethod(key) && v.IsValid() && v.Kind() != reflect.Struct {
			said = append(said, key+"="+flow(v.Interface()))
		}
	}
	return said, nil
}

// fieldAt is the field at a key such as "train.lr", the zero Value where there is
// none: an item of a list.
func fieldAt(v reflect.Value, key string) reflect.Value {
	for _, name := range strings.Split(key, ".") {
		if v.Kind() != reflect.Struct {
			return reflect.Value{}
		}
		v, _ = fieldByKey(v, name)
	}
	return v
}

// yield takes what the command line sets out of the recipes.
func (out *Resolved) yield() {
	for method, items := range out.Recipes {
		out.Recipes[method] = slices.DeleteFunc(items, func(item string) bool {
			key, _, _ := strings.Cut(item, "=")
			return strings.HasPrefix(out.origins[key].where, overridePrefix)
		})
	}
}

// validateRecipes wants recipes that work.
func (c Config) validateRecipes() error {
	for _, method := range slices.Sorted(maps.Keys(c.Recipes)) {
		key := recipesKey + "." + method
		if err := oneOf(key, method, methods.Names()); err != nil {
			return err
		}
		for _, item := range c.Recipes[method] {
			if k, _, _ := strings.Cut(item, "="); !ofMethod(k) {
				return fmt.Errorf("%s: %s is for all methods: want keys of %s or of a method's own", key, printable(item), strings.Join(recipeKeys, ", "))
			}
		}
		cell, err := c.with(method)
		if err == nil {
			err = cell.Validate()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

// with is the grid for one method alone, by its recipe.
func (c Config) with(method string) (Config, error) {
	row, _, plugged := strings.Cut(method, "+")
	items := c.Recipes[row]
	if plugged {
		items = slices.Concat(items, c.Recipes[method])
	}
	c.Method, c.Recipes = List[string]{method}, nil
	if len(items) == 0 {
		return c, nil
	}
	c.Sections = c.Sections.clone()
	root := reflect.ValueOf(&c).Elem()
	for _, item := range items {
		if err := (decoder{source: printable(item), origin: map[string]origin{}}).override(item, root); err != nil {
			return c, err
		}
	}
	return c, nil
}

// clone copies the settings, so that one method's can be changed.
func (s Sections) clone() Sections {
	out := Sections{}
	for key, settings := range s {
		v := reflect.New(reflect.TypeOf(settings).Elem())
		v.Elem().Set(reflect.ValueOf(settings).Elem())
		out[key] = v.Interface().(methods.Settings)
	}
	return out
}
