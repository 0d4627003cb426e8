package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"spotlighter/graph/cpu"
	"spotlighter/graph/cuda"
	"spotlighter/internal/bench"
)

// health is what the program has to compute on.
type health struct {
	bench.Machine
	Kernels []string `json:"kernels"` // that this processor can run, the fastest first
	CUDA    cards    `json:"cuda"`
}

// cards is cuda.Found in words.
type cards struct {
	Built   bool   `json:"built"`
	Missing string `json:"missing,omitempty"` // why no card can be used
	Driver  string `json:"driver,omitempty"`
	Cards   []card `json:"cards"`
	BLAS    string `json:"cublas,omitempty"`
	NoBLAS  string `json:"no_cublas,omitempty"` // why cuBLAS is not used
}

type card struct {
	Device     string `json:"device"`
	Name       string `json:"name"`
	Capability string `json:"capability"`
	Memory     int64  `json:"memory_bytes"`
	Free       int64  `json:"free_bytes"`
	Missing    string `json:"missing,omitempty"` // why it cannot be used
}

func doctorCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what there is to compute on, and what is missing and how to get it",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			h := examine()
			if asJSON {
				text, err := json.MarshalIndent(h, "", "  ")
				if err != nil {
					return err
				}
				_, err = fmt.Printf("%s\n", text)
				return err
			}
			_, err := os.Stdout.WriteString(h.words())
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func examine() health {
	h := health{Machine: bench.Describe(cpu.NewPool(0)), Kernels: cpu.Paths()}
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	f := cuda.Find()
	h.CUDA = cards{Built: f.Built, Missing: text(f.Err), Driver: f.Driver, Cards: []card{}, BLAS: f.BLAS, NoBLAS: text(f.BLASErr)}
	for i, c := range f.Cards {
		h.CUDA.Cards = append(h.CUDA.Cards, card{fmt.Sprintf("cuda:%d", i), c.Name, fmt.Sprintf("%d.%d", c.Major, c.Minor), c.Memory, c.Free, text(c.Err)})
	}
	return h
}

// remedies are what a user can do about a lack, by what its error says.
var remedies = []struct{ lack, remedy string }{
	{"built without CUDA", "needs Go, a C compiler and the headers of CUDA 12 or 13, no card: graph/cuda/go build -o spotlighter ."},
	{"no NVIDIA driver", "install NVIDIA's driver (Debian: nvidia-driver; in a container: the NVIDIA container toolkit and --gpus all); nvidia-smi shows whether it works"},
	{"finds no card", "nvidia-smi -L lists the cards; CUDA_VISIBLE_DEVICES may hide them"},
	{"libcublas", "optional: install libcublas 12 or 13, of CUDA or of the wheel nvidia-cublas, and put its folder into LD_LIBRARY_PATH; until then products are computed by the program's own kernels"},
}

func remedy(lack string) string {
	for _, r := range remedies {
		if strings.Contains(lack, r.lack) {
			return r.remedy
		}
	}
	return ""
}

func (h health) words() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(what, found string) { fmt.Fprintf(w, "%s\t%s\n", what, found) }
	lack := func(what, missing string) {
		row(what, missing)
		if r := remedy(missing); r != "" {
			row("", "-> "+r)
		}
	}
	row("processor", fmt.Sprintf("%s, %d cores, %s", h.Processor, h.Cores, h.System))
	row("features", strings.Join(h.Flags, " "))
	row("kernels", fmt.Sprintf("%s (of %s; %s=NAME takes another)", h.Path, strings.Join(h.Kernels, ", "), cpu.PathVariable))
	if h.Limit > 0 {
		row("limit", fmt.Sprintf("%.0f GFLOP/s on %d threads", h.Limit, h.Threads))
	}
	if h.CUDA.Missing != "" {
		lack("cuda", h.CUDA.Missing)
	} else {
		row("cuda", "driver API "+h.CUDA.Driver)
	}
	for _, c := range h.CUDA.Cards {
		found := fmt.Sprintf("%s, compute capability %s, %.1f GiB, %.1f free", c.Name, c.Capability, gib(c.Memory), gib(c.Free))
		if c.Missing != "" {
			found += "; cannot be used: " + c.Missing
		}
		row(c.Device, found)
	}
	switch {
	case h.CUDA.BLAS != "":
		row("cublas", h.CUDA.BLAS)
	case h.CUDA.NoBLAS != "":
		lack("cublas", h.CUDA.NoBLAS)
	}
	_ = w.Flush() // to a strings.Builder
	return b.String()
}

func gib(n int64) float64 { return float64(n) / (1 << 30) }
