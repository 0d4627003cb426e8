package results

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"html/template"
	"path/filepath"
	"slices"
	"strconv"

	"spotlighter/experiments/runfmt"
)

func newPicture(x runfmt.Example) picture {
	p := picture{
		Data:  template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(x.PNG)),
		Class: x.Class, Caption: x.Caption, Right: x.Right,
	}
	place := func(tokens []int) (list []square) {
		side := 100 / float64(max(x.Grid, 1))
		for _, t := range tokens {
			if t >= 0 && t < x.Grid*x.Grid {
				list = append(list, square{side * float64(t%x.Grid), side * float64(t/x.Grid), side})
			}
		}
		return list
	}
	p.Level1, p.Level2 = place(x.Level1), place(x.Level2)
	return p
}

func words(s string) cell { return cell{Text: s} }

func number(v float64, format string) cell {
	return cell{Text: fmt.Sprintf(format, v), Sort: sortKey(v), Numeric: true}
}

func sortKey(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func methodCell(name string, styles []string) cell {
	return cell{Text: name, Series: seriesClass(slices.Index(styles, name))}
}

// rowCell names a row's method, with the mark of seeds that collapsed.
func rowCell(r Row, styles []string) cell {
	c := methodCell(r.Method, styles)
	if len(r.Collapsed) > 0 {
		c.Text += " " + collapsedMark
	}
	return c
}

func statCell(s Stat) cell { return cell{Text: spread(s), Sort: sortKey(s.Mean), Numeric: true} }

func diffCell(d *Interval) cell {
	if d == nil {
		return cell{Numeric: true}
	}
	return cell{Text: difference(d, true), Sort: sortKey(d.Mean), Numeric: true}
}

func heads(names ...string) []headCell {
	list := make([]headCell, len(names))
	for i, n := range names {
		list[i] = headCell{Text: n}
	}
	return list
}

func numeric(names ...string) []headCell {
	list := heads(names...)
	for i := range list {
		list[i].Numeric = true
	}
	return list
}

// resultTables are the average first, then a table a data set.
func resultTables(group string, t Table, styles []string) []sheetTable {
	names := measureNames([]string{t.Protocol})
	head := append(heads("method"), numeric(append(slices.Clone(names), rankName(t.Protocol)+" − "+t.Baseline, "img/s", "scalars", "on object")...)...)
	var list []sheetTable
	blocks := t.blocks()
	if n := len(blocks); n > 1 {
		blocks = append([]block{blocks[n-1]}, blocks[:n-1]...)
	}
	for i, b := range blocks {
		table := sheetTable{ID: fmt.Sprintf("t%s%d", group, i), Caption: b.title, Head: head}
		for _, r := range b.rows {
			on := cell{Numeric: true}
			if r.OnObject != nil {
				on = cell{Text: onObject(r), Sort: sortKey(r.OnObject.Top3), Numeric: true}
			}
			row := append([]cell{rowCell(r, styles)}, measureCells(r, t.Protocol, names)...)
			table.Rows = append(table.Rows, append(row, diffCell(r.Diff),
				number(r.ImagesPerSecond, "%.0f"), cell{Text: scalars(r), Sort: strconv.Itoa(r.TrainableScalars), Numeric: true}, on))
		}
		list = append(list, table.withoutEmpty())
	}
	list[len(list)-1].Note = t.legend()
	return list
}

// overviewTable is a row a group and method, of the average over data sets.
func overviewTable(groups []Group, baseline string, styles []string) (*sheetTable, error) {
	diffs := Differences(groups)
	t := &sheetTable{ID: "overview", Caption: "All settings, average over data sets", Head: heads("group")}
	for _, d := range diffs {
		numbers := !slices.ContainsFunc(d.Values, func(v string) bool { return v != "" && !isNumber(v) })
		t.Head = append(t.Head, headCell{d.Key, numbers})
	}
	t.Head = append(t.Head, heads("method")...)
	var protocols []string
	for _, g := range groups {
		for _, r := range Results(g.All()) {
			protocols = appendNew(protocols, r.Protocol)
		}
	}
	names := measureNames(protocols)
	t.Head = append(t.Head, numeric(append(slices.Clone(names), rankNames(protocols)+" − "+baseline)...)...)
	for i, g := range groups {
		list := Results(g.All())
		if len(list) == 0 {
			continue
		}
		table, err := New(list, baseline)
		if err != nil {
			return nil, err
		}
		own := Methods(g.Folders)
		for _, r := range table.Average {
			if !slices.Contains(own, r.Method) {
				continue
			}
			row := []cell{words(g.Name)}
			for j, d := range diffs {
				row = append(row, cell{Text: d.Values[i], Numeric: t.Head[j+1].Numeric})
			}
			row = append(append(row, rowCell(r, styles)), measureCells(r, table.Protocol, names)...)
			t.Rows = append(t.Rows, append(row, diffCell(r.Diff)))
		}
	}
	full := t.withoutEmpty()
	return &full, nil
}

// withoutEmpty leaves out the columns that no row has anything in.
func (t sheetTable) withoutEmpty() sheetTable {
	var head []headCell
	rows := make([][]cell, len(t.Rows))
	for i, h := range t.Head {
		if !slices.ContainsFunc(t.Rows, func(r []cell) bool { return r[i].Text != "" }) {
			continue
		}
		head = append(head, h)
		for j, r := range t.Rows {
			rows[j] = append(rows[j], r[i])
		}
	}
	t.Head, t.Rows = head, rows
	return t
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

func diffsTable(groups []Group, diffs []Difference) *sheetTable {
	t := &sheetTable{ID: "differences", Caption: "Settings that differ", Head: heads("setting")}
	for _, g := range groups {
		t.Head = append(t.Head, headCell{Text: g.Name})
	}
	row := []cell{words("runs")}
	for _, g := range groups {
		row = append(row, words(strconv.Itoa(len(g.Folders))))
	}
	t.Rows = append(t.Rows, row)
	for _, d := range diffs {
		row := []cell{words(d.Key)}
		for _, v := range d.Values {
			row = append(row, words(cmp.Or(v, "—")))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func runsTable(folders []Folder, groups []Group, styles []string) sheetTable {
	t := sheetTable{ID: "runs", Caption: "Run folders", Head: append(heads("run", "state", "group", "dataset", "method"), numeric("seed")...)}
	names := measureNames(protocolsOf(folders))
	t.Head = append(t.Head, numeric(append(slices.Clone(names), "epochs", "loss", "train, s", "evaluate, s")...)...)
	t.Head = append(t.Head, heads("program", "processor", "host")...)
	of := map[string]string{}
	for _, g := range groups {
		for _, f := range g.Folders {
			of[f.Dir] = g.Name
		}
	}
	for _, f := range folders {
		row := []cell{words(filepath.Base(f.Dir)), {Text: string(f.State), State: f.State}, words(of[f.Dir]), words(f.Dataset), methodCell(f.Method, styles), number(float64(f.Seed), "%.0f")}
		if r := f.Result; r != nil {
			row = append(append(row, resultCells(r, names)...), number(float64(r.Epochs), "%.0f"))
			loss := cell{Numeric: true}
			if r.Epochs > 0 {
				loss = number(r.FinalLoss, "%.3f")
			}
			row = append(row, loss, number(r.TrainSeconds, "%.1f"), number(r.EvalSeconds, "%.1f"))
		} else {
			blank := cell{Numeric: true}
			epochs, loss := blank, blank
			if n := len(f.Metrics); n > 0 {
				epochs = cell{Text: fmt.Sprintf("%d of %s", f.Metrics[n-1].Epoch, cmp.Or(f.Setting("train.epochs"), "?")), Sort: strconv.Itoa(f.Metrics[n-1].Epoch), Numeric: true}
				if v, ok := f.Metrics[n-1].Values["loss"]; ok {
					loss = number(v, "%.3f")
				}
			}
			row = append(append(row, slices.Repeat([]cell{blank}, len(names))...), epochs, loss, blank, blank)
		}
		host := f.Origin.Host
		if f.Result == nil && f.Holder != "" {
			host = f.Holder
		}
		t.Rows = append(t.Rows, append(row, words(program(f.Origin)), words(f.Origin.CPU), words(host)))
	}
	return t
}

func program(o Origin) string {
	s := o.Version
	if o.Revision != "" {
		s = fmt.Sprintf("%.10s", o.Revision)
	}
	if o.Dirty {
		s += " + changes"
	}
	return s
}
