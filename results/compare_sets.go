package results

import (
	"slices"
	"strings"

	"spotlighter/experiments/runfmt"
	literature "spotlighter/results/paper"
)

// fromSource stands between a target and the data set that was learned on.
const fromSource = " from "

// sets makes the rows of the protocols that test whole data sets: one a set.
func (b *compareBuilder) sets() {
	for _, group := range b.groups {
		var names []string
		for _, p := range b.cells {
			if p.Group == group && p.Result != nil {
				for _, s := range p.Result.Sets {
					names = appendNew(names, s.Name)
				}
			}
		}
		if len(names) == 0 {
			names = []string{"all"}
		}
		for _, name := range names {
			title := group
			if name != "all" {
				title = name + fromSource + group
			}
			for _, m := range b.methods {
				if all, done := b.of(group, m); len(all) > 0 {
					b.Rows = append(b.Rows, b.setRow(title, name, m, all, done))
				}
			}
		}
	}
	if !slices.ContainsFunc(b.Rows, func(r CompareRow) bool { return strings.Contains(r.Group, fromSource) }) {
		b.averageRows(func(*CompareRow) {})
	}
	if len(b.groups) == 1 {
		b.targetAverage()
	}
}

func (b *compareBuilder) setRow(title, name, method string, all []Planned, done []runfmt.Result) CompareRow {
	r := b.row(title, method, all, done)
	tested := func(of func(runfmt.Set) *float64) (with []runfmt.Result, value func(runfmt.Result) float64) {
		at := func(res runfmt.Result) *float64 {
			if s, ok := res.Set(name); ok {
				return of(s)
			}
			return nil
		}
		with = slices.DeleteFunc(slices.Clone(done), func(res runfmt.Result) bool { return at(res) == nil })
		return with, func(res runfmt.Result) float64 { return *at(res) }
	}
	for i, of := range []func(runfmt.Set) *float64{
		func(s runfmt.Set) *float64 { return &s.Top1 },
		func(s runfmt.Set) *float64 { return s.Top5 },
		func(s runfmt.Set) *float64 { return &s.Macro },
		func(s runfmt.Set) *float64 { return &s.ECE },
	} {
		if with, value := tested(of); len(with) > 0 {
			r.Cells[i].measure(with, value)
		}
	}
	if b.Protocol == "cross-dataset" {
		if v, ok := literature.CrossDataset(method, name); ok {
			r.Cells[0].print(v)
		}
	}
	return r
}

// targetAverage adds the mean over the targets.
func (b *compareBuilder) targetAverage() {
	targets := slices.DeleteFunc(slices.Clone(b.Rows), func(r CompareRow) bool { return !strings.Contains(r.Group, fromSource) })
	if len(targets) > 0 {
		b.overRows(targets, "average of the targets", func(r *CompareRow) {
			if v, ok := literature.CrossDataset(r.Method, literature.Average); ok && b.Protocol == "cross-dataset" && len(targets) == 10*len(b.methods) {
				r.Cells[0].print(v)
			}
		})
	}
}
