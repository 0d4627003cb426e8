package sweep

import (
	"fmt"
	"slices"
)

// binsFrom is the number of trials from which values that are all different are
// grouped, into bins.
const (
	binsFrom = 8
	bins     = 4
)

// observed is a finished trial: its values, and its metric by seed at the first
// rung.
type observed struct {
	values []string
	score  score
}

func (p *Plan) observed(look Looker) []observed {
	var list []observed
	for _, t := range p.Trials {
		if s := p.score(t, 0, look); s.N == len(t.Rungs[0]) {
			list = append(list, observed{t.Values, s})
		}
	}
	return list
}

// levels are those of the key at i.
func (p *Plan) levels(i int, look Looker) []Level {
	trials := p.observed(look)
	var values []string
	for _, o := range trials {
		values = append(values, o.values[i])
	}
	list := distinct(values)
	if _, ok := numbers(list); ok && len(list) == len(trials) && len(list) >= binsFrom {
		return p.quarters(i, list, trials)
	}
	var levels []Level
	for _, v := range list {
		levels = append(levels, p.level(v, trials, func(o observed) bool { return o.values[i] == v }))
	}
	return levels
}

// quarters groups values, sorted and all different, into bins of one size.
func (p *Plan) quarters(i int, values []string, trials []observed) []Level {
	var levels []Level
	for b := range bins {
		in := values[b*len(values)/bins : (b+1)*len(values)/bins]
		name := fmt.Sprintf("%s to %s", in[0], in[len(in)-1])
		levels = append(levels, p.level(name, trials, func(o observed) bool { return slices.Contains(in, o.values[i]) }))
	}
	return levels
}

func (p *Plan) level(name string, trials []observed, in func(observed) bool) Level {
	l := Level{Value: name}
	bySeed := map[int][]float64{}
	for _, o := range trials {
		if in(o) {
			l.Trials++
			l.Collapsed += len(o.score.collapsed())
			for seed, v := range o.score.bySeed {
				bySeed[seed] = append(bySeed[seed], v)
			}
		}
	}
	var means []float64
	for _, seed := range p.Seeds {
		if v := bySeed[seed]; len(v) > 0 {
			means = append(means, newStat(v).Mean)
		}
	}
	l.Score = newStat(means)
	return l
}
