package results

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Terminal is the table as text of at most 100 columns: a block a data set,
// then the average with the interval of the paired difference.
func (t Table) Terminal() string {
	var b strings.Builder
	for _, block := range t.blocks() {
		w := t.writer(block)
		w.SuppressTrailingSpaces()
		style := table.StyleLight
		style.Options = table.OptionsNoBordersAndSeparators
		style.Options.SeparateHeader = true
		style.Format.Header = text.FormatDefault
		style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
		w.SetStyle(style)
		fmt.Fprintf(&b, "%s\n%s\n\n", block.title, w.Render())
	}
	b.WriteString(t.legend())
	return b.String()
}

// Markdown is the table as GitHub's Markdown.
func (t Table) Markdown() string {
	var b strings.Builder
	for _, block := range t.blocks() {
		fmt.Fprintf(&b, "**%s**\n\n%s\n\n", block.title, t.writer(block).RenderMarkdown())
	}
	b.WriteString(t.legend())
	return b.String()
}

// block is a part of the table under a title; its paired differences have
// intervals only where there are enough pairs to say something: in the last.
type block struct {
	title     string
	rows      []Row
	intervals bool
}

func (t Table) blocks() []block {
	var all []block
	for _, d := range t.Datasets {
		b := block{title: d}
		for _, r := range t.Rows {
			if r.Dataset == d {
				b.rows = append(b.rows, r)
			}
		}
		all = append(all, b)
	}
	if len(t.Datasets) > 1 {
		all = append(all, block{title: fmt.Sprintf("average of %d", len(t.Datasets)), rows: t.Average})
	}
	all[len(all)-1].intervals = true
	return all
}

func (t Table) writer(b block) table.Writer {
	w := table.NewWriter()
	head := table.Row{"method", "base", "novel", "HM", "HM - " + t.Baseline, "img/s", "scalars", "on object"}
	w.AppendHeader(head)
	var columns []table.ColumnConfig
	for i := 2; i <= len(head); i++ {
		columns = append(columns, table.ColumnConfig{Number: i, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	w.SetColumnConfigs(columns)
	for _, r := range b.rows {
		method := r.Method
		if len(r.Collapsed) > 0 {
			method += " " + collapsedMark
		}
		w.AppendRow(table.Row{
			method, spread(r.Base), spread(r.Novel), spread(r.HM), difference(r.Diff, b.intervals),
			fmt.Sprintf("%.0f", r.ImagesPerSecond), scalars(r), onObject(r),
		})
	}
	return w
}

func (t Table) legend() string {
	text := t.legendOfAll()
	for _, r := range t.Rows {
		if len(r.Collapsed) > 0 {
			text += fmt.Sprintf("%s %s on %s collapsed, far below zero-shot, with seed %s; the mean includes it.\n",
				collapsedMark, r.Method, r.Dataset, strings.Trim(fmt.Sprint(r.Collapsed), "[]"))
		}
	}
	return text
}

func (t Table) legendOfAll() string {
	means := ""
	if rankName(t.Protocol) == "HM" {
		means = "; HM: harmonic mean of the two"
	}
	return fmt.Sprintf(`%s; mean ± standard deviation over %s, in percent%s.
%s - %s: paired by data set and seed, with the 95%% bootstrap interval of the mean.
img/s: images evaluated a second. scalars: trainable ones, learned context + the rest.
on object: how many of the 3 tokens kept first lie on the object (and of random ones).
`, t.Protocol, count(len(t.Seeds), "seed"), means, rankName(t.Protocol), t.Baseline)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func spread(s Stat) string {
	if s.N < 2 {
		return fmt.Sprintf("%.1f", s.Mean)
	}
	return fmt.Sprintf("%.1f ±%.1f", s.Mean, s.Std)
}

func difference(d *Interval, interval bool) string {
	switch {
	case d == nil:
		return ""
	case !interval || d.Pairs < 2:
		return fmt.Sprintf("%+.1f", d.Mean)
	}
	return fmt.Sprintf("%+.1f [%+.1f, %+.1f]", d.Mean, d.Low, d.High)
}

func scalars(r Row) string {
	if rest := r.TrainableScalars - r.PromptScalars; r.PromptScalars > 0 && rest > 0 {
		return fmt.Sprintf("%d+%d", r.PromptScalars, rest)
	}
	return fmt.Sprint(r.TrainableScalars)
}

func onObject(r Row) string {
	if r.OnObject == nil {
		return ""
	}
	return fmt.Sprintf("%.0f%% (%.0f%%)", r.OnObject.Top3, r.OnObject.Chance)
}
