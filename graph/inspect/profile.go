package inspect

import (
	"cmp"
	"slices"
	"time"

	"spotlighter/graph"
)

// Profile is a Watcher that keeps what each op of each program takes. Programs
// run as they do without it, ops fused.
type Profile struct {
	Threads int            // that programs run on
	Limit   func() float64 // measures the machine's limit of arithmetic, GFLOP/s; 0: not known
	Peak    func() int64   // the most memory that the process has had, in bytes; 0: not known

	limit float64 // the best of the measurements: others may be at work meanwhile

	now   *tally // since the last Take
	total *tally
}

// traceRuns are the Runs of each title that the trace has in full.
const traceRuns = 3

// tally is what was counted in some time.
type tally struct {
	began    time.Time
	programs []*ProgramProfile
	of       map[string]*ProgramProfile // by title
	trace    []event
}

func newTally() *tally { return &tally{began: time.Now(), of: map[string]*ProgramProfile{}} }

// NewProfile begins a profile.
func NewProfile(threads int, limit func() float64, peak func() int64) *Profile {
	return &Profile{Threads: threads, Limit: limit, Peak: peak, limit: limit(), now: newTally(), total: newTally()}
}

// Cost is what some ops took, together.
type Cost struct {
	Calls   int     `json:"calls"`
	Seconds float64 `json:"seconds"`
	GFLOP   float64 `json:"gflop"`  // counted by the ops that do much arithmetic
	GBytes  float64 `json:"gbytes"` // that operands and results are, read and written once

	// Arithmetic is the time of those that count theirs: others have no part in the
	// rate.
	Arithmetic float64 `json:"arithmetic_seconds"`
}

// Add adds what others took.
func (c *Cost) Add(d Cost) {
	c.Calls += d.Calls
	c.Seconds += d.Seconds
	c.GFLOP += d.GFLOP
	c.GBytes += d.GBytes
	c.Arithmetic += d.Arithmetic
}

// Rate is the arithmetic of the ops that count theirs, in GFLOP/s; 0 if none does.
func (c Cost) Rate() float64 {
	if c.Arithmetic == 0 {
		return 0
	}
	return c.GFLOP / c.Arithmetic
}

// OpProfile is what one node of a program took, over all Runs.
type OpProfile struct {
	Node  string `json:"node"`
	Op    string `json:"op"`
	Layer string `json:"layer"`
	Phase string `json:"phase"`
	Shape []int  `json:"shape"` // of the result, in the last Run
	Cost
}

// ProgramProfile is what the programs of one title took.
type ProgramProfile struct {
	Title  string          `json:"title"`
	Runs   int             `json:"runs"`
	Memory graph.Footprint `json:"memory"` // of the one that takes the most
	Ops    []*OpProfile    `json:"ops"`    // in the order of execution

	by   map[string]*OpProfile
	last *graph.Program
}

func (t *tally) program(title string) *ProgramProfile {
	p := t.of[title]
	if p == nil {
		p = &ProgramProfile{Title: title, by: map[string]*OpProfile{}}
		t.of[title] = p
		t.programs = append(t.programs, p)
	}
	return p
}

func (p *ProgramProfile) op(node, op, layer, phase string) *OpProfile {
	o := p.by[node]
	if o == nil {
		o = &OpProfile{Node: node, Op: op, Layer: layer, Phase: phase}
		p.by[node] = o
		p.Ops = append(p.Ops, o)
	}
	return o
}

func (p *ProgramProfile) memory(m graph.Footprint) {
	sum := func(m graph.Footprint) int64 { return m.Values + m.Variables + m.Packed + m.Inputs }
	if sum(m) > sum(p.Memory) {
		p.Memory = m
	}
}

// Begin counts a Run.
func (f *Profile) Begin(p *graph.Program, _ []graph.Leaf) error {
	f.now.program(titleOf(p)).Runs++
	return nil
}

func titleOf(p *graph.Program) string { return cmp.Or(p.Title(), "program") }

// Step counts an op.
func (f *Profile) Step(p *graph.Program, s *graph.Step, _ graph.Tensor, _ []graph.Tensor, began time.Time, took time.Duration) error {
	pr := f.now.program(titleOf(p))
	if s == &p.Steps()[len(p.Steps())-1] && (p != pr.last || pr.Runs <= traceRuns) { // by then products have packed what they will
		pr.last = p
		pr.memory(p.Footprint())
	}
	o := pr.op(s.Node, s.Op, s.Layer, s.Phase.String())
	o.Shape = s.Out.Shape
	c := Cost{Calls: 1, Seconds: took.Seconds(), GFLOP: float64(s.FLOPs) / 1e9, GBytes: float64(s.Bytes()) / 1e9}
	if s.FLOPs > 0 {
		c.Arithmetic = c.Seconds
	}
	o.Add(c)
	if pr.Runs <= traceRuns {
		f.now.trace = append(f.now.trace, event{pr.Title, pr.Runs, s, began.Sub(f.now.began), took})
	}
	return nil
}

// Take ends a part of the profile, such as a run's, and returns it; the next part
// begins.
func (f *Profile) Take() *ProfileReport {
	r := f.report(f.now)
	for _, p := range f.now.programs {
		q := f.total.program(p.Title)
		q.Runs += p.Runs
		q.memory(p.Memory)
		for _, o := range p.Ops {
			to := q.op(o.Node, o.Op, o.Layer, o.Phase)
			to.Shape = o.Shape
			to.Add(o.Cost)
		}
	}
	f.now = newTally()
	return r
}

// Total is the sum of the parts that were taken.
func (f *Profile) Total() *ProfileReport { return f.report(f.total) }

func (f *Profile) report(t *tally) *ProfileReport {
	r := &ProfileReport{Threads: f.Threads, Wall: time.Since(t.began).Seconds(), Peak: f.Peak(), Programs: t.programs, trace: t.trace}
	f.limit = max(f.limit, f.Limit())
	r.Limit = f.limit
	var all []*OpProfile
	for _, p := range t.programs {
		all = append(all, p.Ops...)
	}
	r.ByOp = groups(all, func(o *OpProfile) Group { return Group{Name: o.Op} })
	r.ByLayer = groups(all, func(o *OpProfile) Group { return Group{Name: o.Layer, Phase: o.Phase} })
	r.ByPhase = groups(all, func(o *OpProfile) Group { return Group{Name: o.Phase} })
	for _, g := range r.ByPhase {
		r.All.Add(g.Cost)
	}
	return r
}

// Group is what the ops of one name, layer or phase took.
type Group struct {
	Name  string `json:"name"`
	Phase string `json:"phase,omitempty"`
	Cost
}

// groups sums ops by what key says of each, the longest time first.
func groups(ops []*OpProfile, key func(*OpProfile) Group) []Group {
	at := map[Group]int{}
	var list []Group
	for _, o := range ops {
		k := key(o)
		i, ok := at[k]
		if !ok {
			i = len(list)
			at[k] = i
			list = append(list, k)
		}
		list[i].Add(o.Cost)
	}
	slices.SortStableFunc(list, func(a, b Group) int { return cmp.Compare(b.Seconds, a.Seconds) })
	return list
}
