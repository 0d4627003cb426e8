package sweep

import (
	"cmp"
	"slices"

	"spotlighter/experiments/runfmt"
)

// BoardSchema is the version of Board's JSON.
const BoardSchema = 1

// Board is what is known of a sweep: its trials from best to worst, and what
// each key does. Percentages throughout.
type Board struct {
	Schema     int      `json:"schema"`
	Protocol   string   `json:"protocol,omitempty"` // of the finished runs
	Metric     string   `json:"metric"`
	Keys       []string `json:"keys"`
	Seeds      []int    `json:"seeds"`
	Rungs      []int    `json:"rungs,omitempty"`
	Rows       []Row    `json:"rows"`
	Effects    []Effect `json:"effects"`
	Duplicates int      `json:"duplicates"`
	Impossible []string `json:"impossible,omitempty"`
}

// Row is one trial at the last rung that it ran.
type Row struct {
	Rank   int      `json:"rank"` // 0: not ranked, a seed is missing
	Values []string `json:"values"`
	Epochs int      `json:"epochs,omitempty"` // of the rung, with halving
	Score  Stat     `json:"score"`            // the metric over seeds
	Base   Stat     `json:"base"`
	Novel  Stat     `json:"novel"`
	HM     Stat     `json:"hm"`
	Runs   int      `json:"runs"`   // seeds that the trial wants
	Broken int      `json:"broken"` // of which begun, without result, and nobody at work
	// Collapsed are the runs far below zero-shot (runfmt.Result.Collapsed). They are
	// in the means.
	Collapsed []Collapse `json:"collapsed,omitempty"`
	// Seconds are those of one run on average.
	Seconds float64 `json:"seconds"`

	rung  int
	trial *Trial
}

func (r Row) complete() bool { return r.Score.N == r.Runs }

// Collapse is a run that collapsed, and how.
type Collapse struct {
	Seed  int    `json:"seed"`
	Fault string `json:"fault"`
}

// Effect is the marginal effect of one key: the metric by its values, averaged
// over everything else. With halving it is that of the first rung, which all
// trials ran.
type Effect struct {
	Key    string  `json:"key"`
	Levels []Level `json:"levels"`
}

// Level is one value of a key, or a quarter of the trials where each has a value
// of its own. Each seed's average over the trials is one number; Score is the
// mean and the deviation of those numbers, so that the deviation is that of
// seeds and not of the other keys. Trials that miss a seed are left out.
type Level struct {
	Value  string `json:"value"`
	Score  Stat   `json:"score"`
	Trials int    `json:"trials"`
	// Collapsed counts the runs in Score that collapsed.
	Collapsed int `json:"collapsed,omitempty"`
}

// Board reads the finished runs.
func (p *Plan) Board(look Looker) *Board {
	b := &Board{Schema: BoardSchema, Metric: p.Metric, Keys: p.Keys, Seeds: p.Seeds, Rungs: p.Rungs,
		Rows: []Row{}, Effects: []Effect{}, Duplicates: p.Duplicates, Impossible: p.Impossible}
	for _, t := range p.Trials {
		r, protocol := p.row(t, look)
		b.Rows, b.Protocol = append(b.Rows, r), cmp.Or(b.Protocol, protocol)
	}
	slices.SortStableFunc(b.Rows, func(a, c Row) int {
		switch {
		case a.complete() != c.complete():
			return better(float64(a.Score.N)/float64(a.Runs), float64(c.Score.N)/float64(c.Runs))
		case a.rung != c.rung:
			return c.rung - a.rung
		case (a.Score.N == 0) != (c.Score.N == 0):
			return c.Score.N - a.Score.N
		}
		return better(a.Score.Mean, c.Score.Mean)
	})
	for i := range b.Rows {
		if b.Rows[i].complete() {
			b.Rows[i].Rank = i + 1
		}
	}
	for i, key := range p.Keys {
		if levels := p.levels(i, look); len(levels) > 1 {
			b.Effects = append(b.Effects, Effect{key, levels})
		}
	}
	return b
}

// row is a trial's, and the protocol of its runs.
func (p *Plan) row(t *Trial, look Looker) (Row, string) {
	r := Row{Values: t.Values, trial: t}
	var s score
	for rung := range t.Rungs {
		if of := p.score(t, rung, look); rung == 0 || of.N+of.broken > 0 {
			s, r.rung = of, rung
		}
	}
	if p.Rungs != nil {
		r.Epochs = p.Rungs[r.rung]
	}
	r.Score, r.Runs, r.Broken = s.Stat, len(t.Rungs[r.rung]), s.broken
	r.Base, r.Novel, r.HM = s.of(metrics["base"]), s.of(metrics["novel"]), s.of(metrics["hm"])
	r.Seconds = s.of(Seconds).Mean
	r.Collapsed = s.collapsed()
	if len(s.results) == 0 {
		return r, ""
	}
	return r, s.results[0].Protocol
}

// title is the metric as readers of the protocol know it.
func (b *Board) title() string {
	m := runfmt.Measures(b.Protocol)
	for _, of := range m {
		if of.Metric == b.Metric {
			return of.Name
		}
	}
	return m[len(m)-1].Name // a protocol of one number has it under each metric
}

// stat is a row's value of a metric.
func (r Row) stat(metric string) Stat {
	switch metric {
	case "base":
		return r.Base
	case "novel":
		return r.Novel
	}
	return r.HM
}

// Seconds are what a run took: all of it, where the result knows that.
func Seconds(r runfmt.Result) float64 { return cmp.Or(r.RunSeconds, r.TrainSeconds+r.EvalSeconds) }
