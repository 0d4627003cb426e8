package sweep

import (
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/gonum/stat"

	"spotlighter/experiments"
	"spotlighter/experiments/runfmt"
)

// Looker looks at the run folder of that name.
type Looker func(folder string) (experiments.Look, error)

// Metrics are what trials can be ranked by, all in percent.
var Metrics = []string{"hm", "base", "novel"}

var metrics = map[string]func(runfmt.Result) float64{
	"hm":    func(r runfmt.Result) float64 { return r.HM },
	"base":  func(r runfmt.Result) float64 { return r.Base },
	"novel": func(r runfmt.Result) float64 { return r.Novel },
}

// Stat is a mean over N values and their standard deviation (N-1 in the
// denominator), 0 for a single value.
type Stat struct {
	Mean float64 `json:"mean"`
	Std  float64 `json:"std"`
	N    int     `json:"n"`
}

func newStat(values []float64) Stat {
	switch len(values) {
	case 0:
		return Stat{}
	case 1:
		return Stat{Mean: values[0], N: 1}
	}
	mean, std := stat.MeanStdDev(values, nil)
	return Stat{Mean: mean, Std: std, N: len(values)}
}

// score is what the finished runs of one rung of a trial say.
type score struct {
	Stat
	bySeed  map[int]float64 // the metric
	results []runfmt.Result
	broken  int
}

func (p *Plan) score(t *Trial, rung int, look Looker) score {
	s := score{bySeed: map[int]float64{}}
	var values []float64
	for _, run := range t.Rungs[rung] {
		l, err := look(run.Folder)
		switch {
		case err != nil || l.Broken():
			s.broken++
		case l.State == experiments.Done:
			v := metrics[p.Metric](l.Result)
			s.bySeed[run.Seed] = v
			values = append(values, v)
			s.results = append(s.results, l.Result)
		}
	}
	s.Stat = newStat(values)
	return s
}

// of is the mean and deviation of another value of the same runs.
func (s score) of(value func(runfmt.Result) float64) Stat {
	values := make([]float64, len(s.results))
	for i, r := range s.results {
		values[i] = value(r)
	}
	return newStat(values)
}

// collapsed are the runs that did, in the order of the plan's seeds.
func (s score) collapsed() []Collapse {
	var list []Collapse
	for _, r := range s.results {
		if fault := r.Collapsed(); fault != "" {
			list = append(list, Collapse{r.Seed, fault})
		}
	}
	return list
}

// number reads a value that is a finite number.
func number(text string) (float64, bool) {
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// numbers reads all of them, or none.
func numbers(values []string) ([]float64, bool) {
	list := make([]float64, len(values))
	for i, v := range values {
		f, ok := number(v)
		if !ok {
			return nil, false
		}
		list[i] = f
	}
	return list, len(list) > 0
}

// distinct are the values in the order of a person: numbers by size, words as
// they come.
func distinct(values []string) []string {
	var list []string
	for _, v := range values {
		if !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	if _, ok := numbers(list); ok {
		slices.SortStableFunc(list, func(a, b string) int {
			x, _ := number(a)
			y, _ := number(b)
			return better(y, x)
		})
	}
	return list
}
