package results

import (
	"slices"

	"spotlighter/experiments/runfmt"
)

// rankName is the name of the number that ranks a protocol's methods.
func rankName(protocol string) string {
	m := runfmt.Measures(protocol)
	return m[len(m)-1].Name
}

// measureLabel is what an axis of a metric says.
func measureLabel(protocol, metric string) string {
	for _, m := range runfmt.Measures(protocol) {
		switch {
		case m.Metric != metric:
		case m.Name == "base" || m.Name == "novel" || m.Name == "source":
			return m.Name + " accuracy, %"
		case m.Name == "targets":
			return "accuracy on the targets, %"
		default:
			return m.Name + ", %"
		}
	}
	return rankName(protocol) + ", %" // a protocol of one number has it under each metric
}

// measureNames are those of all protocols given, each once.
func measureNames(protocols []string) []string {
	var names []string
	for _, p := range protocols {
		for _, m := range runfmt.Measures(p) {
			names = appendNew(names, m.Name)
		}
	}
	return names
}

// rankNames is the name of what ranks methods of all these protocols.
func rankNames(protocols []string) string {
	if len(protocols) == 1 {
		return rankName(protocols[0])
	}
	return "score"
}

// measureCells are a row's numbers below those names.
func measureCells(r Row, protocol string, names []string) []cell {
	cells := make([]cell, len(names))
	for i := range cells {
		cells[i].Numeric = true
	}
	for _, m := range runfmt.Measures(protocol) {
		if i := slices.Index(names, m.Name); i >= 0 {
			cells[i] = statCell(pickStat(r, m.Metric))
		}
	}
	return cells
}

// resultCells are one run's numbers below those names. The number that ranks has
// the mark of a run that collapsed.
func resultCells(r *runfmt.Result, names []string) []cell {
	cells := measureCells(newRow(r.Method, []runfmt.Result{*r}), r.Protocol, names)
	if i := slices.Index(names, rankName(r.Protocol)); i >= 0 && r.Collapsed() != "" {
		cells[i].Text += " " + collapsedMark
	}
	return cells
}

// setTable is a row a method and set of classes that it was tested on.
func setTable(group string, runs []Folder, styles []string) *sheetTable {
	t := &sheetTable{ID: "s" + group, Caption: "All that was tested", Head: append(heads("data set", "method", "classes"), numeric("count", "top-1", "zero-shot", "top-5", "macro", "ECE")...),
		Note: "In percent. macro: mean over the classes of each one's accuracy. ECE: expected calibration error in 15 bins. zero-shot: CLIP with hand-written prompts on the same images."}
	for _, k := range testedSets(runs, styles) {
		of := make([][]float64, 5)
		for _, s := range k.sets {
			for i, v := range []*float64{&s.Top1, &s.ZeroShot, s.Top5, &s.Macro, &s.ECE} {
				if v != nil {
					of[i] = append(of[i], *v)
				}
			}
		}
		row := []cell{words(k.dataset), methodCell(k.method, styles), words(k.set), number(float64(k.sets[0].Classes), "%.0f")}
		for _, values := range of {
			c := cell{Numeric: true}
			if len(values) > 0 {
				c = statCell(newStat(values))
			}
			row = append(row, c)
		}
		t.Rows = append(t.Rows, row)
	}
	if t.Rows == nil {
		return nil
	}
	full := t.withoutEmpty()
	return &full
}

// tested is a set of classes that a method was tested on, in each of its runs.
type tested struct {
	dataset, method, set string
	names                []string // of the classes; nil if the runs do not tell
	sets                 []runfmt.Set
}

// testedSets are those of runs, by data set, method, and the order of the test.
// Runs that tested another number of classes than the first are left out.
func testedSets(runs []Folder, styles []string) []tested {
	var list []tested
	for _, f := range runs {
		if f.Result == nil {
			continue
		}
		for _, s := range f.Result.Sets {
			i := slices.IndexFunc(list, func(k tested) bool {
				return k.dataset == f.Dataset && k.method == f.Method && k.set == s.Name
			})
			if i < 0 {
				i = len(list)
				list = append(list, tested{f.Dataset, f.Method, s.Name, f.Result.ClassNames(s), nil})
			}
			if k := &list[i]; len(k.sets) == 0 || k.sets[0].Classes == s.Classes {
				k.sets = append(k.sets, s)
			}
		}
	}
	return list
}
