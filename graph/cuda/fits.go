package cuda

import (
	"fmt"

	"spotlighter/graph"
)

// fits says whether the card has the memory that the program needs, before
// anything is allocated.
func (b *build) fits() error {
	values, own := b.bytes, b.size
	for _, l := range b.lists {
		for _, data := range l.Consts {
			own += (int64(len(data)) + aligned - 1) / aligned * aligned
		}
	}
	seen := map[*graph.Variable]bool{}
	add := func(v *graph.Variable) {
		if v != nil && !seen[v] && !v.On(b.d) {
			seen[v] = true
			own += (bytesOf(v.Type) + aligned - 1) / aligned * aligned
		}
	}
	for _, v := range b.code.Values {
		add(v.Var)
	}
	for _, u := range b.code.Updates {
		add(u.Var)
	}
	free, err := b.d.free()
	if err == nil && free < values+own {
		collect()
		free, err = b.d.free()
	}
	if err != nil || free >= values+own {
		return err
	}
	return fmt.Errorf("%s: the program needs %s (%s of values and inputs, %s of variables and constants), %s are free%s",
		b.d.name, size(values+own), size(values), size(own), size(free), b.advice(free-own))
}

// advice is the batch that would fit into so many bytes of values, in words.
func (b *build) advice(bytes int64) string {
	batch := b.batch()
	if batch == 0 {
		return ""
	}
	share := b.batched(batch)
	fixed := float64(b.bytes) * (1 - share)
	fit := int((float64(bytes) - fixed) / (float64(b.bytes) * share / float64(batch)))
	if fit < 1 {
		return fmt.Sprintf("; its batch of %d is not the reason, no batch fits", batch)
	}
	return fmt.Sprintf("; a batch of about %d would fit, this one is %d", min(fit, batch-1), batch)
}

// batch is the size of the first axis that most bytes of the inputs share.
func (b *build) batch() (batch int) {
	of := map[int]int64{}
	for _, i := range b.code.Inputs {
		if t := b.code.Values[i].Type; len(t.Shape) > 0 {
			of[t.Shape[0]] += bytesOf(t)
		}
	}
	for n, bytes := range of {
		if batch == 0 || bytes > of[batch] || bytes == of[batch] && n > batch {
			batch = n
		}
	}
	return batch
}

// batched is the share of the values' memory that grows with the batch: of values
// that depend on an input with it and whose first axis is a multiple of it.
func (b *build) batched(batch int) float64 {
	depends := make([]bool, len(b.code.Values))
	grows := func(i int) bool {
		s := b.code.Values[i].Type.Shape
		return depends[b.code.Values[i].Root] && len(s) > 0 && s[0]%batch == 0
	}
	var all, some int64
	count := func(i int) {
		n := bytesOf(b.code.Values[i].Type)
		if all += n; grows(i) {
			some += n
		}
	}
	for _, i := range b.code.Inputs {
		s := b.code.Values[i].Type.Shape
		depends[i] = len(s) > 0 && s[0] == batch
		count(i)
	}
	for _, st := range b.code.Steps {
		for _, v := range st.In {
			depends[st.Out] = depends[st.Out] || depends[b.code.Values[v].Root]
		}
		count(st.Out)
	}
	if all == 0 {
		return 0
	}
	return max(float64(some)/float64(all), 1e-9)
}
