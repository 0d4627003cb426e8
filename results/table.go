package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"spotlighter/experiments/runfmt"
)

// TableSchema is the version of Table's JSON.
const TableSchema = 1

// Table is methods x data sets x metrics, over seeds. Percentages throughout.
type Table struct {
	Schema   int      `json:"schema"`
	Protocol string   `json:"protocol"`
	Baseline string   `json:"baseline"` // the method that the others are compared with
	Methods  []string `json:"methods"`
	Datasets []string `json:"datasets"`
	Seeds    []int    `json:"seeds"`
	Rows     []Row    `json:"rows"`    // one a data set and method
	Average  []Row    `json:"average"` // one a method: over the data sets
}

// Row is one method on one data set, or on the average over the data sets
// (Dataset is ""): the mean over the data sets of their means, and the standard
// deviation over seeds of a seed's mean over the data sets.
type Row struct {
	Method  string `json:"method"`
	Dataset string `json:"dataset,omitempty"`

	Base  Stat `json:"base"`
	Novel Stat `json:"novel"`
	HM    Stat `json:"hm"` // each seed's own harmonic mean, then averaged

	// Diff is this method's HM less the baseline's on the same data set and
	// seed; nil for the baseline, and where no pair exists.
	Diff *Interval `json:"diff,omitempty"`

	ImagesPerSecond  float64 `json:"images_per_second"`
	TrainableScalars int     `json:"trainable_scalars"`
	PromptScalars    int     `json:"prompt_scalars"`
	// OnObject is nil where the object's place is not known.
	OnObject *runfmt.OnObject `json:"on_object,omitempty"`
	// Collapsed are the seeds far below zero-shot (runfmt.Result.Collapsed). They are
	// in the means.
	Collapsed []int `json:"collapsed,omitempty"`
	// TrainSeconds and EvalSeconds are of one run, on average.
	TrainSeconds float64 `json:"train_seconds"`
	EvalSeconds  float64 `json:"eval_seconds"`
}

type key struct {
	method, dataset string
	seed            int
}

// New makes the table of the given results; methods and data sets stand in the
// order in which they first appear. Two results for one cell are an error: the
// table would have to mix two configurations.
func New(list []runfmt.Result, baseline string) (Table, error) {
	if len(list) == 0 {
		return Table{}, errors.New("table: no finished run")
	}
	t := Table{Schema: TableSchema, Protocol: list[0].Protocol, Baseline: baseline}
	cells := map[key]runfmt.Result{}
	for _, r := range list {
		k := key{r.Method, r.Dataset, r.Seed}
		if other, ok := cells[k]; ok {
			return Table{}, fmt.Errorf("table: %s on %s, seed %d, has two results (configurations %.8s and %.8s); name the run folders",
				r.Method, r.Dataset, r.Seed, other.Config, r.Config)
		}
		if r.Protocol != t.Protocol {
			return Table{}, fmt.Errorf("table: protocols %s and %s do not fit one table", t.Protocol, r.Protocol)
		}
		cells[k] = r
		t.Methods = appendNew(t.Methods, r.Method)
		t.Datasets = appendNew(t.Datasets, r.Dataset)
		t.Seeds = appendNew(t.Seeds, r.Seed)
	}
	slices.Sort(t.Seeds)
	for _, d := range t.Datasets {
		for _, m := range t.Methods {
			if of := t.pick(cells, m, d); len(of) > 0 {
				row := newRow(m, of)
				row.Dataset = d
				row.Diff = t.diff(cells, m, d)
				t.Rows = append(t.Rows, row)
			}
		}
	}
	for _, m := range t.Methods {
		t.Average = append(t.Average, t.average(cells, m))
	}
	return t, nil
}

// marked is a method's name, with the mark of those that have seeds that collapsed.
func (t Table) marked(method string) string {
	if slices.ContainsFunc(t.Rows, func(r Row) bool { return r.Method == method && len(r.Collapsed) > 0 }) {
		return method + " " + collapsedMark
	}
	return method
}

// pick is the results of a method on a data set ("": on all), by data set and seed.
func (t Table) pick(cells map[key]runfmt.Result, method, dataset string) []runfmt.Result {
	var of []runfmt.Result
	for _, d := range t.Datasets {
		for _, s := range t.Seeds {
			if r, ok := cells[key{method, d, s}]; ok && (dataset == "" || d == dataset) {
				of = append(of, r)
			}
		}
	}
	return of
}

func (t Table) diff(cells map[key]runfmt.Result, method, dataset string) *Interval {
	if method == t.Baseline {
		return nil
	}
	var diffs []float64
	for _, r := range t.pick(cells, method, dataset) {
		if base, ok := cells[key{t.Baseline, r.Dataset, r.Seed}]; ok {
			diffs = append(diffs, r.HM-base.HM)
		}
	}
	if len(diffs) == 0 {
		return nil
	}
	iv := Bootstrap(diffs)
	return &iv
}

func (t Table) average(cells map[key]runfmt.Result, method string) Row {
	row := newRow(method, t.pick(cells, method, ""))
	for _, m := range []struct {
		stat *Stat
		of   func(runfmt.Result) float64
	}{{&row.Base, base}, {&row.Novel, novel}, {&row.HM, hm}} {
		*m.stat = t.averageStat(cells, method, m.of)
	}
	row.Diff = t.diff(cells, method, "")
	return row
}

func (t Table) averageStat(cells map[key]runfmt.Result, method string, of func(runfmt.Result) float64) Stat {
	var sets, seeds []float64
	for _, d := range t.Datasets {
		if rs := t.pick(cells, method, d); len(rs) > 0 {
			sets = append(sets, newStat(each(rs, of)).Mean)
		}
	}
	for _, s := range t.Seeds {
		var values []float64
		for _, d := range t.Datasets {
			if r, ok := cells[key{method, d, s}]; ok {
				values = append(values, of(r))
			}
		}
		// A seed that lacks a data set would bring that data set's difficulty
		// into the spread.
		if len(values) == len(sets) {
			seeds = append(seeds, newStat(values).Mean)
		}
	}
	return Stat{Mean: newStat(sets).Mean, Std: newStat(seeds).Std, N: len(seeds)}
}

func newRow(method string, of []runfmt.Result) Row {
	row := Row{
		Method: method,
		Base:   newStat(each(of, base)), Novel: newStat(each(of, novel)), HM: newStat(each(of, hm)),
		ImagesPerSecond:  mean(of, func(r runfmt.Result) float64 { return r.ImagesPerSecond }),
		TrainSeconds:     mean(of, func(r runfmt.Result) float64 { return r.TrainSeconds }),
		EvalSeconds:      mean(of, func(r runfmt.Result) float64 { return r.EvalSeconds }),
		TrainableScalars: of[0].TrainableScalars,
		PromptScalars:    of[0].PromptScalars,
	}
	for _, r := range of {
		if r.Collapsed() != "" {
			row.Collapsed = append(row.Collapsed, r.Seed)
		}
	}
	seen := slices.DeleteFunc(slices.Clone(of), func(r runfmt.Result) bool { return r.OnObject == nil })
	if len(seen) > 0 {
		row.OnObject = &runfmt.OnObject{
			Top1:   mean(seen, func(r runfmt.Result) float64 { return r.OnObject.Top1 }),
			Top3:   mean(seen, func(r runfmt.Result) float64 { return r.OnObject.Top3 }),
			Top5:   mean(seen, func(r runfmt.Result) float64 { return r.OnObject.Top5 }),
			Chance: mean(seen, func(r runfmt.Result) float64 { return r.OnObject.Chance }),
		}
	}
	return row
}

// JSON is the table for programs.
func (t Table) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	return append(text, '\n'), nil
}

func base(r runfmt.Result) float64  { return r.Base }
func novel(r runfmt.Result) float64 { return r.Novel }
func hm(r runfmt.Result) float64    { return r.HM }

func each(list []runfmt.Result, of func(runfmt.Result) float64) []float64 {
	values := make([]float64, len(list))
	for i, r := range list {
		values[i] = of(r)
	}
	return values
}

func mean(list []runfmt.Result, of func(runfmt.Result) float64) float64 {
	return newStat(each(list, of)).Mean
}

func appendNew[T comparable](list []T, item T) []T {
	if slices.Contains(list, item) {
		return list
	}
	return append(list, item)
}
