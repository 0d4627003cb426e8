package graph

import (
	"fmt"
	"hash"
	"hash/fnv"
	"runtime"
	"strings"
	"sync"
	"weak"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"spotlighter/graph/cpu"
)

// Type is what is known of a value before it is computed.
type Type struct {
	Shape Shape
	Dtype Dtype
}

// Op is what the author of an operation writes. An Op is immutable, and its
// fields are its whole identity: two ops with equal fields on the same
// operands compute the same value, and Compile runs them once.
type Op interface {
	// Name is the operation's name in errors, summaries and profiles.
	Name() string
	// Infer returns the type of the result, or says what was wanted.
	Infer(in []Type) (Type, error)
	// Grad returns the gradient of each operand, given the gradient of the
	// result; nil for one that is not differentiable. It is called only where
	// a gradient is needed.
	Grad(in []*Node, out, dout *Node) []*Node
	// Run computes the result on the CPU. Its outcome must not depend on the
	// number of threads.
	Run(c *Ctx, out Tensor, in []Tensor) error
}

// NoGrad marks an Op as not differentiable when it is embedded: gradients do
// not pass (top-k, argmax, gradients themselves).
type NoGrad struct{}

// Grad is never called.
func (NoGrad) Grad(in []*Node, _, _ *Node) []*Node { return make([]*Node, len(in)) }

func (NoGrad) noGrad() {}

// Viewer marks an Op whose result is its first operand's memory under another
// shape; its Run is not called by a Program.
type Viewer interface{ View() }

// Counter is implemented by ops that do enough arithmetic to be worth counting.
type Counter interface {
	// FLOPs counts multiplications and additions, two for a fused one.
	FLOPs(in []Type, out Type) int64
}

// builder is what the nodes of one graph share while it is built.
type builder struct {
	serial uint64
	path   []string
	terms  map[*Node][]*Node // while Grad runs: the gradients each node received

	fault error // why an op's Grad failed: Gorgonia wraps errors beyond errors.As

	differentiated bool // Grad has run
}

// builders finds the builder of a graph without keeping either alive.
var builders = struct {
	sync.Mutex
	of map[weak.Pointer[gorgonia.ExprGraph]]*builder
}{of: map[weak.Pointer[gorgonia.ExprGraph]]*builder{}}

func newBuilder(g *gorgonia.ExprGraph) *builder {
	b, key := &builder{}, weak.Make(g)
	builders.Lock()
	builders.of[key] = b
	builders.Unlock()
	runtime.AddCleanup(g, func(key weak.Pointer[gorgonia.ExprGraph]) {
		builders.Lock()
		delete(builders.of, key)
		builders.Unlock()
	}, key)
	return b
}

func builderOf(n *Node) *builder {
	builders.Lock()
	defer builders.Unlock()
	b := builders.of[weak.Make(n.Graph())]
	if b == nil {
		refuse("node %s is not of a graph made by graph.New", n.Name())
	}
	return b
}

// Apply adds op to the graph of its operands and returns its result. It panics
// with an *Error when the operands do not fit.
func Apply(op Op, in ...*Node) *Node {
	b := sameGraph(op, in)
	o := &symbol{Op: op, b: b, layer: strings.Join(b.path, "."), at: caller(), phase: b.phase(), in: typesOf(in)}
	fail := func(err error) {
		e := &Error{Op: op.Name(), Layer: o.layer, Err: err, At: o.at}
		e.of(o.in)
		panic(e)
	}
	out, err := infer(op, o.in)
	if err == nil {
		err = oneFloat(append(o.in, out))
	}
	if err != nil {
		fail(err)
	}
	o.out = out
	// Gorgonia merges nodes whose 32-bit hashes agree, without a look at their
	// operands. The serial makes hashes differ, and the loop takes the next one
	// in the rare case that they still collide.
	for {
		b.serial++
		o.serial = b.serial
		n, err := gorgonia.ApplyOp(o, in...)
		if err != nil {
			fail(err)
		}
		if n.Op() == gorgonia.Op(o) {
			return n
		}
	}
}

// sameGraph checks that there are operands, all of one graph, and returns its
// builder.
func sameGraph(op Op, in []*Node) *builder {
	refuse := func(what string) { panic(&Error{Op: op.Name(), What: what, At: caller()}) }
	if len(in) == 0 {
		refuse("no operands")
	}
	for i, n := range in {
		switch {
		case n == nil:
			refuse(fmt.Sprintf("operand %d of %d is nil", i, len(in)))
		case n.Graph() != in[0].Graph():
			refuse(fmt.Sprintf("operand %d (%s) is of another graph than operand 0 (%s)", i, n.Name(), in[0].Name()))
		}
	}
	return builderOf(in[0])
}

// infer is op.Infer, whose own mistakes, such as an axis that is not there, are
// errors of the op.
func infer(op Op, in []Type) (out Type, err error) {
	defer func() {
		if r := recover(); r != nil {
			if e, ok := r.(*Error); ok {
				panic(e)
			}
			err = fmt.Errorf("its Infer does not check these operands: %v", r)
		}
	}()
	return op.Infer(in)
}

// OpOf returns the op that computes a node; nil for a leaf, and for the additions
// with which Gorgonia sums gradients.
func OpOf(n *Node) Op {
	if o, ok := n.Op().(*symbol); ok {
		return o.Op
	}
	return nil
}

// TypeOf returns the type of a node's value.
func TypeOf(n *Node) Type {
	if n == nil {
		refuse("a node is nil")
	}
	if n.IsScalar() {
		return Type{Shape{}, n.Dtype()}
	}
	return Type{n.Shape(), n.Dtype()}
}

// oneFloat refuses an op between Float32 and Float64: a kernel runs in one type.
func oneFloat(ts []Type) error {
	first := Int
	for _, t := range ts {
		switch {
		case first == Int:
			first = t.Dtype
		case t.Dtype != Int && t.Dtype != first:
			return fmt.Errorf("float types %v and %v, want one", first, t.Dtype)
		}
	}
	return nil
}

func typesOf(in []*Node) []Type {
	t := make([]Type, len(in))
	for i, n := range in {
		t[i] = TypeOf(n)
	}
	return t
}

// symbol is an Op as Gorgonia sees it.
type symbol struct {
	Op
	b      *builder
	serial uint64
	layer  string
	at     string // the source line that applied it
	phase  Phase
	in     []Type
	out    Type
}

var (
	_ gorgonia.SDOp            = (*symbol)(nil)
	_ gorgonia.UsePreallocDoer = (*symbol)(nil)
)

func hmType(t Type) hm.Type {
	if len(t.Shape) == 0 {
		return t.Dtype
	}
	return gorgonia.TensorType{Dims: len(t.Shape), Of: t.Dtype}
}

func (o *symbol) Arity() int { return len(o.in) }

func (o *symbol) Type() hm.Type {
	var ts []hm.Type
	for _, t := range o.in {
		ts = append(ts, hmType(t))
	}
	return hm.NewFnType(append(ts, hmType(o.out))...)
}

func (o *symbol) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return o.out.Shape, nil }
func (o *symbol) ReturnsPtr() bool                                      { return false }
func (o *symbol) CallsExtern() bool                                     { return false }
func (o *symbol) OverwritesInput() int                                  { return -1 }
func (o *symbol) String() string                                        { return o.Name() }
func (o *symbol) WriteHash(h hash.Hash)                                 { fmt.Fprintf(h, "%s#%d", o.key(), o.serial) }

func (o *symbol) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

// key is the op's identity: its type and all of its fields.
func (o *symbol) key() string { return fmt.Sprintf("%T%+v", o.Op, o.Op) }

func (o *symbol) DiffWRT(n int) []bool {
	d := make([]bool, n)
	if _, no := o.Op.(interface{ noGrad() }); no {
		return d
	}
	for i, t := range o.in {
		d[i] = t.Dtype != Int
	}
	return d
}

// SymDiff is called by gorgonia.Grad, for nodes that lie between the loss and
// the variables asked for.
func (o *symbol) SymDiff(in gorgonia.Nodes, out, dout *Node) (grads gorgonia.Nodes, err error) {
	path := o.b.path
	defer func() { o.b.path, o.b.fault = path, err }()
	o.b.path = []string{o.layer}
	err = Try(func() { grads = o.Grad(in, out, dout) })
	if err != nil {
		return nil, err
	}
	if len(grads) != len(in) {
		return nil, o.fault("%d gradients, want one for each of %d operands", len(grads), len(in))
	}
	for i, d := range o.DiffWRT(len(in)) {
		switch {
		case d && grads[i] == nil:
			return nil, o.fault("no gradient for operand %d", i)
		case d && !sameShape(TypeOf(grads[i]).Shape, o.in[i].Shape):
			return nil, o.fault("its gradient of operand %d is %v, want the operand's shape", i, []int(grads[i].Shape()))
		case d && o.b.terms != nil:
			o.b.terms[in[i]] = append(o.b.terms[in[i]], grads[i])
		}
	}
	return grads, nil
}

// fault is a mistake in the op's own Grad, at the line that applied the op.
func (o *symbol) fault(format string, args ...any) error {
	e := &Error{Op: o.Name(), Layer: o.layer, What: fmt.Sprintf(format, args...), At: o.at}
	e.of(o.in)
	return e
}

// Do runs the op under Gorgonia's own machines.
func (o *symbol) Do(vs ...gorgonia.Value) (gorgonia.Value, error) {
	return o.run(NewTensor(o.out.Dtype, o.out.Shape...), vs)
}

// UsePreallocDo does the same into memory that the machine planned.
func (o *symbol) UsePreallocDo(pre gorgonia.Value, vs ...gorgonia.Value) (gorgonia.Value, error) {
	out, err := fromValue(pre)
	if err != nil {
		return nil, err
	}
	if _, err = o.run(out, vs); err != nil {
		return nil, err
	}
	return pre, nil
}

func (o *symbol) run(out Tensor, vs []gorgonia.Value) (gorgonia.Value, error) {
	in := make([]Tensor, len(vs))
	for i, v := range vs {
		var err error
		if in[i], err = fromValue(v); err != nil {
			return nil, err
		}
	}
	if err := o.Op.Run(&Ctx{Pool: cpu.NewPool(1)}, out, in); err != nil {
		return nil, err
	}
	return toValue(out), nil
}
