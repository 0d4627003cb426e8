package sweep

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"spotlighter/experiments/runfmt"
)

// String is the mean and, of several values, the deviation.
func (s Stat) String() string {
	switch s.N {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("%.1f", s.Mean)
	}
	return fmt.Sprintf("%.1f ± %.1f", s.Mean, s.Std)
}

// collapsedMark stands beside numbers that a collapsed run is part of.
const collapsedMark = "‡"

// rows is the leaderboard as a table.
func (b *Board) rows() table.Writer {
	w := table.NewWriter()
	head := table.Row{"#"}
	for _, key := range b.Keys {
		head = append(head, key)
	}
	if b.Rungs != nil {
		head = append(head, "epochs")
	}
	for _, m := range runfmt.Measures(b.Protocol) {
		head = append(head, m.Name)
	}
	w.AppendHeader(append(head, "runs", "s a run"))
	for _, r := range b.Rows {
		row := table.Row{"-"}
		if r.Rank > 0 {
			row[0] = r.Rank
		}
		for _, v := range r.Values {
			row = append(row, v)
		}
		if b.Rungs != nil {
			row = append(row, r.Epochs)
		}
		runs := fmt.Sprintf("%d/%d", r.Score.N, r.Runs)
		if r.Broken > 0 {
			runs += fmt.Sprintf(", %d broken", r.Broken)
		}
		seconds := ""
		if r.Score.N > 0 {
			seconds = fmt.Sprintf("%.1f", r.Seconds)
		}
		if n := len(r.Collapsed); n > 0 {
			runs += fmt.Sprintf(", %d collapsed %s", n, collapsedMark)
		}
		for _, m := range runfmt.Measures(b.Protocol) {
			row = append(row, r.stat(m.Metric))
		}
		w.AppendRow(append(row, runs, seconds))
	}
	return w
}

func (b *Board) effect(e Effect) table.Writer {
	w := table.NewWriter()
	w.AppendHeader(table.Row{e.Key, b.title(), "trials"})
	for _, l := range e.Levels {
		score := l.Score.String()
		if l.Collapsed > 0 {
			score += " " + collapsedMark
		}
		w.AppendRow(table.Row{l.Value, score, l.Trials})
	}
	return w
}

// notes say how to read the numbers, a sentence each.
func (b *Board) notes() []string {
	note := fmt.Sprintf("Ranked by %s; mean ± standard deviation over %s, in percent", b.title(), plural(len(b.Seeds), "seed"))
	if m := runfmt.Measures(b.Protocol); len(m) == 3 {
		note += fmt.Sprintf("; HM: harmonic mean of %s and %s", m[0].Name, m[1].Name)
	}
	notes := []string{note + "."}
	if b.Rungs != nil {
		notes = append(notes, fmt.Sprintf("Successive halving over %v epochs; each trial at the last rung that it ran.", b.Rungs))
	}
	if b.Duplicates > 0 {
		notes = append(notes, fmt.Sprintf("%s left out: another has the same configuration.", plural(b.Duplicates, "combination")))
	}
	if len(b.Impossible) > 0 {
		notes = append(notes, fmt.Sprintf("%s left out: they cannot run.", plural(len(b.Impossible), "combination")))
	}
	for _, r := range b.Rows {
		for _, c := range r.Collapsed {
			notes = append(notes, fmt.Sprintf("%s %s collapsed with seed %d (%s); the means include it.", collapsedMark, nameOf(b.Keys, r.Values), c.Seed, c.Fault))
		}
	}
	return notes
}

const effectNote = "The mean over all trials with that value, ± the standard deviation of seeds, not of the other keys."

// Terminal is the board for people at a terminal.
func (b *Board) Terminal() string {
	w := b.rows()
	w.SetStyle(plain())
	out := w.Render() + "\n\n" + strings.Join(b.notes(), "\n") + "\n"
	for _, e := range b.Effects {
		w := b.effect(e)
		w.SetStyle(plain())
		out += "\n" + w.Render() + "\n"
	}
	return out
}

func plain() table.Style {
	s := table.StyleLight
	s.Options = table.Options{SeparateHeader: true}
	s.Format.Header = text.FormatDefault // keys as they are written
	return s
}

// Markdown is the board as a file, with the names of the plots beside it.
func (b *Board) Markdown(command string, plots []string) string {
	out := fmt.Sprintf("# Sweep\n\n    %s\n\n%s\n\n%s\n", strings.ReplaceAll(command, "\n", " "), b.rows().RenderMarkdown(), strings.Join(b.notes(), " "))
	for _, line := range b.Impossible {
		out += "- " + line + "\n"
	}
	if len(b.Effects) > 0 {
		out += "\n## What each key does\n\n" + effectNote + "\n"
	}
	for _, e := range b.Effects {
		out += "\n" + b.effect(e).RenderMarkdown() + "\n"
	}
	for _, p := range plots {
		out += fmt.Sprintf("\n![%s](%s)\n", cmp.Or(strings.TrimSuffix(p, ".png"), p), p)
	}
	return out
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
