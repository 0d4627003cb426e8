package graph

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
)

// Scope declares inputs and named variables of one graph. Sub scopes prefix
// the names, so that a model's variables form a tree.
type Scope struct {
	*shared
	path []string
}

// shared is what all scopes of a graph have in common.
type shared struct {
	graph  *gorgonia.ExprGraph
	store  *Store
	dtype  Dtype
	build  *builder
	vars   map[string]*Node // by full name, each declared once a graph
	order  []*Variable
	consts map[*Node]Tensor
	inputs map[string]*Node
	labels map[*Node]string // by Label
	watch  []Watcher
	title  string // of programs, to those who watch them
}

// New returns the root scope of an empty graph whose variables live in store
// and whose floats are of the given type.
func New(store *Store, dtype Dtype) *Scope {
	g := gorgonia.NewGraph()
	return &Scope{shared: &shared{
		graph: g, store: store, dtype: dtype, build: newBuilder(g),
		vars: map[string]*Node{}, consts: map[*Node]Tensor{}, inputs: map[string]*Node{}, labels: map[*Node]string{},
	}}
}

// Sub returns the scope one level down.
func (s *Scope) Sub(name string) *Scope {
	return &Scope{shared: s.shared, path: append(slices.Clone(s.path), name)}
}

// Enter makes s the layer that nodes are said to be of, in errors and in the
// summary, until the function it returns is called:
//
//	defer s.Enter()()
func (s *Scope) Enter() (leave func()) {
	before := s.build.path
	s.build.path = s.path
	return func() { s.build.path = before }
}

// Dtype is the graph's float type.
func (s *Scope) Dtype() Dtype { return s.dtype }

// Graph is the Gorgonia graph under the scope.
func (s *Scope) Graph() *gorgonia.ExprGraph { return s.graph }

// Store holds the values of the graph's variables.
func (s *Scope) Store() *Store { return s.store }

func (s *Scope) name(name string) string {
	return strings.Join(append(slices.Clone(s.path), name), ".")
}

// Input declares a value that each Run is fed, by its full name.
func (s *Scope) Input(name string, dtype Dtype, shape ...int) *Node {
	name = s.name(name)
	if s.inputs[name] != nil {
		refuse("input %s is declared twice", name)
	}
	n := s.leaf("input "+name, Type{shape, dtype})
	s.inputs[name] = n
	return n
}

// Var declares a variable, or finds it when this graph or another one over the
// same store has declared it, and returns its node. Without an init its value
// must be loaded before Compile.
func (s *Scope) Var(name string, kind Kind, init Init, shape ...int) *Node {
	name = s.name(name)
	if n := s.vars[name]; n != nil {
		if !sameShape(TypeOf(n).Shape, shape) {
			refuse("variable %s is declared as %v and as %v", name, TypeOf(n).Shape, Shape(shape))
		}
		return n
	}
	v := s.store.Find(name)
	if v == nil {
		v = &Variable{Name: name, Kind: kind, Type: Type{Shape(shape).Clone(), s.dtype}}
		if init != nil {
			v.Value = NewTensor(Float32, shape...)
			init(name, v.Value.F32)
			v.Value = v.Value.Convert(s.dtype)
		}
		s.store.vars[name] = v
	}
	switch {
	case !sameShape(v.Type.Shape, shape):
		refuse("variable %s is %v, this graph wants %v", name, v.Type.Shape, Shape(shape))
	case v.Kind != kind:
		refuse("variable %s is %v, this graph wants it %v", name, v.Kind, kind)
	case v.Type.Dtype != s.dtype && v.Type.Dtype != Int:
		refuse("variable %s is %v, this graph computes in %v", name, v.Type.Dtype, s.dtype)
	}
	n := s.leaf("variable "+name, v.Type)
	s.vars[name] = n
	s.order = append(s.order, v)
	return n
}

// Unfreeze makes a variable that this graph declared frozen trainable, and
// returns it: a pretrained weight that a method tunes. The graph's own store gets
// it, with a copy of the frozen value, unless it holds it already: from another
// graph over that store, or loaded. The frozen one is left as it is.
func (s *Scope) Unfreeze(name string) *Variable {
	name = s.name(name)
	at := slices.IndexFunc(s.order, func(v *Variable) bool { return v.Name == name })
	if at < 0 {
		refuse("variable %s is not declared by this graph", name)
	}
	v := s.store.vars[name]
	if v == nil || v.Kind == Frozen {
		from := s.order[at]
		if !from.ready() {
			refuse("variable %s has no value to start from", name)
		}
		v = &Variable{Name: name, Kind: Trainable, Type: from.Type, Value: from.Value.clone()}
		s.store.vars[name] = v
	}
	s.order[at] = v
	return v
}

// Find returns the variable of that name in this scope, or nil.
func (s *Scope) Find(name string) *Variable { return s.store.Find(s.name(name)) }

// Const declares a value that never changes and has no name to be loaded by:
// a mask, a smoothing matrix.
func (s *Scope) Const(t Tensor) *Node {
	t = t.Convert(s.dtype)
	n := s.leaf(fmt.Sprintf("constant %d", len(s.consts)), Type{t.Shape, t.Dtype})
	s.consts[n] = t
	return n
}

// Variables lists the variables that this graph declared, in that order.
func (s *Scope) Variables() []*Variable { return slices.Clone(s.order) }

// Trainables lists the trainable variables that this graph declared.
func (s *Scope) Trainables() []*Variable {
	return slices.DeleteFunc(s.Variables(), func(v *Variable) bool { return v.Kind != Trainable })
}

// Node returns the node of a variable that this graph declared.
func (s *Scope) Node(v *Variable) *Node {
	n := s.vars[v.Name]
	if n == nil {
		refuse("variable %s is not declared by this graph", v.Name)
	}
	return n
}

func (s *shared) leaf(name string, t Type) *Node {
	if len(t.Shape) == 0 {
		return gorgonia.NewScalar(s.graph, t.Dtype, gorgonia.WithName(name))
	}
	return gorgonia.NewTensor(s.graph, t.Dtype, len(t.Shape), gorgonia.WithShape(t.Shape...), gorgonia.WithName(name))
}

func sameShape(a, b Shape) bool { return slices.Equal(a, b) }

// Init fills a new variable. It is told the full name, so that a seeded one
// does not depend on the order of declaration.
type Init func(name string, dst []float32)

// Zeros leaves the variable at zero.
func Zeros(string, []float32) {}

// Fill starts every element at v.
func Fill(v float32) Init {
	return func(_ string, dst []float32) {
		for i := range dst {
			dst[i] = v
		}
	}
}

// Values starts from a copy of data.
func Values(data []float32) Init {
	return func(name string, dst []float32) {
		if len(data) != len(dst) {
			refuse("variable %s has %d elements, %d start values were given", name, len(dst), len(data))
		}
		copy(dst, data)
	}
}

// Normal draws from a normal distribution of mean 0, from a generator of the
// seed and the variable's name.
func Normal(seed uint64, std float64) Init {
	return drawn(seed, func(r *rand.Rand) float64 { return r.NormFloat64() * std })
}

// Uniform draws from [low, high), from a generator of the seed and the
// variable's name.
func Uniform(seed uint64, low, high float64) Init {
	return drawn(seed, func(r *rand.Rand) float64 { return low + (high-low)*r.Float64() })
}

func drawn(seed uint64, draw func(*rand.Rand) float64) Init {
	return func(name string, dst []float32) {
		h := fnv.New64a()
		h.Write([]byte(name))
		r := rand.New(rand.NewPCG(seed, h.Sum64()))
		for i := range dst {
			dst[i] = float32(draw(r))
		}
	}
}
