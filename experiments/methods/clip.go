package methods

// zeroShot is CLIP with hand-written prompts (Radford et al., arXiv 2103.00020,
// section 3.1). Nothing is learned.
type zeroShot struct{ Options }

func (m zeroShot) Text(c CLIP, cl Classes) *Node {
	return unit(c.Encoders.Text.Classes(cl.Prompts, nil, m.TextEncoder))
}

func (zeroShot) Build(c CLIP, _ Classes, b Batch) Outputs {
	return Outputs{Logits: compare(c, b.Features.Image, b.Text)}
}
