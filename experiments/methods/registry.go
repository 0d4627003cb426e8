package methods

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"spotlighter/spotlight"
)

// Row says what a method of the table is. Its file registers it, so that a new
// method takes one file.
type Row struct {
	Name   string // without a plus sign
	Learns bool   // it is trained
	// Images: it is fed images and makes its own pass of the image encoder of them.
	// Other rows read the frozen encoder's features, which are computed once.
	Images bool
	// Frozen: beside its own pass it reads the frozen encoder's feature of training
	// images (Batch.Frozen).
	Frozen bool
	// Support: it has all training images at once (Classes.Support). Of classes that
	// these do not show it knows nothing, and classifies them as CLIP does.
	Support bool
	// Alone: its classifier holds the classes that it learned and takes no others
	// beside them.
	Alone bool
	// Taught: it learns from a teacher's logits of images of all classes, in place of
	// labels (Batch.Teacher), and classifies by the teacher's class texts.
	Taught bool
	// Section holds the settings that are the row's own.
	Section Section
	// Closed says why, under these settings, what the row learned serves no class but
	// those that it learned, in one line that begins with the setting; "" where it
	// serves others. Nil: it always does.
	Closed func(o Options) string
	// Templates are texts, {} for the class, in which it has the classes encoded by
	// Classes.Encode; nil where there are none.
	Templates func(o Options) []string
	New       func(o Options) Method
}

// Plug is what is put after a plus sign: something that works over methods.
type Plug struct {
	Name    string
	Over    func(r Row) bool // the rows that it works over
	Section Section
	// AllTokens: over rows that do not read images it is fed all of the last block's
	// tokens, as Spotlighter's variant release is, and reads none at test time.
	AllTokens bool
	New       func(base Method, r Row, o Options) (Method, error)
}

// Section is a part of the configuration, under a key of its own beside the
// others.
type Section struct {
	Key     string          // "" where there are no settings
	Default func() Settings // new ones
}

// Settings are a pointer to a struct whose fields have yaml tags: numbers, texts,
// switches, lists and structs of them.
type Settings interface {
	// Validate reports the first setting that cannot work: its key with the section's,
	// what was found and what is wanted.
	Validate() error
}

var (
	rows     = map[string]Row{}
	plugs    = map[string]Plug{}
	sections = map[string]Section{}
)

// Register adds a row to the table.
func Register(r Row) {
	if _, ok := rows[r.Name]; ok {
		panic("methods: two rows have the name " + r.Name)
	}
	rows[r.Name] = r
	addSection(r.Section)
}

// RegisterPlug adds a plug.
func RegisterPlug(p Plug) {
	if _, ok := plugs[p.Name]; ok {
		panic("methods: two plugs have the name " + p.Name)
	}
	plugs[p.Name] = p
	addSection(p.Section)
}

func addSection(s Section) {
	if s.Key != "" { // rows may share one
		sections[s.Key] = s
	}
}

// Names lists all that New knows: the rows, and each with the plugs that work over
// it.
func Names() []string {
	var names []string
	for name, r := range rows {
		names = append(names, name)
		for plug, p := range plugs {
			if p.Over(r) {
				names = append(names, name+"+"+plug)
			}
		}
	}
	slices.Sort(names)
	return names
}

// New returns the method of that name: a row, and what is plugged into it after a
// plus sign.
func New(name string, o Options) (Method, error) {
	base, plug, plugged := strings.Cut(name, "+")
	r, ok := rows[base]
	if !ok || plugged && (plugs[plug].New == nil || !plugs[plug].Over(r)) {
		return nil, fmt.Errorf("method %q: want one of %s", name, strings.Join(Names(), ", "))
	}
	m := r.New(o)
	if plugged {
		return plugs[plug].New(m, r, o)
	}
	return m, nil
}

// of is the row of a method's name, plugged or not.
func of(name string) Row {
	base, _, _ := strings.Cut(name, "+")
	return rows[base]
}

// Learns says whether the method of that name is trained.
func Learns(name string) bool { return of(name).Learns }

// ReadsImages says whether the method of that name is fed images.
func ReadsImages(name string) bool { return of(name).Images }

// ReadsFrozen says whether the method of that name reads the frozen encoder's
// features of training images.
func ReadsFrozen(name string) bool { return !of(name).Images || of(name).Frozen }

// Taught says whether the method of that name learns from a teacher.
func Taught(name string) bool { return of(name).Taught }

// Features is the configuration by which the method of that name has the frozen
// encoder's features made.
func Features(name string, cfg spotlight.Config) spotlight.Config {
	if _, plug, _ := strings.Cut(name, "+"); plugs[plug].AllTokens {
		cfg.Variant = spotlight.Release
	}
	return cfg
}

// Templates are the texts that the method of that name reads the classes in beside
// the context words, {} for the class.
func Templates(name string, o Options) []string {
	if t := of(name).Templates; t != nil {
		return t(o)
	}
	return nil
}

// ReadsSupport says whether the method of that name has all training images at once.
func ReadsSupport(name string) bool { return of(name).Support }

// Alone says whether the method of that name classifies those classes that it
// learned by a classifier that takes no others beside them.
func Alone(name string) bool { return of(name).Alone }

// Closed says why what the method of that name learned serves no class but those
// that it learned, "" where it serves others.
func Closed(name string, o Options) string {
	if c := of(name).Closed; c != nil {
		return c(o)
	}
	return ""
}

// Plugged says whether the method of that name has Spotlighter plugged in.
func Plugged(name string) bool { return strings.HasSuffix(name, "+"+spotlighterName) }

// Sections lists the keys of all sections.
func Sections() []string { return slices.Sorted(maps.Keys(sections)) }

// SectionsOf lists the keys of the sections that methods read.
func SectionsOf(names ...string) []string {
	var keys []string
	for _, name := range names {
		_, plug, _ := strings.Cut(name, "+")
		for _, s := range []Section{of(name).Section, plugs[plug].Section} {
			if s.Key != "" && !slices.Contains(keys, s.Key) {
				keys = append(keys, s.Key)
			}
		}
	}
	slices.Sort(keys)
	return keys
}

// DefaultSettings are new settings of a section.
func DefaultSettings(key string) Settings { return sections[key].Default() }

// settings are those of a section: T is the struct that its Default points to.
func settings[T any](o Options, key string) T {
	s, ok := o.Settings[key]
	if !ok {
		s = DefaultSettings(key)
	}
	return *any(s).(*T)
}
