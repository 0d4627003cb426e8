package methods

// zeroShot is CLIP with hand-written prompts (Radford et al., arXiv 2103.00020,
// section 3.1). Nothing is learned.
type zeroShot struct{}

func (zeroShot) Text(c CLIP, cl Classes) *Node {
	x := c.Encoders.Text.Embed(c.Scope.Const(cl.Prompts.IDTensor()))
	return unit(c.Encoders.Text.Forward(x, c.Scope.Const(cl.Prompts.EOTTensor())).Feature)
}

func (zeroShot) Build(c CLIP, _ Classes, b Batch) Outputs {
	return Outputs{Logits: compare(c, b.Features.Image, b.Text)}
}
