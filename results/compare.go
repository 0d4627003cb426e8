package results

import (
	"encoding/json"
	"fmt"
	"slices"

	"spotlighter/experiments/runfmt"
	literature "spotlighter/results/paper"
)

// ComparisonSchema is the version of Comparison's JSON.
const ComparisonSchema = 1

// Planned is one cell of a table: a run, done or not.
type Planned struct {
	Group  string // the data set, and Part if there is one
	Part   string // such as "16 shots": averages are over the data sets of a part
	Method string
	Seed   int
	State  string         // "done", "running", "broken" or "missing"
	Result *runfmt.Result // of a done run
}

// Comparison is a protocol's table beside that of the literature.
type Comparison struct {
	Schema   int          `json:"schema"`
	Protocol string       `json:"protocol"`
	Command  string       `json:"command"`
	Baseline string       `json:"baseline"`
	Seeds    []int        `json:"seeds"`
	Metrics  []string     `json:"metrics"`
	Rows     []CompareRow `json:"rows"`
	Tests    []PairTest   `json:"tests"` // each method against the baseline, over data sets and seeds
	Notes    []string     `json:"notes"` // what a reader must know, a line each
}

// CompareRow is one method on one data set, or on the average over them.
type CompareRow struct {
	Group  string `json:"group"`
	part   string
	Method string          `json:"method"`
	Done   int             `json:"done"` // seeds
	Of     int             `json:"of"`
	Cells  []CompareMetric `json:"cells"` // by Comparison.Metrics
	// Seconds are those of training and testing a run, on the mean; the features of
	// the frozen image encoder, which methods share, are apart. 0 where nothing was
	// run.
	Seconds float64 `json:"seconds,omitempty"`
	// Collapsed are the seeds far below zero-shot. They are in the means.
	Collapsed []int `json:"collapsed,omitempty"`
}

// CompareMetric is ours, the literature's, and the difference. Paper and
// Difference are nil where nothing was printed, Ours where nothing was run.
type CompareMetric struct {
	Ours       *Stat    `json:"ours,omitempty"`
	Paper      *float64 `json:"paper,omitempty"`
	Difference *float64 `json:"difference,omitempty"`
	bySeed     map[int]float64
	// Inconsistent marks a printed harmonic mean that does not follow from the
	// accuracies printed beside it.
	Inconsistent bool `json:"inconsistent,omitempty"`
}

// The metrics of base to novel. The harmonic mean is there by both conventions:
// of each seed, then averaged, and, as the literature has it, of the averages.
const (
	metricBase    = "base"
	metricNovel   = "novel"
	metricSeedHM  = "HM (seeds)"
	metricMeansHM = "HM (means)"
)

// average is the group of the rows over all data sets.
const averageGroup = "average"

// Compare makes the table of the planned cells, in their order.
func Compare(protocol, command, baseline string, cells []Planned) Comparison {
	c := Comparison{Schema: ComparisonSchema, Protocol: protocol, Command: command, Baseline: baseline}
	b := compareBuilder{Comparison: &c, cells: cells}
	for _, p := range cells {
		b.methods = appendNew(b.methods, p.Method)
		b.groups = appendNew(b.groups, p.Group)
		c.Seeds = appendNew(c.Seeds, p.Seed)
	}
	slices.Sort(c.Seeds)
	if protocol == "base-to-novel" {
		c.Metrics = []string{metricBase, metricNovel, metricSeedHM, metricMeansHM}
		b.halves()
	} else {
		c.Metrics = []string{"top-1", "top-5", "macro", "ECE"}
		b.sets()
	}
	b.tests()
	b.notes()
	return c
}

// JSON is the table for programs.
func (c Comparison) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	return append(text, '\n'), nil
}

type compareBuilder struct {
	*Comparison
	cells           []Planned
	methods, groups []string
}

// of is the cells of a method in a group ("": in all).
func (b *compareBuilder) of(group, method string) (all []Planned, done []runfmt.Result) {
	for _, p := range b.cells {
		if p.Method == method && (group == "" || p.Group == group) {
			all = append(all, p)
			if p.Result != nil {
				done = append(done, *p.Result)
			}
		}
	}
	return all, done
}

// row begins a row with how many seeds it has and which collapsed.
func (b *compareBuilder) row(group, method string, all []Planned, done []runfmt.Result) CompareRow {
	r := CompareRow{Group: group, part: all[0].Part, Method: method, Done: len(done), Of: len(all), Cells: make([]CompareMetric, len(b.Metrics))}
	for _, res := range done {
		r.Seconds += (res.TrainSeconds + res.EvalSeconds) / float64(len(done))
		if res.Collapsed() != "" {
			r.Collapsed = append(r.Collapsed, res.Seed)
		}
	}
	return r
}

// halves makes the rows of base to novel.
func (b *compareBuilder) halves() {
	for _, group := range b.groups {
		for _, m := range b.methods {
			all, done := b.of(group, m)
			if len(all) == 0 {
				continue
			}
			r := b.row(group, m, all, done)
			if len(done) > 0 {
				for i, of := range []func(runfmt.Result) float64{base, novel, hm} {
					r.Cells[i].measure(done, of)
				}
				r.Cells[3].Ours = &Stat{Mean: runfmt.HarmonicMean(r.Cells[0].Ours.Mean, r.Cells[1].Ours.Mean), N: len(done)}
			}
			beside(&r, group)
			b.Rows = append(b.Rows, r)
		}
	}
	b.averageRows(func(r *CompareRow) {
		if r.Cells[0].Ours != nil {
			r.Cells[3].Ours = &Stat{Mean: runfmt.HarmonicMean(r.Cells[0].Ours.Mean, r.Cells[1].Ours.Mean), N: r.Cells[0].Ours.N}
		}
		if b.eleven() { // only then is it the paper's average
			beside(r, literature.Average)
		}
	})
}

// eleven says whether the groups are the eleven data sets of the literature.
func (b *compareBuilder) eleven() bool {
	return len(b.groups) == 11 && !slices.ContainsFunc(literature.Eleven(), func(d string) bool { return !slices.Contains(b.groups, d) })
}

// beside puts the printed cell beside ours.
func beside(r *CompareRow, dataset string) {
	printed, ok := literature.BaseToNovel(r.Method, dataset)
	if !ok {
		return
	}
	r.Cells[0].print(printed.Base)
	r.Cells[1].print(printed.Novel)
	r.Cells[3].print(printed.HM)
	r.Cells[3].Inconsistent = !printed.Follows()
}

func (m *CompareMetric) print(v float64) {
	m.Paper = &v
	if m.Ours != nil {
		d := m.Ours.Mean - v
		m.Difference = &d
	}
}

// measure fills in the mean over runs, and keeps each seed's value.
func (m *CompareMetric) measure(done []runfmt.Result, of func(runfmt.Result) float64) {
	s := newStat(each(done, of))
	m.Ours, m.bySeed = &s, map[int]float64{}
	for _, r := range done {
		m.bySeed[r.Seed] = of(r)
	}
}

// averageRows adds, for each part of the table, the mean over its data sets of
// each method that has a run on every one of them.
func (b *compareBuilder) averageRows(finish func(*CompareRow)) {
	var parts []string
	for _, p := range b.cells {
		parts = appendNew(parts, p.Part)
	}
	measured := slices.Clone(b.Rows)
	for _, part := range parts {
		var groups []string
		rows := slices.DeleteFunc(slices.Clone(measured), func(r CompareRow) bool { return r.part != part })
		for _, r := range rows {
			groups = appendNew(groups, r.Group)
		}
		if len(groups) < 2 {
			continue
		}
		name := averageGroup
		if part != "" {
			name += ", " + part
		}
		b.overRows(rows, name, finish)
	}
}

// overRows adds, for each method, the means of rows, and the spread over seeds of
// a seed's mean over them. A method that lacks one of the rows has no average: it
// would be one of other data sets than the others'.
func (b *compareBuilder) overRows(rows []CompareRow, group string, finish func(*CompareRow)) {
	for _, m := range b.methods {
		r := CompareRow{Group: group, Method: m, Cells: make([]CompareMetric, len(b.Metrics))}
		own := slices.DeleteFunc(slices.Clone(rows), func(row CompareRow) bool { return row.Method != m })
		for _, row := range own {
			r.Done, r.Of = r.Done+row.Done, r.Of+row.Of
			r.Seconds += row.Seconds / float64(len(own))
		}
		for i := range b.Metrics {
			r.Cells[i].Ours = b.over(own, i)
		}
		finish(&r)
		b.Rows = append(b.Rows, r)
	}
}

// over is the mean of a metric over rows, nil if one of them lacks it.
func (b *compareBuilder) over(rows []CompareRow, metric int) *Stat {
	var means, seeds []float64
	for _, row := range rows {
		if row.Cells[metric].Ours == nil {
			return nil
		}
		means = append(means, row.Cells[metric].Ours.Mean)
	}
	for _, seed := range b.Seeds {
		var values []float64
		for _, row := range rows {
			if v, ok := row.Cells[metric].bySeed[seed]; ok {
				values = append(values, v)
			}
		}
		if len(values) == len(rows) {
			seeds = append(seeds, newStat(values).Mean)
		}
	}
	if len(means) == 0 {
		return nil
	}
	return &Stat{Mean: newStat(means).Mean, Std: newStat(seeds).Std, N: len(seeds)}
}
