package experiments

import (
	"encoding/json"
	"reflect"
	"strings"

	"spotlighter/experiments/methods"
)

// Sections are the settings of methods, by their keys, which stand beside the
// others of the configuration: a method brings its own and this package knows of
// none.
type Sections map[string]methods.Settings

// defaultSections are all sections with their defaults.
func defaultSections() Sections {
	s := Sections{}
	for _, key := range methods.Sections() {
		s[key] = methods.DefaultSettings(key)
	}
	return s
}

// of are the sections that methods read.
func (s Sections) of(names ...string) Sections {
	read := Sections{}
	for _, key := range methods.SectionsOf(names...) {
		read[key] = s[key]
	}
	return read
}

// hashed are those of the methods' sections that change a number. A section that
// has nothing to write down as JSON is as if it were not there: the settings of a
// method that was there before its section can be left out where they are the
// defaults.
func (s Sections) hashed(names ...string) Sections {
	read := s.of(names...)
	for key, settings := range read {
		if text, err := json.Marshal(settings); err == nil && string(text) == "{}" {
			delete(read, key)
		}
	}
	return read
}

// validate reports the first setting that cannot work.
func (s Sections) validate() error {
	for _, key := range methods.Sections() {
		if settings, ok := s[key]; ok {
			if err := settings.Validate(); err != nil {
				return err
			}
		}
	}
	return nil
}

// field is a setting, or a group of them, by its YAML name.
type field struct {
	key   string
	value reflect.Value
}

// fields lists what a struct of the configuration holds, in order: its fields, and
// in place of Sections what is in them.
func fields(v reflect.Value) []field {
	var all []field
	for i := range v.NumField() {
		if s, ok := v.Field(i).Interface().(Sections); ok {
			for _, key := range methods.Sections() {
				if settings, ok := s[key]; ok {
					all = append(all, field{key, reflect.ValueOf(settings).Elem()})
				}
			}
			continue
		}
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		all = append(all, field{key, v.Field(i)})
	}
	return all
}
