package results

import (
	"slices"
	"strconv"
	"strings"
)

// Group is the runs that differ in method, data set and seed alone: those of
// one table.
type Group struct {
	Name    string // "A", "B", ...; after 26 "A2"
	Folders []Folder
	// Borrowed are runs of other groups that belong here as much: methods
	// without Spotlighter, when the groups differ in Spotlighter's settings.
	Borrowed []Folder
}

// gridKeys tell the runs of a table apart; runKeys change no number.
var (
	gridKeys = []string{"method", "dataset", "seed"}
	runKeys  = []string{"out", "threads", "cache"}
)

// Groups splits folders; the largest group comes first, then in the order of
// their settings. A setting that some of them lack is a method's own: it parts
// runs that have it, with different values, from each other alone.
func Groups(folders []Folder) []Group {
	own := ownKeys(folders)
	var groups []Group
	var order []string
	for _, f := range folders {
		key, i := f.groupKey(false, own), 0
		for i < len(groups) && (order[i] != key || groups[i].conflicts(f, own)) {
			i++
		}
		if i == len(groups) {
			groups, order = append(groups, Group{}), append(order, key)
		}
		groups[i].Folders = append(groups[i].Folders, f)
	}
	at := make([]int, len(groups))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(a, b int) int {
		if d := len(groups[b].Folders) - len(groups[a].Folders); d != 0 {
			return d
		}
		return strings.Compare(order[a], order[b])
	})
	sorted := make([]Group, len(groups))
	for i, from := range at {
		sorted[i] = groups[from]
		sorted[i].Name = groupName(i)
		sorted[i].borrow(folders, own)
	}
	return sorted
}

func groupName(i int) string {
	name := string(rune('A' + i%26))
	if i >= 26 {
		name += strconv.Itoa(i/26 + 1)
	}
	return name
}

// ownKeys are the settings that some configured folder lacks.
func ownKeys(folders []Folder) map[string]bool {
	configured, count := 0, map[string]int{}
	for _, f := range folders {
		if len(f.Settings) > 0 {
			configured++
		}
		for _, s := range f.Settings {
			count[s.Key]++
		}
	}
	own := map[string]bool{}
	for key, n := range count {
		own[key] = n < configured
	}
	return own
}

// conflicts says whether a folder of the group has another value of one of the
// folder's own settings.
func (g *Group) conflicts(f Folder, own map[string]bool) bool {
	for _, s := range f.Settings {
		if own[s.Key] && slices.ContainsFunc(g.Folders, func(o Folder) bool { v := o.Setting(s.Key); return v != "" && v != s.Value }) {
			return true
		}
	}
	return false
}

// groupKey joins the settings that a table's runs share, but for the methods' own;
// plain leaves out those of Spotlighter too.
func (f Folder) groupKey(plain bool, own map[string]bool) string {
	var b strings.Builder
	for _, s := range f.Settings {
		if own[s.Key] || slices.Contains(gridKeys, s.Key) || slices.Contains(runKeys, s.Key) || plain && strings.HasPrefix(s.Key, "spotlight.") {
			continue
		}
		b.WriteString(s.Key + "=" + s.Value + "\n")
	}
	return b.String()
}

func (f Folder) plain() bool { return !strings.Contains(f.Method, "+spotlighter") }

func (g *Group) borrow(all []Folder, own map[string]bool) {
	if !g.configured() {
		return
	}
	type cell struct {
		method, dataset string
		seed            int
	}
	have := map[cell]bool{}
	for _, f := range g.Folders {
		have[cell{f.Method, f.Dataset, f.Seed}] = true
	}
	key := g.Folders[0].groupKey(true, own)
	for _, f := range all {
		c := cell{f.Method, f.Dataset, f.Seed}
		if f.Result != nil && f.plain() && !have[c] && f.groupKey(true, own) == key {
			have[c] = true
			g.Borrowed = append(g.Borrowed, f)
		}
	}
}

// All is the group's own runs and the borrowed ones, by data set, method, seed.
func (g Group) All() []Folder {
	all := append(slices.Clone(g.Folders), g.Borrowed...)
	slices.SortStableFunc(all, compareCells)
	return all
}

func compareCells(a, b Folder) int {
	if c := strings.Compare(a.Dataset, b.Dataset); c != 0 {
		return c
	}
	if c := strings.Compare(a.Method, b.Method); c != 0 {
		return c
	}
	return a.Seed - b.Seed
}

// Difference is a setting that not all groups share: its value in each, in
// their order.
type Difference struct {
	Key    string
	Values []string
}

// Differences are the settings in which groups differ, in the order of the
// configuration. A group without any settings, whose runs lack their file, has
// nothing to compare and an empty value everywhere.
func Differences(groups []Group) []Difference {
	var list []Difference
	seen := map[string]bool{}
	for _, g := range groups {
		for _, s := range g.settings() {
			if seen[s.Key] || slices.Contains(gridKeys, s.Key) || slices.Contains(runKeys, s.Key) {
				continue
			}
			seen[s.Key] = true
			d := Difference{Key: s.Key}
			for _, g := range groups {
				d.Values = append(d.Values, g.setting(s.Key))
			}
			if slices.ContainsFunc(groups, func(g Group) bool { return g.configured() && g.setting(s.Key) != s.Value }) {
				list = append(list, d)
			}
		}
	}
	return list
}

// settings are those that any folder of the group has, in the order of the first.
func (g Group) settings() []Setting {
	var list []Setting
	seen := map[string]bool{}
	for _, f := range g.Folders {
		for _, s := range f.Settings {
			if !seen[s.Key] {
				seen[s.Key] = true
				list = append(list, s)
			}
		}
	}
	return list
}

// setting is the group's value at key, empty if none of its folders has one.
func (g Group) setting(key string) string {
	for _, f := range g.Folders {
		if v := f.Setting(key); v != "" {
			return v
		}
	}
	return ""
}

func (g Group) configured() bool { return len(g.Folders[0].Settings) > 0 }

// Common are the settings that all groups share.
func Common(groups []Group) []Setting {
	groups = slices.DeleteFunc(slices.Clone(groups), func(g Group) bool { return !g.configured() })
	if len(groups) == 0 {
		return nil
	}
	var list []Setting
	for _, s := range groups[0].settings() {
		if slices.Contains(gridKeys, s.Key) || slices.Contains(runKeys, s.Key) {
			continue
		}
		if !slices.ContainsFunc(groups, func(g Group) bool { return g.setting(s.Key) != s.Value }) {
			list = append(list, s)
		}
	}
	return list
}
