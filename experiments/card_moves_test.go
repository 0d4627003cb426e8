//go:build cuda_backend

package experiments

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"spotlighter/experiments/methods"
	"spotlighter/graph"
	"spotlighter/graph/cuda"
	"spotlighter/graph/cuda/kernels"
)

// Each step but the first, which may move what stays, moves in a row for each image,
// of feature rows or pixels and labels, and a few numbers, and out the status words
// and the loss: neither weights nor texts, momenta, banks or logits.
func TestCardMoves(t *testing.T) {
	wantCard(t)
	if name := cuda.Find().Cards[0].Name; name != "emulated card" {
		t.Skip("a real driver keeps no log: ", name)
	}
	const variable = "EMULATOR_LOG" // which the emulated driver reads once in a process
	log := os.Getenv(variable)
	if log == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), variable+"="+filepath.Join(t.TempDir(), "log"))
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "\n--- PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for _, c := range stepping(t) {
		name := c.Method[0]
		if methods.ReadsImages(name) && name != "maple" && name != "promptkd" {
			continue // they are fed the same as one of these, or less, and take long
		}
		t.Run(name, func(t *testing.T) {
			c.Device, c.Train.Batch = "cuda", 5 // as many as there are of nothing else
			s := newStepper(t, c)
			s.next(t)
			s.next(t)
			before := moves(t, log)
			s.next(t)
			got := moves(t, log)[len(before):]

			want := []string{
				moved("download", graph.NewTensor(graph.Int, kernels.StatusWords)),
				moved("download", s.program.Output("loss")),
			}
			rows, numbers := 0, 0
			for name, f := range s.program.Feeds() {
				switch {
				case len(f.Shape) > 0 && f.Shape[0] == s.batch:
					rows++
				case f.Len() == 1:
					numbers++
				default:
					t.Errorf("input %s of %v is neither of the batch nor a number", name, f.Shape)
				}
				want = append(want, moved("upload", f))
			}
			if rows < 2 || numbers > 4 { // what is seen of images, and labels; the rate and the clock
				t.Errorf("%d inputs of the batch, %d numbers", rows, numbers)
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("a step moved %q, want %q", got, want)
			}
		})
	}
}

// moved is the line of the emulated driver's log that tells of a tensor's move.
func moved(way string, x graph.Tensor) string {
	width := 4
	if x.Dtype == graph.Int {
		width = 8
	}
	return fmt.Sprintf("%s %d", way, width*x.Len())
}

// moves are the lines of the log that tell of moves between the memories.
func moves(t *testing.T, log string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "upload ") || strings.HasPrefix(line, "download ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}
