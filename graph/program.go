package graph

import (
	"context"
	"fmt"
	"sort"

	"gorgonia.org/gorgonia"

	"spotlighter/graph/cpu"
)

// Program is a compiled graph, on the CPU or on its store's device. It is not safe
// for concurrent use; programs of different graphs are.
type Program struct {
	plan    *plan
	ctx     *Ctx
	values  []Tensor   // by value
	in      [][]Tensor // operands by step, refreshed where a leaf is among them
	fed     []feed
	vars    []binding
	outputs map[string]int
	updates []update
	before  map[int]Tensor // copies of values that are the memory of a variable with an update
	work    []work         // by step
	warm    bool           // it has run: scratch memory has its size, and work can be kept
	loaded  *loaded        // the program on a device; nil on the CPU
	watched *watched       // nil when nobody watches
	title   string
	held    map[int]Tensor // by value, nil until Hold
}

type feed struct {
	name  string
	value int
}

type binding struct {
	v     *Variable
	value int
}

type update struct {
	v     *Variable
	value int
}

// Compile makes a program that computes the named outputs and then writes the
// updates. Every variable it reads must have its value by the first Run.
func (s *Scope) Compile(pool *cpu.Pool, outputs map[string]*Node, updates ...Update) (*Program, error) {
	return s.CompileWith(Options{}, pool, outputs, updates...)
}

// CompileWith is Compile with options.
func (s *Scope) CompileWith(o Options, pool *cpu.Pool, outputs map[string]*Node, updates ...Update) (*Program, error) {
	names := make([]string, 0, len(outputs))
	for name := range outputs {
		names = append(names, name)
	}
	sort.Strings(names)
	var nodes []*Node
	for _, name := range names {
		if n := outputs[name]; n == nil || n.Graph() != s.graph {
			return nil, &Error{What: fmt.Sprintf("output %s is missing or of another graph", name)}
		}
		nodes = append(nodes, outputs[name])
	}
	written := map[*Variable]bool{}
	for _, u := range updates {
		if u.Value == nil || u.Value.Graph() != s.graph {
			return nil, &Error{What: fmt.Sprintf("the update of variable %s is missing or of another graph", u.Var.Name)}
		}
		switch got := TypeOf(u.Value); {
		case u.Var.Kind == Frozen:
			return nil, &Error{What: fmt.Sprintf("variable %s is frozen and cannot be updated", u.Var.Name)}
		case written[u.Var]:
			return nil, &Error{What: fmt.Sprintf("variable %s is updated twice", u.Var.Name)}
		case !sameShape(got.Shape, u.Var.Type.Shape):
			return nil, &Error{What: fmt.Sprintf("variable %s is %v, its update is %v", u.Var.Name, u.Var.Type.Shape, got.Shape)}
		case got.Dtype != u.Var.Type.Dtype:
			return nil, &Error{What: fmt.Sprintf("variable %s is %v, its update is %v", u.Var.Name, u.Var.Type.Dtype, got.Dtype)}
		}
		written[u.Var] = true
		nodes = append(nodes, u.Value)
	}
	if o.Fixed && len(updates) > 0 {
		return nil, &Error{What: fmt.Sprintf("variable %s is updated by a program that holds variables to be fixed", updates[0].Var.Name)}
	}
	o.Plain = o.Plain || s.watchedPlain()
	pl, err := makePlan(s, nodes, o)
	if err != nil {
		return nil, err
	}
	p := &Program{plan: pl, ctx: &Ctx{Pool: pool}, outputs: map[string]int{}}
	for _, name := range names {
		p.outputs[name] = pl.of[outputs[name]]
	}
	for _, u := range updates {
		p.updates = append(p.updates, update{u.Var, pl.of[u.Value]})
	}
	p.bindLeaves(s)
	p.keepBefore(written)
	if d := s.store.device(); d != nil {
		if len(s.watch) > 0 {
			return nil, &Error{What: "a program on a device cannot be watched (checks, dumps and profiles need the CPU)"}
		}
		if err := p.load(d); err != nil {
			return nil, err
		}
		return p, nil
	}
	p.allocate()
	p.watched = s.watchedBy(p, outputs)
	return p, nil
}

// keepBefore finds the outputs and updates that are a variable, or a view of
// one, which an update changes: they are worth what it was before.
func (p *Program) keepBefore(written map[*Variable]bool) {
	p.before = map[int]Tensor{}
	changes := map[int]bool{}
	for _, b := range p.vars {
		changes[b.value] = written[b.v]
	}
	keep := func(i int) {
		if v := p.plan.values[i]; changes[v.root] {
			p.before[i] = Tensor{}
		}
	}
	for _, i := range p.outputs {
		keep(i)
	}
	for _, u := range p.updates {
		keep(u.value)
	}
}

// bindLeaves finds where each leaf's memory comes from.
func (p *Program) bindLeaves(s *Scope) {
	p.values = make([]Tensor, len(p.plan.values))
	of := map[*Node]int{}
	for i, v := range p.plan.values {
		if !v.leaf {
			continue
		}
		of[v.node] = i
		if t, ok := s.consts[v.node]; ok {
			p.values[i] = t
		} else if c, ok := v.node.Op().(interface{ Value() gorgonia.Value }); ok {
			t, err := fromValue(c.Value())
			if err != nil {
				panic(err) // Gorgonia makes no constants but the float one
			}
			p.values[i] = t
		}
	}
	for name, n := range s.inputs {
		if i, ok := of[n]; ok {
			p.fed = append(p.fed, feed{name, i})
		}
	}
	sort.Slice(p.fed, func(i, j int) bool { return p.fed[i].name < p.fed[j].name })
	for _, v := range s.order {
		if i, ok := of[s.vars[v.Name]]; ok {
			p.vars = append(p.vars, binding{v, i})
		}
	}
}

func (p *Program) allocate() {
	arenas := map[Dtype]Tensor{}
	for t, n := range p.plan.arena {
		arenas[t] = NewTensor(t, n)
	}
	for _, st := range p.plan.steps {
		if v := p.plan.values[st.out]; !st.view {
			p.values[st.out] = arenas[v.typ.Dtype].slice(v.off, v.typ.Shape)
		}
	}
	p.in = make([][]Tensor, len(p.plan.steps))
	for i, st := range p.plan.steps {
		p.in[i] = make([]Tensor, len(st.in))
	}
	p.work = make([]work, len(p.plan.steps))
	for i := range p.before {
		t := p.plan.values[i].typ
		p.before[i] = NewTensor(t.Dtype, t.Shape...)
	}
}

// Run computes the outputs from the inputs, fed by name, and then writes the
// updates. When it returns an error no variable has changed. A feed is not
// copied and must not change while Run works.
func (p *Program) Run(ctx context.Context, feeds map[string]Tensor) error {
	if err := p.feed(feeds); err != nil {
		return err
	}
	if p.loaded != nil {
		return p.runLoaded(ctx)
	}
	if p.watched != nil {
		if err := p.watched.begin(); err != nil {
			return err
		}
	}
	from := 0
	if p.warm {
		from = p.plan.once
	}
	for i := from; i < len(p.plan.steps); i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.watched == nil {
			if err := p.step(i); err != nil {
				return err
			}
		} else if err := p.watched.step(i); err != nil {
			return err
		}
	}
	p.warm = true
	for i, t := range p.before {
		t.copyFrom(p.values[i])
		p.values[i] = t
	}
	for _, u := range p.updates {
		u.v.Value.copyFrom(p.values[u.value])
	}
	return nil
}

// step runs one op.
func (p *Program) step(i int) error {
	st := &p.plan.steps[i]
	if t, ok := p.held[st.out]; ok {
		p.values[st.out] = t
		return nil
	}
	if st.view {
		p.values[st.out] = p.values[st.in[0]]
		p.values[st.out].Shape = p.plan.values[st.out].typ.Shape
		return nil
	}
	for k, v := range st.in {
		p.in[i][k] = p.values[v]
	}
	return p.run(st, &p.work[i], p.in[i])
}

func (p *Program) feed(feeds map[string]Tensor) error {
	for _, f := range p.fed {
		t, ok := feeds[f.name]
		want := p.plan.values[f.value].typ
		switch {
		case !ok:
			return &Error{What: fmt.Sprintf("input %s was not fed", f.name)}
		case t.Dtype != Int && want.Dtype != Int:
			t = t.Convert(want.Dtype)
		case t.Dtype != want.Dtype:
			return &Error{What: fmt.Sprintf("input %s was fed %v, want %v", f.name, t.Dtype, want.Dtype)}
		}
		if !sameShape(t.Shape, want.Shape) {
			return &Error{What: fmt.Sprintf("input %s was fed %v, want %v", f.name, t.Shape, want.Shape)}
		}
		p.values[f.value] = t
	}
	for _, b := range p.vars {
		if !b.v.ready() {
			return &Error{What: fmt.Sprintf("variable %s has no value: it was neither initialised nor loaded", b.v.Name)}
		}
		p.values[b.value] = b.v.Value
		if b.v.Kind == Frozen {
			p.values[b.value].packs = &b.v.packs
		}
	}
	for _, u := range p.updates {
		if !u.v.ready() {
			return &Error{What: fmt.Sprintf("variable %s has no value to update: it was neither initialised nor loaded", u.v.Name)}
		}
	}
	return nil
}

// run calls one kernel and gives its failure a name.
func (p *Program) run(st *step, w *work, in []Tensor) (err error) {
	defer func() {
		if r := recover(); r != nil {
			p.ctx.kept, w.loops = nil, nil
			err = fmt.Errorf("panic: %v", r)
		}
		if err != nil {
			e := &Error{Op: st.op.Name(), Layer: st.layer, Err: err}
			for _, t := range in {
				e.In = append(e.In, t.Shape)
			}
			err = e
		}
	}()
	if _, ok := st.op.(Looper); !ok || !p.warm {
		return st.op.Run(p.ctx, p.values[st.out], in)
	}
	if done, err := w.again(p.ctx.Pool, in); done {
		return err
	}
	return w.keep(p.ctx, st.op, p.values[st.out], in)
}

// Feeds allocates a tensor for each input that the program reads, by name.
func (p *Program) Feeds() map[string]Tensor {
	m := map[string]Tensor{}
	for _, f := range p.fed {
		t := p.plan.values[f.value].typ
		m[f.name] = NewTensor(t.Dtype, t.Shape...)
	}
	return m
}

// Output returns a named output of the last Run. Its memory is the program's:
// the next Run overwrites it.
func (p *Program) Output(name string) Tensor {
	i, ok := p.outputs[name]
	if !ok {
		refuse("program has no output %q", name)
	}
	return p.values[i]
}

// OutputType is the type of a named output, known before the first Run.
func (p *Program) OutputType(name string) Type {
	i, ok := p.outputs[name]
	if !ok {
		refuse("program has no output %q", name)
	}
	return p.plan.values[i].typ
}

// Has says whether the program has an output of that name.
func (p *Program) Has(name string) bool {
	_, ok := p.outputs[name]
	return ok
}

// Bytes is the size of the memory that the program planned for intermediate
// values.
func (p *Program) Bytes() int64 {
	var n int64
	for t, k := range p.plan.arena {
		n += int64(k) * int64(t.Size())
	}
	return n
}
