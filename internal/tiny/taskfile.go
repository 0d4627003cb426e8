package tiny

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed tasks.yaml
var embeddedTasks []byte

var tasks = mustReadTasks()

func mustReadTasks() []Task {
	var entries []yaml.MapSlice
	if err := yaml.Unmarshal(embeddedTasks, &entries); err != nil {
		panic(err) // part of the program, so a test would have met it
	}
	var all []Task
	for _, entry := range entries {
		task, err := newTask(entry)
		if err != nil {
			panic(err)
		}
		all = append(all, task)
	}
	return all
}

// Tasks are the embedded ones: clutter, dusk and fog, then tuning-1 to tuning-4.
func Tasks() []Task { return slices.Clone(tasks) }

// FindTask is the embedded task of that name, or the one in the YAML file at
// that path. A file's error is one line that names the file and the key.
func FindTask(name string) (Task, error) {
	var known []string
	for _, t := range tasks {
		if t.Name == name {
			return t, nil
		}
		known = append(known, t.Name)
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return Task{}, fmt.Errorf("task %q: neither a file nor one of %s", name, strings.Join(known, ", "))
	}
	if err != nil {
		return Task{}, fmt.Errorf("task: %w", err)
	}
	var entry yaml.MapSlice
	documents := yaml.NewDecoder(bytes.NewReader(text))
	if err := documents.Decode(&entry); err != nil && err != io.EOF {
		return Task{}, fmt.Errorf("%s: want one task: %s", name, shortYAML(err))
	}
	if err := documents.Decode(new(any)); err != io.EOF {
		return Task{}, fmt.Errorf("%s: want one task: found a second document", name)
	}
	task, err := newTask(entry)
	if err != nil {
		return Task{}, fmt.Errorf("%s: %w", name, err)
	}
	return task, nil
}

// shortYAML is the library's message without the excerpt of the file below it.
func shortYAML(err error) string {
	var located yaml.Error
	if errors.As(err, &located) {
		return fmt.Sprintf("line %d: %s", located.GetToken().Position.Line, located.GetMessage())
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// newTask reads a mapping strictly: the library's own decoder would turn text
// into numbers and drop fractions in silence.
func newTask(entry yaml.MapSlice) (Task, error) {
	t := Task{Cast: [3]float64{1, 1, 1}}
	fields := map[string]any{
		"name": &t.Name, "seed": &t.Seed, "pool": &t.Pool, "class_seed": &t.ClassSeed, "first": &t.First, "classes": &t.Classes,
		"fragments": t.Fragments[:], "object_radius": t.ObjectRadius[:], "fragment_radius": t.FragmentRadius[:],
		"rotation": &t.Rotation, "styles": &t.Styles, "strength": &t.Strength, "cast": t.Cast[:],
	}
	missing := []string{"name", "seed", "pool", "class_seed", "first", "classes", "fragments", "object_radius", "fragment_radius", "rotation"}
	for _, item := range entry {
		key := fmt.Sprint(item.Key)
		field, ok := fields[key]
		if !ok {
			return Task{}, fmt.Errorf("%s: unknown key", key)
		}
		if err := assign(field, item.Value); err != nil {
			return Task{}, fmt.Errorf("%s: %w", key, err)
		}
		missing = slices.DeleteFunc(missing, func(m string) bool { return m == key })
	}
	if len(missing) > 0 {
		return Task{}, fmt.Errorf("%s: missing", missing[0])
	}
	return t, t.validate()
}

// assign sets a field, a pointer or a slice of fixed length, to a value of just its type.
func assign(field, value any) error {
	ok, want := false, ""
	switch f := field.(type) {
	case *string:
		want = "text"
		*f, ok = value.(string)
	case *uint64:
		want = "a whole number, 0 or more"
		*f, ok = value.(uint64)
	case *int:
		var n uint64
		want = "a whole number, 0 or more"
		n, ok = value.(uint64)
		*f = int(min(n, math.MaxInt32))
	case *float64:
		want = "a number"
		*f, ok = number(value)
	case *[]string:
		want = "a list of text"
		var list []any
		list, ok = value.([]any)
		for _, item := range list {
			var s string
			if err := assign(&s, item); err != nil {
				return err
			}
			*f = append(*f, s)
		}
	case []int:
		return assignList(f, value)
	case []float64:
		return assignList(f, value)
	}
	if value == nil {
		value = "nothing"
	}
	if !ok {
		return fmt.Errorf("found %v, want %s", value, want)
	}
	return nil
}

// assignList fills a list of fixed length.
func assignList[T any](f []T, value any) error {
	list, ok := value.([]any)
	if !ok || len(list) != len(f) {
		return fmt.Errorf("found %v, want a list of %d numbers", value, len(f))
	}
	for i := range f {
		if err := assign(&f[i], list[i]); err != nil {
			return err
		}
	}
	return nil
}

func number(value any) (float64, bool) {
	switch v := value.(type) {
	case uint64:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// validate refuses numbers that make no picture, naming the key.
func (t Task) validate() error {
	pool, ok := pools[t.Pool]
	switch {
	case t.Name == "":
		return errors.New("name: found none, want text")
	case !ok:
		return fmt.Errorf("pool: found %q, want held or train", t.Pool)
	case t.Classes%2 != 0:
		return fmt.Errorf("classes: found %d, want an even number: half are base, half novel", t.Classes)
	case len(t.Styles) == 0 && t.Strength != 0:
		return fmt.Errorf("strength: found %v without styles", t.Strength)
	case len(t.Styles) > 0 && t.Strength == 0:
		return errors.New("strength: missing beside styles")
	}
	for i, s := range t.Styles {
		if s == styles[0] || !slices.Contains(styles, s) {
			return fmt.Errorf("styles: found %q, want any of %s", s, strings.Join(styles[1:], ", "))
		}
		if slices.Contains(t.Styles[:i], s) {
			return fmt.Errorf("styles: found %q twice", s)
		}
	}
	for _, check := range []struct {
		key       string
		low, high float64
		values    []float64
	}{
		{"classes", 2, float64(len(pool)), []float64{float64(t.Classes)}},
		{"first", 0, float64(len(pool) - t.Classes), []float64{float64(t.First)}},
		{"fragments", 0, 64, []float64{float64(t.Fragments[0]), float64(t.Fragments[1])}},
		{"object_radius", 2, Size / 2, t.ObjectRadius[:]},
		{"fragment_radius", 1, Size / 2, t.FragmentRadius[:]},
		{"rotation", 0, math.Pi, []float64{t.Rotation}},
		{"strength", 0, 1.5, []float64{t.Strength}},
		{"cast", 0, 4, t.Cast[:]},
	} {
		for _, v := range check.values {
			if !(v >= check.low && v <= check.high) { // also refuses NaN
				return fmt.Errorf("%s: found %v, want %v to %v", check.key, v, check.low, check.high)
			}
		}
		if len(check.values) == 2 && check.values[0] > check.values[1] {
			return fmt.Errorf("%s: found %v, want the lesser first", check.key, check.values)
		}
	}
	return nil
}
