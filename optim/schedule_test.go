package optim_test

import (
	"encoding/json"
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"

	"spotlighter/internal/shared"
	"spotlighter/optim"
)

// The rates of Dassl's own scheduler, by the schedule that their names describe.
func TestCosineOfDassl(t *testing.T) {
	text, err := os.ReadFile(shared.Path(t, "fixtures/release/schedule.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]json.RawMessage
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`lr([0-9.]+)_ep(\d+)_warm(\d+)$`)
	warm := map[int]bool{}
	for key, raw := range file {
		m := name.FindStringSubmatch(key)
		if m == nil {
			continue
		}
		var want []float64
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		lr, _ := strconv.ParseFloat(m[1], 64)
		epochs, _ := strconv.Atoi(m[2])
		warmup, _ := strconv.Atoi(m[3])
		warm[warmup] = true
		if len(want) != epochs {
			t.Errorf("%s: %d rates", key, len(want))
		}
		c := optim.Cosine{LR: lr, Epochs: epochs, Warmup: warmup, WarmupLR: 1e-5}
		for e, w := range want {
			if got := c.At(float64(e)); math.Abs(got-w) > 1e-15 {
				t.Errorf("%s: epoch %d is %v, want %v", key, e, got, w)
			}
		}
	}
	if !warm[1] || !warm[2] {
		t.Errorf("warm-ups of %v epochs, want 1 and 2 among them", warm)
	}
}

func TestLinearCosine(t *testing.T) {
	c := optim.LinearCosine{LR: .5, Steps: 100, Warmup: 4}
	for i, want := range map[int]float64{
		0: .5 * .25, 3: .5 * (1 + math.Cos(math.Pi*.03)) / 2, 50: .25, 25: .25 * (1 + math.Sqrt2/2), 100: 0,
	} {
		if got := c.At(i); math.Abs(got-want) > 1e-15 {
			t.Errorf("step %d: %v, want %v", i, got, want)
		}
	}
	for i := 4; i < 100; i++ {
		if c.At(i+1) >= c.At(i) || c.At(i) <= 0 {
			t.Errorf("step %d: %v, then %v", i, c.At(i), c.At(i+1))
		}
	}
	if got := (optim.LinearCosine{LR: .5, Steps: 100}).At(0); got != .5 {
		t.Errorf("without a warm-up it starts at %v", got)
	}
}

// Step by step, without warm-up, it is PyTorch's CosineAnnealingLR over all steps:
// its recursive form, eta(i+1) = (1 + cos(pi (i+1)/T)) / (1 + cos(pi i/T)) eta(i).
func TestCosineOfSteps(t *testing.T) {
	const epochs, steps = 3, 4
	c, want := optim.Cosine{LR: .001, Epochs: epochs}, .001
	for i := range epochs * steps {
		if got := c.At(float64(i/steps) + float64(i%steps)/steps); math.Abs(got-want) > 1e-15 {
			t.Errorf("step %d is %v, want %v", i, got, want)
		}
		want *= (1 + math.Cos(math.Pi*float64(i+1)/(epochs*steps))) / (1 + math.Cos(math.Pi*float64(i)/(epochs*steps)))
	}
}
