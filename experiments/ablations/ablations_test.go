package ablations

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"spotlighter/experiments"
)

// committedFirst is the harmonic mean of each committed table's first row.
func committedFirst(t *testing.T) map[string]string {
	t.Helper()
	file, err := os.Open("../../results/ablations.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	table, hm := slices.Index(rows[0], "table"), slices.Index(rows[0], "hm")
	first := map[string]string{}
	for _, row := range rows[1:] {
		if first[row[table]] == "" {
			v, err := strconv.ParseFloat(row[hm], 64)
			if err != nil {
				t.Fatal(err)
			}
			first[row[table]] = fmt.Sprintf("%.1f", v)
		}
	}
	return first
}

// Every file is a table, opens with what a user must know, and its first row is
// the default: what the file's settings set, and nothing else.
func TestFiles(t *testing.T) {
	paths, err := filepath.Glob("*" + ending)
	if err != nil || len(paths) != len(Names) {
		t.Fatalf("%d files, %d names, %v", len(paths), len(Names), err)
	}
	first := committedFirst(t)
	for _, path := range paths {
		name := strings.TrimSuffix(path, ending)
		if !slices.Contains(Names, name) {
			t.Errorf("%s is not among the names", path)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		head := "# spotlighter ablations " + name + "\n"
		expected := "# Expected: harmonic mean " + first[name] + ", by the other rows "
		for _, want := range []string{"# Cell: ", expected, "# Time: ", "# Memory: "} {
			if !strings.HasPrefix(string(text), head) || !strings.Contains(string(text), "\n"+want) {
				t.Errorf("%s does not open with %q and %q", path, head, want)
			}
		}
		carried, err := Load(name, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		onDisk, err := Load("../ablations/"+path, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		for i, r := range carried.Rows {
			if r.Config.Hash() != onDisk.Rows[i].Config.Hash() {
				t.Errorf("%s: row %q of the file is another than the program's", path, r.Name)
			}
			if (len(r.Set) == 0) != (i == 0) {
				t.Errorf("%s: row %q sets %v, want settings in all rows but the first", path, r.Name, r.Set)
			}
		}
	}
}

// Every row can run: its programs are built.
func TestRowsRun(t *testing.T) {
	var lab *experiments.Lab
	seen := map[string]bool{}
	for _, name := range Names {
		g, err := Load(name, []string{"dataset=clutter", "seed=1"})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range g.Rows {
			if lab == nil {
				if lab, err = experiments.NewLab(r.Config); err != nil {
					t.Fatal(err)
				}
			}
			if hash := r.Config.Hash(); seen[hash] {
				continue
			} else {
				seen[hash] = true
			}
			if err := lab.Check(t.Context(), r.Config); err != nil {
				t.Errorf("%s, %s: %v", name, r.Name, err)
			}
		}
	}
}

func TestOverrides(t *testing.T) {
	g, err := Load("keep", []string{"train.epochs=3", "seed=[7, 8]"})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range g.Rows {
		if r.Config.Train.Epochs != 3 || !slices.Equal(r.Config.Seed, []int{7, 8}) {
			t.Errorf("row %q: epochs %d, seeds %v", r.Name, r.Config.Train.Epochs, r.Config.Seed)
		}
	}
	if n := g.Rows[1].Config.Spotlight.Keep; n != 1 {
		t.Errorf("the second row keeps %d tokens", n)
	}
}

func TestMistakes(t *testing.T) {
	const head = "title: T\nbase: base.yaml\nset: [method=coop+spotlighter]\n"
	for _, test := range []struct{ text, want string }{
		{"title: T\nrowz: []\n", `x.yaml: [2:1] unknown field "rowz"`},
		{"title: [\n", "x.yaml: [1:8] "},
		{"base: base.yaml\n", "x.yaml: title: found nothing, want that of the section"},
		{"title: T\n", "x.yaml: base: found nothing, want the path of a configuration"},
		{head + "rows: [{name: a}]\n", "x.yaml: rows: found 1, want a reference and at least one change"},
		{head + "rows: [{name: a}, {name: a}]\n", `x.yaml: rows[1].name: found "a", want a name of its own`},
		{head + "rows: [{name: a}, {name: b}]\n", `x.yaml: rows "a" and "b" are the same configuration`},
		{head + "rows: [{name: a}, {name: b, set: [shots=0]}]\n", `x.yaml: row "b": override shots=0: shots: found 0, want at least 1`},
		{head + "rows: [{name: a}, {name: b, set: ['method=[clip, coop]']}]\n", `x.yaml: row "b": method: found 2, want one`},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{"x.yaml": test.text, "base.yaml": "shots: 4\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Load(filepath.Join(dir, "x.yaml"), nil)
		if err == nil {
			t.Errorf("%q is fine", test.text)
			continue
		}
		got := strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
		if !strings.HasPrefix(got, test.want) || strings.Contains(got, "\n") {
			t.Errorf("%q\n got %s\nwant %s", test.text, got, test.want)
		}
	}
	if _, err := Load("kept", nil); err == nil || !strings.HasPrefix(err.Error(), `ablation "kept" is none of methods, `) {
		t.Errorf("%v", err)
	}
	if _, err := Load("absent.yaml", nil); err == nil || !strings.Contains(err.Error(), "absent.yaml") {
		t.Errorf("%v", err)
	}
}
