package graph

import (
	"fmt"
	"sort"
	"strings"
)

// Kind says who may change a variable.
type Kind int

const (
	Frozen    Kind = iota // never: a pretrained weight, a constant
	Trainable             // the optimiser
	State                 // a program's updates: bank, momentum, running mean
)

// String is the kind in a word.
func (k Kind) String() string { return [...]string{"frozen", "trainable", "state"}[k] }

// Variable is a named value that lives from run to run and may be shared by
// several graphs. Its Value is without elements until it is initialised or loaded,
// and while a device has a newer one (see Store.Sync).
type Variable struct {
	Name  string
	Kind  Kind
	Type  Type
	Value Tensor

	packs     packs
	residence residence
}

func (v *Variable) ready() bool { return v.Value.filled() || v.residence.newer }

// Store holds variables by full name, such as "visual.proj". Graphs made over
// one store share them.
type Store struct {
	base *Store
	on   Device
	vars map[string]*Variable
}

// NewStore returns an empty store. Names that it does not hold are looked up in
// base, which may be nil: many runs can share one set of frozen weights.
func NewStore(base *Store) *Store { return &Store{base: base, vars: map[string]*Variable{}} }

// Find returns the variable of that name, or nil.
func (s *Store) Find(name string) *Variable {
	if v := s.vars[name]; v != nil || s.base == nil {
		return v
	}
	return s.base.Find(name)
}

// Variables lists the store's own variables by name.
func (s *Store) Variables() []*Variable {
	vs := make([]*Variable, 0, len(s.vars))
	for _, v := range s.vars {
		vs = append(vs, v)
	}
	sort.Slice(vs, func(i, j int) bool { return vs[i].Name < vs[j].Name })
	return vs
}

// Set makes t the value of a variable of this store, whatever base holds.
func (s *Store) Set(name string, kind Kind, t Tensor) {
	s.vars[name] = &Variable{Name: name, Kind: kind, Type: Type{t.Shape, t.Dtype}, Value: t}
}

// Load gives the store's variables, declared by a graph, their values. The
// names must be exactly those of the store and every shape must fit; the error
// lists all that are unknown, missing or misshapen. Nothing is changed then.
// Frozen variables share the tensors' memory, the others have copies.
func (s *Store) Load(values map[string]Tensor) error {
	var unknown, missing, wrong []string
	for name := range values {
		if s.vars[name] == nil {
			unknown = append(unknown, name)
		}
	}
	for name, v := range s.vars {
		t, ok := values[name]
		switch {
		case !ok:
			missing = append(missing, name)
		case !sameShape(t.Shape, v.Type.Shape):
			wrong = append(wrong, fmt.Sprintf("%s is %v, want %v", name, t.Shape, v.Type.Shape))
		case (t.Dtype == Int) != (v.Type.Dtype == Int):
			wrong = append(wrong, fmt.Sprintf("%s is %v, want %v", name, t.Dtype, v.Type.Dtype))
		}
	}
	var what []string
	for _, p := range []struct {
		title string
		names []string
	}{{"unknown", unknown}, {"missing", missing}, {"misshapen", wrong}} {
		if len(p.names) > 0 {
			sort.Strings(p.names)
			what = append(what, fmt.Sprintf("%s: %s", p.title, strings.Join(p.names, ", ")))
		}
	}
	if len(what) > 0 {
		return &Error{What: "tensors do not fit the model: " + strings.Join(what, "; ")}
	}
	for name, v := range s.vars {
		t := values[name].Convert(v.Type.Dtype)
		if v.Kind != Frozen {
			t = t.clone()
		}
		v.Value = t
	}
	return nil
}
