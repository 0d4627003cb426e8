package results

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat"
)

// Metrics are the columns of a table that can be drawn.
var Metrics = []string{"hm", "base", "novel"}

func pickStat(r Row, metric string) Stat {
	switch metric {
	case "base":
		return r.Base
	case "novel":
		return r.Novel
	}
	return r.HM
}

func metricLabel(metric string) string {
	switch metric {
	case "lr":
		return "learning rate"
	}
	return metric
}

// Figure is the charts of one kind of what folders hold: "bars" of the tables,
// "curves" of what was measured at each epoch, "effects" of the settings in which
// the runs differ.
func Figure(kind string, folders []Folder, baseline, metric string) ([]Chart, error) {
	groups, styles := Groups(folders), Methods(folders)
	names := Metrics
	if kind == "curves" {
		if names = MetricNames(folders); len(names) == 0 {
			return nil, errors.New("plot: no run has metrics")
		}
	}
	if !slices.Contains(names, metric) {
		return nil, fmt.Errorf("plot: metric %q is none of %s", metric, strings.Join(names, ", "))
	}
	if kind == "effects" {
		charts, err := Effects(groups, baseline, metric, styles)
		if err == nil && len(charts) == 0 {
			err = errors.New("plot: the runs do not differ in their settings")
		}
		return charts, err
	}
	var all []Chart
	for _, g := range groups {
		charts, err := g.figure(kind, baseline, metric, styles)
		if err != nil {
			return nil, err
		}
		for _, c := range charts {
			if len(groups) > 1 {
				c.Title += " (" + g.Name + ")"
			}
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("plot: no run has %s", metric)
	}
	return all, nil
}

func (g Group) figure(kind, baseline, metric string, styles []string) ([]Chart, error) {
	if kind == "curves" {
		return Curves(g.Folders, metric, styles), nil
	}
	list := Results(g.All())
	if len(list) == 0 {
		return nil, nil
	}
	t, err := New(list, baseline)
	if err != nil {
		return nil, err
	}
	return []Chart{Bars(t, metric, styles)}, nil
}

// Bars is a chart of a table's methods, a group of bars a data set, with the
// standard deviation over seeds. styles numbers the methods.
func Bars(t Table, metric string, styles []string) Chart {
	c := Chart{Title: t.Protocol, Y: measureLabel(t.Protocol, metric), Names: slices.Clone(t.Datasets)}
	rows := t.Rows
	if len(t.Datasets) > 1 {
		c.Names = append(c.Names, "average")
		rows = slices.Concat(t.Rows, t.Average)
	}
	for _, m := range t.Methods {
		s := Series{Name: t.marked(m), Style: slices.Index(styles, m)}
		for _, r := range rows {
			if r.Method != m {
				continue
			}
			x := slices.Index(t.Datasets, r.Dataset)
			if r.Dataset == "" {
				if x = len(t.Datasets); len(t.Datasets) < 2 {
					continue
				}
			}
			v := pickStat(r, metric)
			s.add(float64(x), v.Mean, v.Mean-v.Std, v.Mean+v.Std)
		}
		c.Series = append(c.Series, s)
	}
	return c
}

// Curves are charts of what runs measured at each epoch, one a data set: a line
// a method, the mean over seeds, between the lowest and the highest. styles
// numbers the methods.
func Curves(folders []Folder, metric string, styles []string) []Chart {
	var charts []Chart
	byDataset := map[string][]Folder{}
	for _, f := range folders {
		if len(f.Metrics) > 0 {
			byDataset[f.Dataset] = append(byDataset[f.Dataset], f)
		}
	}
	for _, d := range slices.Sorted(maps.Keys(byDataset)) {
		c := Chart{Title: d, X: "epoch", Y: metricLabel(metric)}
		for i, m := range styles {
			if s := curve(byDataset[d], m, metric); len(s.X) > 0 {
				s.Style = i
				c.Series = append(c.Series, s)
			}
		}
		if len(c.Series) > 0 {
			charts = append(charts, c)
		}
	}
	return charts
}

func curve(folders []Folder, method, metric string) Series {
	values := map[int][]float64{}
	for _, f := range folders {
		for _, m := range f.Metrics {
			if v, ok := m.Values[metric]; ok && f.Method == method {
				values[m.Epoch] = append(values[m.Epoch], v)
			}
		}
	}
	s := Series{Name: method}
	for _, epoch := range slices.Sorted(maps.Keys(values)) {
		v := values[epoch]
		s.add(float64(epoch), stat.Mean(v, nil), slices.Min(v), slices.Max(v))
	}
	return s
}

// MetricNames are what the runs measured at each epoch, by name.
func MetricNames(folders []Folder) []string {
	names := map[string]bool{}
	for _, f := range folders {
		for _, m := range f.Metrics {
			for name := range m.Values {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Methods are the methods of folders, by name.
func Methods(folders []Folder) []string {
	var list []string
	for _, f := range folders {
		list = appendNew(list, f.Method)
	}
	slices.Sort(list)
	return list
}

// Effects are charts of a metric's average over data sets against each setting
// in which groups differ. Where several groups share a value, its point is their
// mean between the lowest and the highest; where one has it, the mean and
// standard deviation over seeds.
func Effects(groups []Group, baseline, metric string, styles []string) ([]Chart, error) {
	tables := make([]*Table, len(groups))
	for i, g := range groups {
		list := Results(g.All())
		if len(list) == 0 {
			continue
		}
		t, err := New(list, baseline)
		if err != nil {
			return nil, err
		}
		tables[i] = &t
	}
	var protocols []string
	for _, t := range tables {
		if t != nil {
			protocols = appendNew(protocols, t.Protocol)
		}
	}
	label := "score, %"
	if len(protocols) == 1 {
		label = measureLabel(protocols[0], metric)
	}
	var charts []Chart
	for _, d := range Differences(groups) {
		c := Chart{Title: d.Key, X: d.Key, Y: label + ", average", Discrete: true}
		places, names := scale(d.Values)
		if c.Names = names; names != nil {
			c.X = ""
		}
		for i, m := range styles {
			s := effect(tables, d.Values, places, m, metric)
			s.Style = i
			if len(s.X) > 0 {
				c.Series = append(c.Series, s)
			}
		}
		if len(c.Series) > 0 {
			charts = append(charts, c)
		}
	}
	return charts, nil
}

// scale places a setting's values on an axis: where they are if all are numbers,
// else one after the other, with their names.
func scale(values []string) (places map[string]float64, names []string) {
	places = map[string]float64{}
	for _, v := range values {
		x, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return categories(values)
		}
		places[v] = x
	}
	return places, nil
}

func categories(values []string) (places map[string]float64, names []string) {
	places = map[string]float64{}
	for _, v := range values {
		if _, ok := places[v]; !ok {
			places[v] = float64(len(names))
			names = append(names, cmp.Or(v, "(none)"))
		}
	}
	return places, names
}

func effect(tables []*Table, values []string, places map[string]float64, method, metric string) Series {
	found := map[float64][]Stat{}
	for i, t := range tables {
		if t == nil {
			continue
		}
		for _, r := range t.Average {
			if r.Method == method {
				x := places[values[i]]
				found[x] = append(found[x], pickStat(r, metric))
			}
		}
	}
	s := Series{Name: method}
	for _, t := range tables {
		if t != nil && t.marked(method) != method {
			s.Name = t.marked(method)
		}
	}
	for _, x := range slices.Sorted(maps.Keys(found)) {
		of := found[x]
		if len(of) == 1 {
			s.add(x, of[0].Mean, of[0].Mean-of[0].Std, of[0].Mean+of[0].Std)
			continue
		}
		var means []float64
		for _, v := range of {
			means = append(means, v.Mean)
		}
		s.add(x, stat.Mean(means, nil), slices.Min(means), slices.Max(means))
	}
	return s
}
