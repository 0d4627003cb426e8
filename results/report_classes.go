package results

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// classRows bounds a table of classes: the most gained and the most lost stay.
const classRows = 60

// classTables are the classes one by one, one table a data set: zero-shot, and
// each method's change against it, over all seeds.
func classTables(group string, runs []Folder, styles []string) []sheetTable {
	var list []sheetTable
	var datasets []string
	for _, f := range runs {
		if f.Result != nil && f.Result.Classes != nil {
			datasets = appendNew(datasets, f.Dataset)
		}
	}
	for _, d := range datasets {
		zero := classCounts(runs, d, zeroShot)
		if zero == nil {
			continue
		}
		if t, ok := classTable(d, zero, runs, styles); ok {
			t.ID = fmt.Sprintf("c%s%d", group, len(list))
			list = append(list, t)
		}
	}
	return list
}

func classTable(dataset string, zero *classCount, runs []Folder, styles []string) (sheetTable, bool) {
	t := sheetTable{Caption: dataset, Head: append(heads("class", "half"), numeric("images", zeroShot)...)}
	halves := zero.base < len(zero.names)
	var methods []string
	var counts []*classCount
	for _, m := range styles {
		if c := classCounts(runs, dataset, m); m != zeroShot && c != nil && slices.Equal(c.names, zero.names) {
			methods, counts = append(methods, m), append(counts, c)
			t.Head = append(t.Head, headCell{m, true})
		}
	}
	if len(methods) == 0 {
		return t, false
	}
	var widest float64
	change := func(c *classCount, i int) float64 { return c.share(i) - zero.share(i) }
	for _, c := range counts {
		for i := range zero.names {
			widest = max(widest, math.Abs(change(c, i)))
		}
	}
	// The last method's largest gains come first.
	order := make([]int, len(zero.names))
	for i := range order {
		order[i] = i
	}
	last := counts[len(counts)-1]
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(change(last, b), change(last, a)) })
	if n := len(order); n > classRows {
		order = append(order[:classRows/2:classRows/2], order[n-classRows/2:]...)
		t.Note = fmt.Sprintf("The %d classes that %s gains most on and the %d that it loses most on, of %d.", classRows/2, methods[len(methods)-1], classRows/2, n)
	}
	for _, i := range order {
		half := ""
		switch {
		case halves && i < zero.base:
			half = "base"
		case halves:
			half = "novel"
		}
		row := []cell{words(zero.names[i]), words(half), number(float64(zero.images[i]/zero.runs), "%.0f"), number(zero.share(i), "%.1f")}
		for _, c := range counts {
			v := change(c, i)
			x := number(v, "%+.1f")
			if v == 0 {
				x.Text = "0"
			} else {
				x.Bar = &bar{Up: v > 0, Width: 100 * math.Abs(v) / widest}
			}
			row = append(row, x)
		}
		t.Rows = append(t.Rows, row)
	}
	return t.withoutEmpty(), true
}

// classCount is the classes' counts over several runs.
type classCount struct {
	names         []string
	right, images []int
	base, runs    int
}

func (c *classCount) share(i int) float64 {
	return 100 * float64(c.right[i]) / float64(max(c.images[i], 1))
}

// classCounts sums a method's runs on a data set; nil if none counts classes, or
// they count different ones.
func classCounts(runs []Folder, dataset, method string) *classCount {
	var c *classCount
	for _, f := range runs {
		if f.Dataset != dataset || f.Method != method || f.Result == nil || f.Result.Classes == nil {
			continue
		}
		names := make([]string, len(f.Result.Classes))
		for i, class := range f.Result.Classes {
			names[i] = class.Name
		}
		if c == nil {
			c = &classCount{names: names, right: make([]int, len(names)), images: make([]int, len(names)), base: f.Result.BaseClasses}
		}
		if !slices.Equal(c.names, names) {
			return nil
		}
		c.runs++
		for i, class := range f.Result.Classes {
			c.right[i] += class.Right
			c.images[i] += class.Images
		}
	}
	return c
}
