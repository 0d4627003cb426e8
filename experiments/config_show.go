package experiments

import (
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

// YAML is the configuration as Config.YAML has it, with where each value comes from beside it.
// Load reads it back to the same values.
func (r Resolved) YAML() []byte {
	var lines [][2]string // the value, its origin
	var walk func(v reflect.Value, key string, depth int)
	walk = func(v reflect.Value, key string, depth int) {
		for _, f := range fields(v) {
			at, indent := join(key, f.key), strings.Repeat("  ", depth)
			if f.value.Kind() == reflect.Struct {
				lines = append(lines, [2]string{indent + f.key + ":"})
				walk(f.value, at, depth+1)
				continue
			}
			lines = append(lines, [2]string{indent + f.key + ": " + flow(f.value.Interface()), r.Origin(at)})
		}
	}
	r.Sections = r.Sections.of(r.Method...)
	walk(reflect.ValueOf(r.Config), "", 0)
	width := 0
	for _, l := range lines {
		if l[1] != "" {
			width = max(width, min(utf8.RuneCountInString(l[0]), 44)) // a long list does not push all to the right
		}
	}
	var b strings.Builder
	for _, l := range lines {
		if l[1] == "" {
			fmt.Fprintln(&b, l[0])
			continue
		}
		fmt.Fprintf(&b, "%-*s  # %s\n", width, l[0], l[1])
	}
	return []byte(b.String())
}

// flow is a value on one line of YAML.
func flow(v any) string {
	text, err := yaml.MarshalWithOptions(v, yaml.Flow(true), yaml.JSON())
	if err != nil {
		panic(err) // no field of the configuration is of a type that cannot be written
	}
	return strings.TrimSpace(string(text))
}
