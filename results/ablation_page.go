package results

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Markdown is the page: what each change is worth, the tables, and the plots in
// folder, of the tables that have one.
func (a Ablations) Markdown(folder string, plots map[string]bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Ablations\n\n    %s\n\n", strings.ReplaceAll(a.Command, "\n", " "))
	b.WriteString(a.setting())
	if left := a.left(); left != "" {
		fmt.Fprintf(&b, "\n%s\n", left)
	}
	b.WriteString(a.worth())
	for _, t := range a.Tables {
		fmt.Fprintf(&b, "\n## %s\n\n", t.Title)
		if t.About != "" {
			b.WriteString(t.About + "\n\n")
		}
		b.WriteString(t.writer().RenderMarkdown() + "\n")
		b.WriteString(t.notes())
		if plots[t.Name] {
			fmt.Fprintf(&b, "\n![%s](%s/%s.png)\n", t.Title, folder, t.Name)
		}
	}
	return b.String()
}

// Terminal is the tables for people at a terminal.
func (a Ablations) Terminal() string {
	var b strings.Builder
	for _, t := range a.Tables {
		w := t.writer()
		w.SuppressTrailingSpaces()
		style := table.StyleLight
		style.Options = table.OptionsNoBordersAndSeparators
		style.Options.SeparateHeader = true
		style.Format.Header = text.FormatDefault
		style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
		w.SetStyle(style)
		fmt.Fprintf(&b, "%s\n%s\n%s\n", t.Title, w.Render(), t.notes())
	}
	b.WriteString(a.setting())
	if left := a.left(); left != "" {
		fmt.Fprintf(&b, "%s\n", left)
	}
	return b.String()
}

// setting says what the numbers are.
func (a Ablations) setting() string {
	return fmt.Sprintf(`Base to novel on %s (%s) with %s. Accuracies in percent, mean ± standard
deviation over the seeds; HM: harmonic mean of base and novel. The last columns compare
each row with the first of its table, by pairs of the same data set and seed: the mean
difference in HM with its 95%% bootstrap interval, and the p-value of Wilcoxon's
signed-rank test. On object: how many of the 1, 3 and 5 tokens kept first lie on the
object, and, in brackets, of random ones.
`, count(len(a.sets), "data set"), strings.Join(a.sets, ", "), count(len(a.seeds), "seed"))
}

// left says how many runs are missing.
func (a Ablations) left() string {
	missing := 0
	for _, t := range a.Tables {
		for _, r := range t.Rows {
			missing += r.Planned - len(r.Runs)
		}
	}
	if missing == 0 {
		return ""
	}
	return fmt.Sprintf("Not finished: %s missing, and rows without them have no numbers.", count(missing, "run"))
}

// change is one row of the page against its reference.
type change struct {
	table Ablation
	AblationRow
}

// worth lists all changes by what is known of them: those that lose, those that
// gain, and those that were not told apart from nothing.
func (a Ablations) worth() string {
	var loses, gains, open []change
	for _, t := range a.Tables {
		for _, r := range t.Rows {
			c := change{t, r}
			switch {
			case r.test == nil || r.test.Pairs < 2:
			case r.test.High < 0:
				loses = append(loses, c)
			case r.test.Low > 0:
				gains = append(gains, c)
			default:
				open = append(open, c)
			}
		}
	}
	all := len(loses) + len(gains) + len(open)
	if all == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n## What the changes are worth\n\nOf %s, %d lose and %d gain: their intervals lie below and above zero. The others\n(%d) were not told apart from no change. Of so many intervals about %.0f would miss zero by\nchance if no change did anything.\n",
		count(all, "change"), len(loses), len(gains), len(open), .05*float64(all))
	for _, part := range []struct {
		title string
		list  []change
	}{{"Loses", loses}, {"Gains", gains}, {"Not told apart", open}} {
		if len(part.list) == 0 {
			continue
		}
		slices.SortStableFunc(part.list, func(x, y change) int { return cmp.Compare(x.test.Mean, y.test.Mean) })
		if part.title == "Gains" {
			slices.Reverse(part.list)
		}
		w := table.NewWriter()
		w.AppendHeader(table.Row{part.title, "in place of", "table", "HM", "difference [95%]"})
		w.SetColumnConfigs([]table.ColumnConfig{right(4), right(5)})
		for _, c := range part.list {
			w.AppendRow(table.Row{c.Name, c.table.Rows[0].Name, c.table.Title, spread(c.row.HM), difference(&c.test.Interval, true)})
		}
		b.WriteString("\n" + w.RenderMarkdown() + "\n")
	}
	return b.String()
}

func right(column int) table.ColumnConfig {
	return table.ColumnConfig{Number: column, Align: text.AlignRight, AlignHeader: text.AlignRight}
}

func (t Ablation) writer() table.Writer {
	w := table.NewWriter()
	w.AppendHeader(table.Row{cmp.Or(t.Key, "row"), "base", "novel", "HM", "difference [95%]", "p", "scalars", "on object, %"})
	var columns []table.ColumnConfig
	for i := 2; i <= 8; i++ {
		columns = append(columns, right(i))
	}
	w.SetColumnConfigs(columns)
	for _, r := range t.Rows {
		if !r.complete() {
			w.AppendRow(table.Row{r.Name, "", "", "", fmt.Sprintf("%d of %s", len(r.Runs), count(r.Planned, "run"))})
			continue
		}
		name, diff, p, on := r.Name, "", "", ""
		if len(r.row.Collapsed) > 0 {
			name += " " + collapsedMark
		}
		if r.test != nil {
			diff = difference(&r.test.Interval, true)
			if r.test.Pairs > 1 {
				p = fmt.Sprintf("%.3f", r.test.P)
			}
		}
		if o := r.row.OnObject; o != nil {
			on = fmt.Sprintf("%.0f, %.0f, %.0f (%.0f)", o.Top1, o.Top3, o.Top5, o.Chance)
		}
		w.AppendRow(table.Row{name, spread(r.row.Base), spread(r.row.Novel), spread(r.row.HM), diff, p, scalars(r.row), on})
	}
	return w
}

// notes name the collapsed seeds.
func (t Ablation) notes() string {
	var b strings.Builder
	for _, r := range t.Rows {
		for _, run := range r.Runs {
			if fault := run.Collapsed(); fault != "" {
				fmt.Fprintf(&b, "\n%s %s collapsed on %s with seed %d (%s); the mean includes it.\n", collapsedMark, r.Name, run.Dataset, run.Seed, fault)
			}
		}
	}
	return b.String()
}
