package cli

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"spotlighter/experiments/methods"
)

// inBackticks are the words in backticks.
func inBackticks(text string) (list []string) {
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	return list
}

// table is the rows below a head in README, without the line under it.
func table(t *testing.T, readme, head string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(readme, head+"\n")
	if !ok {
		t.Fatalf("README has no table %q", head)
	}
	rest, _, _ = strings.Cut(strings.ReplaceAll(rest, `\|`, "/"), "\n\n")
	return strings.Split(rest, "\n")[1:]
}

// shipped are the methods that README must have. One that is added beside them may
// wait: a row for oneself needs none.
var shipped = []string{
	"clip", "clip+spotlighter", "clipfit", "cocoop", "coop", "coop+spotlighter", "coop+textrefiner", "linear-probe",
	"maple", "maple+spotlighter", "promptkd", "promptkd+spotlighter", "promptkd+textrefiner", "promptsrc", "promptsrc+spotlighter",
	"tip-adapter", "tip-adapter-f",
}

// README's tables are those of the program: every command, methods that there are
// with what they work over, ours all, experiments that are there and have the method.
func TestReadme(t *testing.T) {
	readme := string(read(t, "../../README.md"))

	var commands, told []string
	for _, c := range rootCommand().Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" && c.Name() != "completion" {
			commands = append(commands, c.Name())
		}
	}
	for _, row := range table(t, readme, "| command | does |") {
		for _, words := range inBackticks(strings.Split(row, "|")[1]) {
			told = append(told, strings.Fields(words)[0])
		}
	}
	slices.Sort(commands)
	slices.Sort(told)
	if !slices.Equal(told, commands) {
		t.Errorf("README has the commands\n%q\nthe program\n%q", told, commands)
	}

	var named []string
	for _, row := range table(t, readme, "| method | is | an experiment |") {
		column := strings.Split(row, "|")
		for _, name := range inBackticks(column[1]) {
			if plug, ok := strings.CutPrefix(name, "…"); ok {
				for _, base := range inBackticks(column[2]) {
					named = append(named, base+plug)
				}
				name = plug
			} else {
				named = append(named, name)
			}
			for _, file := range inBackticks(column[3]) {
				text := string(read(t, filepath.Join("../../experiments", file)))
				if !regexp.MustCompile(`(?m)^method:.*` + regexp.QuoteMeta(name) + `\b`).MatchString(text) {
					t.Errorf("experiments/%s does not run %s", file, name)
				}
			}
		}
	}
	all := methods.Names()
	for _, name := range named {
		if !slices.Contains(all, name) {
			t.Errorf("README has the method %q, which is none of %q", name, all)
		}
	}
	for _, name := range shipped {
		if !slices.Contains(named, name) {
			t.Errorf("README lacks the method %q, it has %q", name, named)
		}
	}
}
