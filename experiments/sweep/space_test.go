package sweep

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// list writes an axis' values as a user would.
func list(a Axis) string {
	var all []string
	for _, v := range a.Values {
		all = append(all, strings.Join(v, "/"))
	}
	return strings.Join(all, " ")
}

func TestParseValues(t *testing.T) {
	for arg, want := range map[string]string{
		"k=a,b,c":                      "a b c",
		"k=range(0,1,0.1)":             "0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1",
		"k=range(-1, 1, .5)":           "-1 -0.5 0 0.5 1",
		"k=range(1,10,4)":              "1 5 9",
		"k=range(1e-3,3e-3,1e-3)":      "0.001 0.002 0.003",
		"k=[1,2],[3]":                  "[1,2] [3]",
		`k="a photo, of a",'it, is a'`: `"a photo, of a" 'it, is a'`,
		"k={a: 1, b: 2},{a: 3}":        "{a: 1, b: 2} {a: 3}",
	} {
		s, err := Parse([]string{arg}, nil)
		if err != nil {
			t.Errorf("%s: %v", arg, err)
			continue
		}
		if got := list(s.Axes[0]); got != want {
			t.Errorf("%s: %s, want %s", arg, got, want)
		}
	}
	s, err := Parse([]string{"a=1", "b=[1, 2]", "c=log(1e-4,1)"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.Fixed); got != "[a=1 b=[1, 2]]" {
		t.Errorf("fixed: %s", got)
	}
	if want := (Interval{1e-4, 1, true}); len(s.Axes) != 1 || s.Axes[0].Interval != want {
		t.Errorf("axes: %+v", s.Axes)
	}
}

func TestParseMistakes(t *testing.T) {
	for arg, want := range map[string]string{
		"k":                    "want key=value",
		"=1":                   "want key=value",
		"k=":                   "value 1 of 1 is empty",
		"k=a,,b":               "value 2 of 3 is empty",
		"k=[1,2":               "never closed",
		"k=range(0,1,0)":       "found step 0",
		"k=range(0,1,-1)":      "found step -1",
		"k=range(1,0,1)":       "want low < high",
		"k=range(0,1,1e-9)":    "more than 10000 values",
		"k=range(0,x,1)":       `"x" is no number`,
		"k=range(0,1/3,1)":     `"1/3" is no number`,
		"k=range(0,inf,1)":     `"inf" is no number`,
		"k=range(0)":           "want range(low,high,step)",
		"k=log(0,1)":           "want low above 0",
		"k=log(1,2,3)":         "want range(low,high,step)",
		"seed=1,2":             "use --seeds",
		"k=range(0,1e400,0.1)": "is no number",
	} {
		if _, err := Parse([]string{arg}, nil); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", arg, err, want)
		}
	}
	if _, err := Parse([]string{"k=1", "k=2"}, nil); err == nil {
		t.Error("a key twice was taken")
	}
}

func TestZip(t *testing.T) {
	args := []string{"x=1,2", "a=1,2,3", "y=5,6", "b=p,q,r"}
	s, err := Parse(args, []string{"b,a"})
	if err != nil {
		t.Fatal(err)
	}
	points, err := s.Points(Grid, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(points) != 12 {
		t.Fatalf("%d points, want 12", len(points))
	}
	pairs := map[string]bool{"1p": true, "2q": true, "3r": true}
	for _, p := range points {
		v := map[string]string{}
		for _, x := range p {
			v[x.Key] = x.Value
		}
		if len(v) != 4 || !pairs[v["a"]+v["b"]] {
			t.Errorf("point %v", p)
		}
	}
	for zip, want := range map[string]string{
		"a":   "at least two keys",
		"a,c": "c has no list",
		"a,x": "a has 3 values, x has 2",
	} {
		if _, err := Parse(args, []string{zip}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("--zip %s: %v, want %s", zip, err, want)
		}
	}
	if _, err := Parse(args, []string{"a,b", "b,a"}); err == nil || !strings.Contains(err.Error(), "in another --zip") {
		t.Errorf("a key in two zips: %v", err)
	}
}

func TestParseSeeds(t *testing.T) {
	for text, want := range map[string]string{"1-3": "[1 2 3]", "4": "[4]", "1,7-8": "[1 7 8]", "0": "[0]"} {
		if got, err := ParseSeeds(text); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "3-1", "-1", "a", "1,1", "1-", "0-99999999"} {
		if got, err := ParseSeeds(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

func parse(t *testing.T, args ...string) Space {
	t.Helper()
	s, err := Parse(args, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGridOrder(t *testing.T) {
	points, err := parse(t, "a=1,2", "b=x,y").Points(Grid, 4, 1)
	if err != nil || fmt.Sprint(points) != "[a=1 b=x a=1 b=y a=2 b=x a=2 b=y]" {
		t.Errorf("%v %v", points, err)
	}
	for _, c := range []struct {
		s      Space
		budget int
		want   string
	}{
		{parse(t, "a=1,2", "b=x,y"), 3, "--budget is 3"},
		{parse(t, "a=range(0,1)"), 0, "needs a step"},
		{parse(t, "a=range(1,999,1)", "b=range(1,999,1)"), 0, "more than 10000"},
	} {
		if _, err := c.s.Points(Grid, c.budget, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// Random points are all different, the same by the same seed, and a larger
// budget adds to a smaller one, so that a sweep can be made longer.
func TestRandom(t *testing.T) {
	s := parse(t, "a=log(1e-4,1)", "b=x,y,z")
	few, err := s.Points(Random, 20, 3)
	if err != nil {
		t.Fatal(err)
	}
	many, _ := s.Points(Random, 200, 3)
	if fmt.Sprint(many[:20]) != fmt.Sprint(few) {
		t.Error("a larger budget changes the first points")
	}
	other, _ := s.Points(Random, 20, 4)
	if fmt.Sprint(other) == fmt.Sprint(few) {
		t.Error("two seeds give the same points")
	}
	small, decades := map[string]int{}, make([]int, 4)
	for _, p := range many {
		small[p[1].Value]++
		x, _ := number(p[0].Value)
		decades[min(int(math.Log10(x)+4), 3)]++
	}
	for _, n := range decades {
		if n < 30 || n > 70 {
			t.Errorf("points by decade: %v of 200, want about 50 each", decades)
		}
	}
	if len(small) != 3 {
		t.Errorf("words: %v", small)
	}
	all, _ := parse(t, "a=1,2", "b=x,y,z").Points(Random, 50, 1)
	if len(all) != 6 {
		t.Errorf("%d points of a space of 6", len(all))
	}
}

// Each of n strata of each axis has one point of a Latin hypercube.
func TestLatin(t *testing.T) {
	const n = 30
	points, err := parse(t, "a=range(0,1)", "b=range(0,30)", "c=x,y,z").Points(Latin, n, 5)
	if err != nil {
		t.Fatal(err)
	}
	var as, bs []int
	words := map[string]int{}
	for _, p := range points {
		a, _ := number(p[0].Value)
		b, _ := number(p[1].Value)
		as, bs = append(as, int(a*n)), append(bs, int(b))
		words[p[2].Value]++
	}
	slices.Sort(as)
	slices.Sort(bs)
	for i := range n {
		if as[i] != i || bs[i] != i {
			t.Fatalf("strata: %v %v", as, bs)
		}
	}
	if words["x"] != 10 || words["y"] != 10 || words["z"] != 10 {
		t.Errorf("words: %v, want 10 each", words)
	}
	for _, strategy := range []string{Random, Latin, "tpe", "best"} {
		if _, err := parse(t, "a=1,2").Points(strategy, 0, 1); err == nil || !strings.HasPrefix(err.Error(), "--strategy") {
			t.Errorf("%s without a budget: %v", strategy, err)
		}
	}
}
