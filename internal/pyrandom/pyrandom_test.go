package pyrandom

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"testing"

	"spotlighter/internal/shared"
)

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// TestPython holds one sequence of calls against what Python 3 prints for it.
func TestPython(t *testing.T) {
	type draws struct {
		words    []uint64
		float    float64
		few, all []int
		choice   int
		long     uint64
		shuffled []int
		large    int
	}
	for seed, want := range map[uint64]draws{
		1: {
			[]uint64{577090037, 2444712010}, 0.8474337369372327, []int{2, 8, 3, 15},
			[]int{48, 28, 30, 41, 24, 50, 13, 6, 31, 1, 55, 27, 38, 0, 44, 58}, 34, 883567286526,
			[]int{1, 6, 7, 5, 2, 0, 4, 3}, 595495266269,
		},
		1<<32 + 5: {
			[]uint64{675479763, 2085189291}, 0.2824866316461999, []int{19, 0, 11, 20},
			[]int{10, 49, 52, 42, 31, 46, 22, 48, 15, 20, 54, 43, 57, 12, 32, 59}, 51, 899604736846,
			[]int{7, 6, 1, 5, 0, 4, 3, 2}, 685878409421,
		},
	} {
		r := New(seed)
		for i, w := range want.words {
			if got := r.Bits(32); got != w {
				t.Errorf("seed %d: word %d is %d, want %d", seed, i, got, w)
			}
		}
		if got := r.Float64(); got != want.float {
			t.Errorf("seed %d: random() = %v, want %v", seed, got, want.float)
		}
		if got, err := Sample(r, upTo(24), 4); err != nil || !slices.Equal(got, want.few) { // by redrawing
			t.Errorf("seed %d: sample(24, 4) = %v, %v, want %v", seed, got, err, want.few)
		}
		if got, err := Sample(r, upTo(60), 16); err != nil || !slices.Equal(got, want.all) { // from a pool
			t.Errorf("seed %d: sample(60, 16) = %v, %v, want %v", seed, got, err, want.all)
		}
		if got := Choice(r, upTo(100)); got != want.choice {
			t.Errorf("seed %d: choice = %d, want %d", seed, got, want.choice)
		}
		if got := r.Bits(40); got != want.long {
			t.Errorf("seed %d: getrandbits(40) = %d, want %d", seed, got, want.long)
		}
		items := upTo(8)
		if Shuffle(r, items); !slices.Equal(items, want.shuffled) {
			t.Errorf("seed %d: shuffle = %v, want %v", seed, items, want.shuffled)
		}
		if got := r.Below(1e12); got != want.large {
			t.Errorf("seed %d: randbelow(10**12) = %d, want %d", seed, got, want.large)
		}
	}
	if _, err := Sample(New(1), upTo(3), 4); err == nil {
		t.Error("a sample larger than its population")
	}
}

// TestAids reads sequences recorded for more seeds and sizes.
func TestAids(t *testing.T) {
	content, err := os.ReadFile(shared.Path(t, "fixtures/release/fewshot_sampling.json"))
	if err != nil {
		t.Fatal(err)
	}
	var aids struct {
		MT map[string]struct {
			Words   []uint64  `json:"getrandbits32_first8"`
			Below   []int     `json:"randbelow_60_down_to_45"`
			Floats  []float64 `json:"random_first4"`
			Shuffle []int     `json:"shuffle_range12"`
		} `json:"mt19937"`
		Samples []struct {
			Seed   uint64
			N, K   int
			Sample []int
		} `json:"random_sample_cases"`
	}
	if err := json.Unmarshal(content, &aids); err != nil {
		t.Fatal(err)
	}
	for name, want := range aids.MT {
		seed, err := strconv.ParseUint(name, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		words, below, floats, shuffled := New(seed), New(seed), New(seed), upTo(12)
		for i, w := range want.Words {
			if got := words.Bits(32); got != w {
				t.Errorf("seed %d: word %d is %d, want %d", seed, i, got, w)
			}
		}
		for i, w := range want.Below {
			if got := below.Below(60 - i); got != w {
				t.Errorf("seed %d: below %d is %d, want %d", seed, 60-i, got, w)
			}
		}
		for i, w := range want.Floats {
			if got := floats.Float64(); got != w {
				t.Errorf("seed %d: float %d is %v, want %v", seed, i, got, w)
			}
		}
		if Shuffle(New(seed), shuffled); !slices.Equal(shuffled, want.Shuffle) {
			t.Errorf("seed %d: shuffle %v, want %v", seed, shuffled, want.Shuffle)
		}
	}
	if len(aids.Samples) == 0 {
		t.Error("no sample cases")
	}
	for _, c := range aids.Samples {
		if got, err := Sample(New(c.Seed), upTo(c.N), c.K); err != nil || !slices.Equal(got, c.Sample) {
			t.Errorf("seed %d: sample(%d, %d) = %v, %v, want %v", c.Seed, c.N, c.K, got, err, c.Sample)
		}
	}
}
