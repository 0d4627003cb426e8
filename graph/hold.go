package graph

import "context"

// Hold computes the program once, without its updates, after which the results of ops without a gradient (StopGradient,
// top-k, a mask) stay what they were, whatever later Runs are fed. Finite
// differences of such a program are what Grad computes: a derivative at a
// selection that is given. It returns the names of the ops that it holds.
func (p *Program) Hold(ctx context.Context, feeds map[string]Tensor) ([]string, error) {
	p.held = nil
	held, names := map[int]Tensor{}, []string(nil)
	if p.loaded != nil {
		return nil, &Error{What: "a program on a device cannot hold values"}
	}
	if err := p.feed(feeds); err != nil {
		return nil, err
	}
	for i := range p.plan.steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := p.step(i); err != nil {
			return nil, err
		}
		st := &p.plan.steps[i]
		if _, no := st.op.(interface{ noGrad() }); no {
			held[st.out] = p.values[st.out].clone()
			names = append(names, st.op.Name())
		}
	}
	p.held = held
	return names, nil
}
