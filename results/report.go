package results

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"spotlighter/experiments/runfmt"
	"spotlighter/internal/atomicfile"
)

//go:embed report.html report.css report.js
var reportFiles embed.FS

// zeroShot is the method that classes are compared with.
const zeroShot = "clip"

// WriteReport writes folders as one HTML page that needs no other file and no
// network, whole or not at all. baseline is the method that tables compare with.
// The same folders make the same page.
func WriteReport(path string, folders []Folder, baseline string) error {
	page, err := newPage(folders, baseline)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	css, err := reportFiles.ReadFile("report.css")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	js, err := reportFiles.ReadFile("report.js")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	page.CSS, page.JS = template.CSS(css), template.JS(js)
	t, err := template.New("report.html").Funcs(template.FuncMap{"inc": func(i int) int { return i + 1 }}).ParseFS(reportFiles, "report.html")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, page); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := b.WriteTo(w)
		return err
	})
}

// page is what the template shows.
type page struct {
	CSS template.CSS
	JS  template.JS

	Protocol  string
	States    string // "24 done, 1 broken"
	Faults    []fault
	Collapsed []fault
	Sections  []section // one a group
	Effects   figures
	Score     string      // what ranks methods
	Overview  *sheetTable // of the groups; nil if there is one
	Galleries []gallery
	Common    []Setting
	Diffs     *sheetTable
	Runs      sheetTable
}

type fault struct{ Run, Text string }

// section is one group's tables, curves and classes.
type section struct {
	Name   string
	What   string // the group's settings that others do not share
	Tables []sheetTable
	Bars   figures
	Curves []figures
	Note   string
	Tested *sheetTable
	Groups []sheetTable // of classes, one a data set
	Halves bool         // the classes are parted into base and novel ones

	Confusions []confusions
}

// figures are charts of one kind, with the methods that they show.
type figures struct {
	Name   string
	Legend []legendItem
	Charts []figure
}

type legendItem struct{ Name, Class string }

type figure struct {
	Caption string
	SVG     template.HTML
}

// sheetTable is a table that a reader can sort by each column.
type sheetTable struct {
	ID, Caption string
	Head        []headCell
	Rows        [][]cell
	Note        string
}

type headCell struct {
	Text    string
	Numeric bool
}

// cell is a text, what to sort by where that is another, and for a change the
// length of its bar.
type cell struct {
	Text, Sort string
	Numeric    bool
	Series     string // class of the method named, empty if none is
	Bar        *bar
	State      State
}

// bar is drawn from the middle of its cell, in percent of half its width.
type bar struct {
	Up    bool
	Width float64
}

func newPage(folders []Folder, baseline string) (*page, error) {
	groups, styles := Groups(folders), Methods(folders)
	p := &page{States: states(folders), Score: rankNames(protocolsOf(folders)), Common: Common(groups), Runs: runsTable(folders, groups, styles)}
	for _, f := range folders {
		if f.Result != nil {
			p.Protocol = f.Result.Protocol
			if text := f.Result.Collapsed(); text != "" {
				p.Collapsed = append(p.Collapsed, fault{filepath.Base(f.Dir), text})
			}
		}
		for _, text := range f.Faults {
			// The folder's name stands beside it.
			p.Faults = append(p.Faults, fault{filepath.Base(f.Dir), strings.TrimPrefix(text, f.Dir+string(filepath.Separator))})
		}
	}
	var whole []Group // those that make a table
	for _, g := range groups {
		s, faults, err := newSection(g, groups, baseline, styles)
		if err != nil {
			return nil, err
		}
		p.Faults = append(p.Faults, faults...)
		if len(faults) == 0 {
			whole = append(whole, g)
		}
		if s.Tables != nil || s.Curves != nil {
			p.Sections = append(p.Sections, s)
		}
	}
	if len(groups) > 1 {
		p.Diffs = diffsTable(groups, Differences(groups))
		var err error
		if p.Overview, err = overviewTable(whole, baseline, styles); err != nil {
			return nil, err
		}
		charts, err := Effects(whole, baseline, "hm", styles)
		if err != nil {
			return nil, err
		}
		if p.Effects, err = drawAll("", charts); err != nil {
			return nil, err
		}
	}
	p.Galleries = galleries(groups)
	return p, nil
}

// protocolsOf are those of the results in folders, each once.
func protocolsOf(folders []Folder) []string {
	var list []string
	for _, f := range folders {
		if f.Result != nil {
			list = appendNew(list, f.Result.Protocol)
		}
	}
	return list
}

func states(folders []Folder) string {
	count := map[State]int{}
	for _, f := range folders {
		count[f.State]++
	}
	var parts []string
	for _, s := range []State{Done, Unfinished, Broken} {
		if count[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[s], s))
		}
	}
	return strings.Join(parts, ", ")
}

func newSection(g Group, groups []Group, baseline string, styles []string) (section, []fault, error) {
	s := section{Name: g.Name, What: describe(g, groups)}
	for _, metric := range MetricNames(g.Folders) {
		set, err := drawAll(metricLabel(metric), Curves(g.Folders, metric, styles))
		if err != nil {
			return s, nil, err
		}
		s.Curves = append(s.Curves, set)
	}
	// What is learned comes first, then the settings of learning.
	slices.SortStableFunc(s.Curves, func(a, b figures) int { return rank(a.Name) - rank(b.Name) })
	all := g.All()
	list := Results(all)
	if len(list) == 0 {
		return s, nil, nil
	}
	t, err := New(list, baseline)
	if err != nil { // two folders hold the same cell, or cells of two protocols
		return s, []fault{{"group " + g.Name, oneLine(err.Error())}}, nil
	}
	s.Tables = resultTables(g.Name, t, styles)
	var bars []Chart
	for _, metric := range Metrics {
		if !slices.ContainsFunc(runfmt.Measures(t.Protocol), func(m runfmt.Measure) bool { return m.Metric == metric }) {
			continue
		}
		c := Bars(t, metric, styles)
		c.Title, _, _ = strings.Cut(c.Y, ",")
		bars = append(bars, c)
	}
	if s.Bars, err = drawAll("", bars); err != nil {
		return s, nil, err
	}
	s.Tested = setTable(g.Name, all, styles)
	s.Groups, s.Halves = classTables(g.Name, all, styles), t.Protocol == "base-to-novel"
	if s.Confusions, err = confusionMatrices(g.Name, all, styles); err != nil {
		return s, nil, err
	}
	if len(g.Borrowed) > 0 {
		s.Note = "Methods without Spotlighter were run with other Spotlighter settings, which do not touch them."
	}
	return s, nil, nil
}

func rank(label string) int {
	if label == metricLabel("lr") {
		return 1
	}
	return 0
}

// describe is a group's settings that not all groups share.
func describe(g Group, groups []Group) string {
	if !g.configured() {
		return "no configuration"
	}
	var parts []string
	for _, d := range Differences(groups) {
		parts = append(parts, d.Key+" "+g.Folders[0].Setting(d.Key))
	}
	return strings.Join(parts, ", ")
}

func drawAll(name string, charts []Chart) (figures, error) {
	f := figures{Name: name}
	for _, c := range charts {
		svg, err := c.svg()
		if err != nil {
			return f, err
		}
		f.Charts = append(f.Charts, figure{c.Title, template.HTML(svg)}) // drawn here, its texts escaped by the canvas
		for _, s := range c.Series {
			f.Legend = appendNew(f.Legend, legendItem{s.Name, seriesClass(s.Style)})
		}
	}
	slices.SortStableFunc(f.Legend, func(a, b legendItem) int { return strings.Compare(a.Name, b.Name) })
	return f, nil
}

func seriesClass(style int) string { return fmt.Sprintf("series%d", style%len(palette)) }

// gallery is a run's examples with their kept tokens.
type gallery struct {
	Title, Run string
	Pictures   []picture
}

type picture struct {
	Data           template.URL
	Class, Caption string
	Right          bool
	Level1, Level2 []square
}

// square is a patch, in hundredths of the picture.
type square struct{ X, Y, Side float64 }

// galleries shows, for each data set and method that keeps tokens, the first run
// that has examples; the groups' order prefers the largest.
func galleries(groups []Group) []gallery {
	var list []gallery
	seen := map[[2]string]bool{}
	for _, g := range groups {
		for _, f := range g.Folders {
			at := [2]string{f.Dataset, f.Method}
			if seen[at] || !slices.ContainsFunc(f.Examples, func(x runfmt.Example) bool { return x.Level1 != nil }) {
				continue
			}
			seen[at] = true
			one := gallery{Title: f.Dataset + ", " + f.Method, Run: filepath.Base(f.Dir)}
			for _, x := range f.Examples {
				one.Pictures = append(one.Pictures, newPicture(x))
			}
			list = append(list, one)
		}
	}
	slices.SortStableFunc(list, func(a, b gallery) int { return strings.Compare(a.Title, b.Title) })
	return list
}
