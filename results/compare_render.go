package results

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// TableFormats are what a comparison can be written as.
var TableFormats = []string{"md", "tex", "csv", "json", "html"}

// Render is the table in one of TableFormats.
func (c Comparison) Render(format string) ([]byte, error) {
	switch format {
	case "md":
		return []byte(c.Markdown()), nil
	case "tex":
		return []byte(c.LaTeX()), nil
	case "csv":
		return c.CSV()
	case "json":
		return c.JSON()
	case "html":
		return c.HTML()
	}
	return nil, fmt.Errorf("table: format %q, want one of %s", format, strings.Join(TableFormats, ", "))
}

// grid is the table as words: a header and rows.
func (c Comparison) grid() (head []string, rows [][]string) {
	head = []string{"data set", "method", "seeds"}
	var printed []bool // metrics that the literature has
	for i, name := range c.Metrics {
		has := slices.ContainsFunc(c.Rows, func(r CompareRow) bool { return r.Cells[i].Paper != nil })
		head = append(head, name)
		if printed = append(printed, has); has {
			head = append(head, "paper", "ours - paper")
		}
	}
	timed := slices.ContainsFunc(c.Rows, func(r CompareRow) bool { return r.Seconds > 0 })
	if timed {
		head = append(head, secondsColumn)
	}
	for _, r := range c.Rows {
		method := r.Method
		if len(r.Collapsed) > 0 {
			method += " " + collapsedMark
		}
		row := []string{r.Group, method, fmt.Sprintf("%d/%d", r.Done, r.Of)}
		for i, m := range r.Cells {
			row = append(row, "")
			if m.Ours != nil {
				row[len(row)-1] = plusMinus(*m.Ours)
			}
			if !printed[i] {
				continue
			}
			value, difference := "", ""
			if m.Paper != nil {
				value = fmt.Sprintf("%.2f", *m.Paper)
				if m.Inconsistent {
					value += " " + inconsistentMark
				}
			}
			if m.Difference != nil {
				difference = fmt.Sprintf("%+.2f", *m.Difference)
			}
			row = append(row, value, difference)
		}
		if timed {
			row = append(row, "")
			if r.Seconds > 0 {
				row[len(row)-1] = fmt.Sprintf("%.1f", r.Seconds)
			}
		}
		rows = append(rows, row)
	}
	return head, rows
}

// secondsColumn is CompareRow.Seconds.
const secondsColumn = "seconds"

func plusMinus(s Stat) string {
	if s.N < 2 || s.Std == 0 {
		return fmt.Sprintf("%.2f", s.Mean)
	}
	return fmt.Sprintf("%.2f ± %.2f", s.Mean, s.Std)
}

// Legend is what stands below the table, a line each.
func (c Comparison) Legend() []string {
	lines := []string{fmt.Sprintf("%s; in percent, mean ± standard deviation over %s.", c.Protocol, count(len(c.Seeds), "seed"))}
	if slices.Contains(c.Metrics, metricSeedHM) {
		lines = append(lines, metricSeedHM+": each seed's harmonic mean, averaged. "+metricMeansHM+": the harmonic mean of the averages, as the paper computes it.")
	} else {
		lines[0] += " ECE: expected calibration error."
	}
	if slices.ContainsFunc(c.Rows, func(r CompareRow) bool { return r.Seconds > 0 }) {
		lines = append(lines, secondsColumn+": of training and testing a run, on the mean; the frozen image encoder's features, which methods share, are apart.")
	}
	for _, t := range c.Tests {
		how := "normal"
		if t.Exact {
			how = "exact"
		}
		lines = append(lines, fmt.Sprintf("%s - %s: %s %+.2f, 95%% bootstrap interval [%+.2f, %+.2f], Wilcoxon signed-rank p = %.3g (%s), %d above and %d below in %s of data set and seed.",
			t.Method, t.Baseline, c.tested(), t.Mean, t.Low, t.High, t.P, how, t.Wins, t.Losses, count(t.Interval.Pairs, "pair")))
	}
	return append(lines, c.Notes...)
}

// tested is the number that the paired tests compare, Result.HM in words.
func (c Comparison) tested() string {
	switch {
	case slices.Contains(c.Metrics, metricSeedHM):
		return "HM"
	case slices.ContainsFunc(c.Rows, func(r CompareRow) bool { return strings.Contains(r.Group, fromSource) }):
		return "HM of source and mean target"
	}
	return "top-1"
}

func (c Comparison) writer() table.Writer {
	w := table.NewWriter()
	head, rows := c.grid()
	w.AppendHeader(tableRow(head))
	var columns []table.ColumnConfig
	for i := 3; i <= len(head); i++ {
		columns = append(columns, table.ColumnConfig{Number: i, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	w.SetColumnConfigs(columns)
	for _, row := range rows {
		w.AppendRow(tableRow(row))
	}
	return w
}

func tableRow(words []string) table.Row {
	row := make(table.Row, len(words))
	for i, w := range words {
		row[i] = w
	}
	return row
}

// Terminal is the table as text.
func (c Comparison) Terminal() string {
	w := c.writer()
	w.SuppressTrailingSpaces()
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Options.SeparateHeader = true
	style.Format.Header = text.FormatDefault
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	w.SetStyle(style)
	head, _ := c.grid()
	var columns []table.ColumnConfig
	for i := 3; i <= len(head); i++ { // a terminal breaks the headers of numbers
		columns = append(columns, table.ColumnConfig{Number: i, WidthMax: 16, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	w.SetColumnConfigs(columns)
	return w.Render() + "\n\n" + strings.Join(c.Legend(), "\n") + "\n"
}

// Markdown is the table as GitHub's Markdown, with the command that makes it.
func (c Comparison) Markdown() string {
	return fmt.Sprintf("```\n%s\n```\n\n%s\n\n%s\n", c.Command, c.writer().RenderMarkdown(), strings.Join(c.Legend(), "  \n"))
}

// CSV is the table as comma-separated values, without the legend.
func (c Comparison) CSV() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	head := []string{"group", "method", "metric", "mean", "std", "seeds", "paper", "difference", "paper_inconsistent", "collapsed_seeds", "seconds"}
	if err := w.Write(head); err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	for _, r := range c.Rows {
		for i, m := range r.Cells {
			row := []string{r.Group, r.Method, c.Metrics[i], "", "", "", "", "", fmt.Sprint(m.Inconsistent), strings.Trim(fmt.Sprint(r.Collapsed), "[]"), fmt.Sprintf("%.3f", r.Seconds)}
			if m.Ours != nil {
				row[3], row[5] = fmt.Sprintf("%.4f", m.Ours.Mean), fmt.Sprint(m.Ours.N)
				if m.Ours.N > 1 {
					row[4] = fmt.Sprintf("%.4f", m.Ours.Std)
				}
			}
			if m.Paper != nil {
				row[6] = fmt.Sprintf("%.2f", *m.Paper)
			}
			if m.Difference != nil {
				row[7] = fmt.Sprintf("%.4f", *m.Difference)
			}
			if err := w.Write(row); err != nil {
				return nil, fmt.Errorf("table: %w", err)
			}
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// LaTeX is the table for the package booktabs.
func (c Comparison) LaTeX() string {
	head, rows := c.grid()
	var b strings.Builder
	fmt.Fprintf(&b, "%% %s\n%% Needs \\usepackage{booktabs}.\n\\begin{table}\n\\centering\n\\begin{tabular}{ll%s}\n\\toprule\n",
		strings.Join(strings.Fields(c.Command), " "), strings.Repeat("r", len(head)-2))
	line := func(words []string) {
		cells := make([]string, len(words))
		for i, w := range words {
			cells[i] = latex(w)
		}
		b.WriteString(strings.Join(cells, " & ") + ` \\` + "\n")
	}
	line(head)
	for i, row := range rows {
		if i == 0 || row[0] != rows[i-1][0] {
			b.WriteString("\\midrule\n")
		}
		line(row)
	}
	caption := make([]string, len(c.Legend()))
	for i, l := range c.Legend() {
		caption[i] = latex(l)
	}
	fmt.Fprintf(&b, "\\bottomrule\n\\end{tabular}\n\\caption{%s}\n\\end{table}\n", strings.Join(caption, "\n"))
	return b.String()
}

// latex escapes text.
func latex(s string) string {
	return strings.NewReplacer(`\`, `\textbackslash{}`, `&`, `\&`, `%`, `\%`, `$`, `\$`, `#`, `\#`, `_`, `\_`, `{`, `\{`, `}`, `\}`,
		`~`, `\textasciitilde{}`, `^`, `\textasciicircum{}`, "±", `$\pm$`, inconsistentMark, `$\dagger$`, collapsedMark, `$\ddagger$`).Replace(s)
}

var comparePage = template.Must(template.New("table").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Table.Protocol}}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff }
pre { white-space: pre-wrap }
div { overflow-x: auto }
table { border-collapse: collapse; border-block: 2px solid; white-space: nowrap }
th, td { padding: .2rem .7rem; text-align: right }
th { border-bottom: 1px solid; font-weight: 600 }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left }
tr.group td { border-top: 1px solid #bbb }
</style>
<h1>{{.Table.Protocol}}</h1>
<pre>{{.Table.Command}}</pre>
<div tabindex="0"><table>
<thead><tr>{{range .Head}}<th scope="col">{{.}}</th>{{end}}</tr></thead>
<tbody>
{{range .Rows}}<tr{{if .First}} class="group"{{end}}>{{range .Words}}<td>{{.}}</td>{{end}}</tr>
{{end}}</tbody>
</table></div>
{{range .Table.Legend}}<p>{{.}}</p>
{{end}}</html>
`))

// HTML is the table as a page of its own.
func (c Comparison) HTML() ([]byte, error) {
	type row struct {
		Words []string
		First bool // of its group
	}
	head, words := c.grid()
	page := struct {
		Table Comparison
		Head  []string
		Rows  []row
	}{Table: c, Head: head}
	for i, w := range words {
		page.Rows = append(page.Rows, row{w, i > 0 && w[0] != words[i-1][0]})
	}
	var b bytes.Buffer
	if err := comparePage.Execute(&b, page); err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	return b.Bytes(), nil
}
