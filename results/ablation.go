package results

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"spotlighter/experiments/runfmt"
)

// Ablation is one table: a reference and what is changed in it.
type Ablation struct {
	Name  string // of its plot's file
	Title string
	About string // for a reader of the table; may be ""
	Key   string // what the rows' names are values of; "" where they are words
	Rows  []AblationRow
}

// AblationRow is one configuration, of all data sets and seeds.
type AblationRow struct {
	Name     string
	Settings []string // key=value, those in which it differs from the reference
	Runs     []runfmt.Result
	Planned  int // runs that the row wants

	row  Row       // nothing unless the row is complete
	test *PairTest // against the reference, where both are complete
}

func (r AblationRow) complete() bool { return r.Planned > 0 && len(r.Runs) == r.Planned }

// Ablations are the tables of one page.
type Ablations struct {
	Command string // that made them
	Tables  []Ablation
	seeds   []int
	sets    []string
}

// NewAblations works the tables out: each row against the first of its table, by
// pairs of the same data set and seed.
func NewAblations(command string, tables []Ablation) (Ablations, error) {
	a := Ablations{Command: command}
	for _, t := range tables {
		t.Rows = slices.Clone(t.Rows)
		for i := range t.Rows {
			r := &t.Rows[i]
			for _, run := range r.Runs {
				a.seeds, a.sets = appendNew(a.seeds, run.Seed), appendNew(a.sets, run.Dataset)
			}
			if !r.complete() {
				continue
			}
			of, err := New(r.Runs, "")
			if err != nil {
				return a, fmt.Errorf("%s, %s: %w", t.Title, r.Name, err)
			}
			r.row = of.Average[0]
			if first := t.Rows[0]; i > 0 && first.complete() {
				test := Pairs(r.Name, first.Name, paired(r.Runs, first.Runs))
				r.test = &test
			}
		}
		a.Tables = append(a.Tables, t)
	}
	slices.Sort(a.seeds)
	return a, nil
}

// paired are the differences in HM between runs of the same data set and seed.
func paired(runs, reference []runfmt.Result) []float64 {
	var diffs []float64
	for _, r := range runs {
		for _, q := range reference {
			if q.Dataset == r.Dataset && q.Seed == r.Seed {
				diffs = append(diffs, r.HM-q.HM)
			}
		}
	}
	return diffs
}

// CSV has a line a row; numbers that are not known are empty.
func (a Ablations) CSV() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	lines := [][]string{{"table", "row", "reference", "settings", "runs", "planned", "base", "base_std", "novel", "novel_std", "hm", "hm_std",
		"difference", "low", "high", "wilcoxon_p", "wins", "losses", "scalars", "prompt_scalars",
		"on_object_1", "on_object_3", "on_object_5", "chance", "images_per_second", "collapsed_seeds"}}
	for _, t := range a.Tables {
		for _, r := range t.Rows {
			line := []string{t.Name, r.Name, t.Rows[0].Name, strings.Join(r.Settings, " "), strconv.Itoa(len(r.Runs)), strconv.Itoa(r.Planned)}
			if r.complete() {
				line = append(line, numbersOf(r.row.Base.Mean, r.row.Base.Std, r.row.Novel.Mean, r.row.Novel.Std, r.row.HM.Mean, r.row.HM.Std)...)
			} else {
				line = append(line, make([]string, 6)...)
			}
			if r.test != nil {
				line = append(line, numbersOf(r.test.Mean, r.test.Low, r.test.High, r.test.P)...)
				line = append(line, strconv.Itoa(r.test.Wins), strconv.Itoa(r.test.Losses))
			} else {
				line = append(line, make([]string, 6)...)
			}
			if r.complete() {
				line = append(line, strconv.Itoa(r.row.TrainableScalars), strconv.Itoa(r.row.PromptScalars))
			} else {
				line = append(line, "", "")
			}
			if on := r.row.OnObject; on != nil {
				line = append(line, numbersOf(on.Top1, on.Top3, on.Top5, on.Chance)...)
			} else {
				line = append(line, make([]string, 4)...)
			}
			line = append(line, strconv.FormatFloat(r.row.ImagesPerSecond, 'f', 0, 64), strings.Trim(fmt.Sprint(r.row.Collapsed), "[]"))
			lines = append(lines, line)
		}
	}
	if err := w.WriteAll(lines); err != nil {
		return nil, fmt.Errorf("ablations: %w", err)
	}
	return b.Bytes(), nil
}

func numbersOf(values ...float64) []string {
	text := make([]string, len(values))
	for i, v := range values {
		text[i] = strconv.FormatFloat(v, 'f', 4, 64)
	}
	return text
}

// Plots draws each table that has at least one change that ran, and returns the
// tables' names by whether they have a plot.
func (a Ablations) Plots(folder string) (map[string]bool, error) {
	drawn := map[string]bool{}
	for _, t := range a.Tables {
		charts := t.charts()
		if charts == nil {
			continue
		}
		if err := SavePlot(filepath.Join(folder, t.Name+".png"), charts); err != nil {
			return nil, err
		}
		drawn[t.Name] = true
	}
	return drawn, nil
}

// charts are the change of HM, and how many kept tokens lie on the object.
func (t Ablation) charts() []Chart {
	var rows []AblationRow
	for _, r := range t.Rows {
		if r.complete() && (r.test != nil || len(rows) == 0) {
			rows = append(rows, r)
		}
	}
	if len(rows) < 2 {
		return nil
	}
	values := make([]float64, len(rows))
	numeric := t.Key != ""
	for i, r := range rows {
		var err error
		if values[i], err = strconv.ParseFloat(r.Name, 64); err != nil {
			numeric = false
		}
	}
	if numeric {
		order := make([]int, len(rows))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(i, j int) int { return int(math.Copysign(1, values[i]-values[j])) })
		rows, values = permute(rows, order), permute(values, order)
	}
	change := Chart{Title: t.Title, X: t.Key, Y: "HM - that of " + t.Rows[0].Name, Discrete: true, Change: true}
	on := Chart{Title: "on the object", X: t.Key, Y: "of 3 kept tokens, %", Discrete: true}
	diff, kept, chance := Series{Name: "change, 95% interval", Style: 2}, Series{Name: "kept", Style: 2}, Series{Name: "chance"}
	for i, r := range rows {
		x := float64(i)
		if numeric {
			x = values[i]
		} else {
			change.Names = append(change.Names, r.Name)
		}
		if r.test == nil {
			diff.add(x, 0, 0, 0)
		} else {
			diff.add(x, r.test.Mean, r.test.Low, r.test.High)
		}
		if o := r.row.OnObject; o != nil {
			at := float64(len(on.Names))
			if numeric {
				at = x
			} else {
				on.Names = append(on.Names, r.Name)
			}
			kept.add(at, o.Top3, o.Top3, o.Top3)
			chance.add(at, o.Chance, o.Chance, o.Chance)
		}
	}
	change.Series = []Series{diff}
	charts := []Chart{change}
	if len(kept.X) > 1 {
		on.Series = []Series{kept, chance}
		charts = append(charts, on)
	}
	return charts
}

func permute[T any](list []T, order []int) []T {
	out := make([]T, len(list))
	for i, j := range order {
		out[i] = list[j]
	}
	return out
}
