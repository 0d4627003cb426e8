package experiments

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"spotlighter/experiments/methods"
	"spotlighter/internal/tiny"
)

// committed are the experiments' files, by what LoadEmbedded knows them as.
func committed(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("*.yaml")
	if err != nil || len(names) < 3 {
		t.Fatalf("%v %v", names, err)
	}
	teachers, err := filepath.Glob("promptkd/*.yaml")
	if err != nil || len(teachers) < 1 {
		t.Fatalf("%v %v", teachers, err)
	}
	return append(names, teachers...)
}

// opening is what a file says in its first comment, by the words before the colon;
// the command is "spotlighter".
func opening(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	parts, at := map[string]string{}, ""
	for line := range strings.Lines(string(text)) {
		rest, comment := strings.CutPrefix(line, "#")
		if !comment {
			break
		}
		if command, ok := strings.CutPrefix(rest, " spotlighter "); ok && at == "" {
			parts["spotlighter"] += command
		} else if key, said, ok := strings.Cut(rest[min(1, len(rest)):], ": "); ok && !strings.HasPrefix(rest, "  ") && !strings.Contains(key, " ") {
			at, parts[key] = key, said
		} else {
			parts[at] += rest
		}
	}
	for key, said := range parts {
		parts[key] = strings.Join(strings.Fields(said), " ")
	}
	return parts
}

// Every committed file loads, says how it is run and what comes of it, and comes
// back from YAML.
func TestCommittedConfigs(t *testing.T) {
	noNumber := []string{"debug.yaml", "prune.yaml"} // of which there is none to expect
	for _, name := range committed(t) {
		c, err := LoadEmbedded(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		said := opening(t, name)
		for _, want := range []string{"spotlighter", "Cell", "Expected", "Time", "Memory"} {
			if said[want] == "" {
				t.Errorf("%s: no %q in its opening comment", name, want)
			}
		}
		// What spotlighter new has just written was not measured yet, and says so.
		fresh := said["Expected"] == "write down what you measure"
		if !strings.ContainsAny(said["Expected"], "0123456789") && !slices.Contains(noNumber, name) && !fresh {
			t.Errorf("%s: expected is no number, but %q", name, said["Expected"])
		}
		for _, cell := range append(c.Cells(), c) {
			back, msg := loadText(t, string(cell.YAML()))
			if msg != "" {
				t.Fatalf("%s: %s", name, msg)
			}
			if back.Hash() != cell.Hash() {
				t.Errorf("%s: other hash after a round trip\n%s\n%s", name, cell.YAML(), back.YAML())
			}
		}
	}
	if c, _ := LoadEmbedded("quickstart.yaml", nil); len(c.Cells()) != 36 {
		t.Errorf("quickstart has %d cells, want 4 methods x 3 tasks x 3 seeds", len(c.Cells()))
	}
}

// What a file expects of the world is what its committed table has.
func TestExpected(t *testing.T) {
	const hm, top1 = 5, 3 // columns
	for _, test := range []struct {
		file, table string
		column      int
		rows        []string
	}{
		{"base-to-novel.yaml", "base-to-novel", hm, []string{"average | clip", "average | clip+spotlighter", "average | coop", "average | coop+spotlighter"}},
		{"quickstart.yaml", "base-to-novel", hm, []string{"average | clip", "average | clip+spotlighter", "average | coop", "average | coop+spotlighter"}},
		{"promptkd/teacher.yaml", "base-to-novel", hm, []string{"average | coop"}},
		{"zero-shot.yaml", "zero-shot", top1, []string{"clutter | clip", "dusk | clip", "fog | clip", "average | clip", "average | clip+spotlighter"}},
		{"cross-dataset.yaml", "cross-dataset", top1, []string{"average of the targets | clip", "average of the targets | coop"}},
		{"domain-generalization.yaml", "domain-generalization", top1, []string{"average of the targets | clip", "average of the targets | coop"}},
		{"tip-adapter.yaml", "base-to-novel-all", hm, []string{"average | tip-adapter", "average | tip-adapter-f", "average | clip"}},
		{"all-methods.yaml", "base-to-novel-all", hm, []string{"average | clip", "average | coop", "average | clipfit", "average | coop+spotlighter", "average | maple",
			"average | maple+spotlighter", "average | promptsrc", "average | promptsrc+spotlighter", "average | promptkd", "average | promptkd+spotlighter"}},
	} {
		table, err := os.ReadFile("../results/table-" + test.table + ".md")
		if err != nil {
			t.Fatal(err)
		}
		expected := opening(t, test.file)["Expected"]
		for _, row := range test.rows {
			cells := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(row) + ` \|.*$`).Find(table)
			if cells == nil {
				t.Fatalf("%s: no row %q", test.table, row)
			}
			var value float64
			if _, err := fmt.Sscan(strings.Split(string(cells), "|")[test.column+1], &value); err != nil {
				t.Fatalf("%s: %s: %v", test.table, cells, err)
			}
			if want := fmt.Sprintf("%.1f", value); !regexp.MustCompile(`\b` + regexp.QuoteMeta(want) + `\b`).MatchString(expected) {
				t.Errorf("%s: %s has %s in the table, expected is %q", test.file, row, want, expected)
			}
		}
	}
}

// The published values of a method's own section are written out in its file, and
// are the defaults.
func TestPublishedSections(t *testing.T) {
	ours := []string{"promptkd.teacher", "promptkd.clip", "promptsrc.templates"} // no value, or sixty lines of them
	for section, name := range map[string]string{
		"clipfit": "clipfit.yaml", "cocoop": "cocoop.yaml", "coop": "coop.yaml", "maple": "maple.yaml",
		"promptkd": "promptkd.yaml", "promptsrc": "promptsrc.yaml", "textrefiner": "textrefiner.yaml",
	} {
		r, err := embedded.load(embeddedFolder+name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(r.Sections[section], methods.DefaultSettings(section)) {
			t.Errorf("%s: %+v, the defaults are %+v", name, r.Sections[section], methods.DefaultSettings(section))
		}
		for _, f := range fields(reflect.ValueOf(r.Sections[section]).Elem()) {
			key := section + "." + f.key
			if at := r.Origin(key); !strings.HasPrefix(at, embeddedFolder+name) && !slices.Contains(ours, key) {
				t.Errorf("%s: %s is not written out: %s", name, key, at)
			}
		}
		for _, key := range []string{"epochs", "batch", "lr", "momentum", "weight_decay", "warmup_epochs", "warmup_lr", "views", "crop_scale", "context"} {
			if at := r.Origin("train." + key); !strings.HasPrefix(at, embeddedFolder+name) {
				t.Errorf("%s: train.%s is not written out: %s", name, key, at)
			}
		}
	}
}

// The tasks of the world that are files can be read, and have the name of their file.
func TestCommittedTasks(t *testing.T) {
	paths, err := filepath.Glob("tasks/*.yaml")
	if err != nil || len(paths) < 2 {
		t.Fatalf("%v %v", paths, err)
	}
	for _, path := range paths {
		task, err := tiny.FindTask(path)
		if err != nil || task.Name != DatasetName(path) || len(task.ClassNames()) != task.Classes {
			t.Errorf("%s: task %q of %d classes, %v", path, task.Name, len(task.ClassNames()), err)
		}
		if text, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(text), "# A ") {
			t.Errorf("%s: does not open with what it is: %v", path, err)
		}
	}
}
