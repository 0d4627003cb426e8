package experiments

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"spotlighter/experiments/runfmt"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("%s is %g, want %g", what, got, want)
	}
}

// Three classes, of the third no image: counted by hand.
func TestTally(t *testing.T) {
	ta := newTally(3)
	ln := func(p ...float64) []float32 {
		out := make([]float32, len(p))
		for i := range p {
			out[i] = float32(math.Log(p[i]))
		}
		return out
	}
	ta.count(0, 0, 0, ln(.7, .2, .1))
	ta.count(0, 1, 0, ln(.25, .5, .25))
	ta.count(0, 0, 1, ln(.72, .2, .08))
	ta.count(1, 1, 1, ln(.01, .98, .01))
	s := ta.set("x")
	near(t, "top1", s.Top1, 75)
	near(t, "macro", s.Macro, (100*2./3+100)/2)
	near(t, "zero-shot", s.ZeroShot, 75)
	// Bins of 1/15: .7 and .72 share the eleventh, .5 and .98 have their own.
	if want := 100 * ((2 - 1.42) + .5 + .02) / 4; math.Abs(s.ECE-want) > 1e-5 {
		t.Errorf("ece is %g, want %g", s.ECE, want)
	}
	if s.Top5 != nil {
		t.Error("top-5 of three classes")
	}
	text, err := json.Marshal(s.Confusion)
	if want := `["0:2 1:1","1:1",""]`; err != nil || string(text) != want {
		t.Errorf("confusion %s, want %s", text, want)
	}
	seven := newTally(7)
	seven.count(6, 0, 0, []float32{3, 3, 3, 3, 1, 0, 2}) // the fifth
	seven.count(4, 0, 0, []float32{3, 3, 3, 3, 1, 0, 2}) // the sixth
	seven.count(0, 0, 0, []float32{3, 0, 0, 0, 0, 0, float32(math.NaN())})
	if s := seven.set("y"); s.Top5 == nil || math.Abs(*s.Top5-100./3) > 1e-9 || s.NaN != 1 {
		t.Errorf("top-5 %v, %d not numbers", s.Top5, s.NaN)
	}
}

// Each protocol runs, and its sets sum to its result.
func TestProtocols(t *testing.T) {
	for _, test := range []struct {
		protocol, method string
		sets             []string
		classes          []int
	}{
		{BaseToNovel, "coop+spotlighter", []string{"base", "novel"}, []int{4, 4}},
		{FewShot, "coop+spotlighter", []string{"all"}, []int{8}},
		{CrossDataset, "coop+spotlighter", []string{"all", "dusk", "fog"}, []int{8, 8, 8}},
		{DomainGeneralization, "coop+spotlighter", []string{"all", "clutter-at-dusk", "clutter-in-fog"}, []int{8, 8, 8}},
		{ZeroShot, "clip", []string{"all"}, []int{8}},
	} {
		c := tinyCell(t, test.method)
		c.Protocol, c.Data.Classes, c.Data.TestPerClass = test.protocol, 8, 3
		if usualTargets[test.protocol] != nil {
			c.Targets = List[string]{"dusk", "fog"}
		}
		if test.protocol == DomainGeneralization {
			if _, err := NewLab(c); err == nil || !strings.Contains(err.Error(), "which clutter has not: protocol domain-generalization tests shifts of the same classes") {
				t.Errorf("targets of other classes: %v", err)
			}
			c.Targets = List[string]{"tasks/clutter-at-dusk.yaml", "tasks/clutter-in-fog.yaml"}
		}
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		lab := newLab(t, c)
		res, dir, _, err := lab.RunCell(t.Context(), c, quiet)
		if err != nil {
			t.Fatalf("%s: %v", test.protocol, err)
		}
		if _, err := runfmt.ReadResult(dir); err != nil {
			t.Error(err)
		}
		if len(res.Sets) != len(test.sets) {
			t.Fatalf("%s: %d sets, want %v", test.protocol, len(res.Sets), test.sets)
		}
		for i, s := range res.Sets {
			if s.Name != test.sets[i] || s.Classes != test.classes[i] || s.Images != 3*s.Classes {
				t.Errorf("%s: set %s of %d classes, %d images, want %s of %d", test.protocol, s.Name, s.Classes, s.Images, test.sets[i], test.classes[i])
			}
			right := 0
			for class, row := range s.Confusion {
				right += row[class]
			}
			near(t, test.protocol+" "+s.Name+" top1", s.Top1, percent(right, s.Images))
			near(t, "macro, with as many images of each class,", s.Macro, s.Top1)
			if (s.Top5 != nil) != (s.Classes > 5) || s.Top5 != nil && *s.Top5 < s.Top1 {
				t.Errorf("%s %s: top-5 %v of %d classes, top-1 %g", test.protocol, s.Name, s.Top5, s.Classes, s.Top1)
			}
			if test.method == "clip" {
				near(t, "zero-shot of clip", s.ZeroShot, s.Top1)
			}
		}
		near(t, test.protocol+" base", res.Base, res.Sets[0].Top1)
		switch len(res.Sets) {
		case 1:
			near(t, "hm", res.HM, res.Base)
		default:
			sum := 0.
			for _, s := range res.Sets[1:] {
				sum += s.Top1
			}
			near(t, test.protocol+" novel", res.Novel, sum/float64(len(res.Sets)-1))
			near(t, "hm", res.HM, runfmt.HarmonicMean(res.Base, res.Novel))
		}
		if len(lab.kept) != 1+len(c.Targets) {
			t.Errorf("%s: %d data sets are held, want source and %d targets", test.protocol, len(lab.kept), len(c.Targets))
		}
		again := c // the data sets that are held give the same numbers
		again.Out = t.TempDir()
		res2, _, _, err := lab.RunCell(t.Context(), again, quiet)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, res2, res)
	}
}

// A target with the very classes that were learned is tested with their state: a
// twin of the source has the source's numbers.
func TestSameClassesKeepTheirState(t *testing.T) {
	all, err := os.ReadFile("../internal/tiny/tasks.yaml")
	if err != nil {
		t.Fatal(err)
	}
	first := regexp.MustCompile(`(?s)- *(name: clutter.*?)\n- `).FindSubmatch(all)
	if first == nil {
		t.Fatal("tasks.yaml does not begin as it did")
	}
	c := tinyCell(t, "coop+spotlighter")
	twin := filepath.Join(t.TempDir(), "twin.yaml")
	put(t, twin, strings.ReplaceAll(string(first[1]), "\n  ", "\n")+"\n")
	c.Protocol, c.Targets = DomainGeneralization, List[string]{twin}
	res, _, _, err := newLab(t, c).RunCell(t.Context(), c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	source, target := res.Sets[0], res.Sets[1]
	source.Name = "twin"
	source.Names = res.ClassNames(res.Sets[0]) // a target's classes are named beside it
	if !reflect.DeepEqual(source, target) {
		t.Errorf("source %+v\ntwin   %+v", source, target)
	}
}

func TestCollapsed(t *testing.T) {
	set := func(name string, zero float64, nan int) runfmt.Set {
		return runfmt.Set{Name: name, ZeroShot: zero, NaN: nan, Images: 9}
	}
	for _, test := range []struct {
		res  runfmt.Result
		want string
	}{
		{runfmt.Result{HM: 5}, ""},
		{runfmt.Result{HM: 45, Sets: []runfmt.Set{set("base", 60, 0), set("novel", 70, 0)}}, ""},
		{runfmt.Result{HM: 44, Sets: []runfmt.Set{set("base", 60, 0), set("novel", 70, 0)}}, "44.0, zero-shot 64.6"},
		{runfmt.Result{HM: 44, Sets: []runfmt.Set{set("all", 60, 0), set("fog", 99, 0)}}, "0.0, zero-shot 60.0"},
		{runfmt.Result{HM: 64, Sets: []runfmt.Set{set("base", 60, 0), set("novel", 70, 4)}}, "logits of 4 of 9 images are not numbers"},
	} {
		if got := test.res.Collapsed(); got != test.want {
			t.Errorf("%+v: %q, want %q", test.res, got, test.want)
		}
	}
}
