package sweep

import (
	"fmt"
	"slices"
)

// Halving is successive halving (Jamieson & Talwalkar, 2016) with epochs as the
// resource: all trials run for a few epochs, the best share of 1/Eta for Eta
// times as many, and so on to the configuration's own number.
//
// Each rung is a run of its own from the start, with train.epochs set: the
// learning rate follows a cosine over all epochs, so the first epochs of a long
// run are not a short run. That costs at most 1/(Eta-1) more than going on would,
// and every run stays one that can be resumed and repeated to the bit.
type Halving struct {
	Eta       int // 0: no halving
	MinEpochs int // of the first rung
}

// rungs are the epochs of each: the last is the whole run, those before it a
// factor of Eta apart, none below MinEpochs.
func (h Halving) rungs(epochs int) ([]int, error) {
	if h.Eta < 2 {
		return nil, fmt.Errorf("--eta: found %d, want at least 2", h.Eta)
	}
	if h.MinEpochs < 1 || h.MinEpochs >= epochs {
		return nil, fmt.Errorf("--min-epochs: found %d, want 1 to %d (train.epochs is %d)", h.MinEpochs, epochs-1, epochs)
	}
	rungs := []int{epochs}
	for e := epochs / h.Eta; e >= h.MinEpochs; e /= h.Eta {
		rungs = append(rungs, e)
	}
	if len(rungs) == 1 {
		rungs = append(rungs, h.MinEpochs)
	}
	slices.Reverse(rungs)
	return rungs, nil
}

// Survivors are the trials that reach the next rung: the best 1/Eta of those
// that ran, at least one. Trials without a finished run cannot be compared and
// stay behind; so do, until they are tried again, those that miss a seed.
func (p *Plan) Survivors(rung int, trials []*Trial, look Looker) []*Trial {
	type ranked struct {
		t     *Trial
		score float64
	}
	var list []ranked
	for _, t := range trials {
		if s := p.score(t, rung, look); s.Stat.N == len(t.Rungs[rung]) {
			list = append(list, ranked{t, s.Stat.Mean})
		}
	}
	slices.SortStableFunc(list, func(a, b ranked) int { return better(a.score, b.score) })
	keep := min(len(list), max(1, len(trials)/p.Eta))
	next := make([]*Trial, keep)
	for i := range next {
		next[i] = list[i].t
	}
	return next
}

// better orders higher scores first.
func better(a, b float64) int {
	switch {
	case a > b:
		return -1
	case a < b:
		return 1
	}
	return 0
}

// Walk visits the runs that are known to be wanted: all of the first rung, and
// those of the next ones as far as the results before them are there.
func (p *Plan) Walk(look Looker, visit func(t *Trial, rung int, run Run)) {
	trials := p.Trials
	for rung := 0; len(trials) > 0 && rung < len(trials[0].Rungs); rung++ {
		if rung > 0 {
			trials = p.Survivors(rung-1, trials, look)
		}
		ended := true
		for _, t := range trials {
			for _, run := range t.Rungs[rung] {
				visit(t, rung, run)
			}
			s := p.score(t, rung, look)
			ended = ended && s.N+s.broken == len(t.Rungs[rung])
		}
		if !ended {
			return
		}
	}
}
