package methods

func init() {
	Register(Row{Name: "clip", New: func(o Options) Method { return zeroShot{Options: o} }})
}

// zeroShot is CLIP with hand-written prompts (Radford et al., arXiv 2103.00020,
// section 3.1). Nothing is learned.
type zeroShot struct {
	frozenVision
	Options
}

func (zeroShot) Text(c CLIP, cl Classes) *Node { return c.Scope.Const(cl.Text) }

func (zeroShot) Build(c CLIP, _ Classes, b Batch) Outputs {
	return Outputs{Logits: compare(c, b.Features.Image, b.Text)}
}
