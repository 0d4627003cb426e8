// Package bench measures the program on the machine at hand: the limit of its
// arithmetic, the hot operations' share of it, the encoders, the training step
// and the evaluation.
package bench

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/cpu"

	kernels "spotlighter/graph/cpu"
)

// Machine is what numbers depend on.
type Machine struct {
	Processor string   `json:"processor"`
	System    string   `json:"system"`
	Go        string   `json:"go"`
	Cores     int      `json:"cores"`
	Threads   int      `json:"threads"`
	Flags     []string `json:"flags"`
	Path      string   `json:"path"`          // the kernels in use
	Limit     float64  `json:"limit_gflops"`  // of fused products and sums in registers, on all threads; 0 where it is not known
	Load      string   `json:"load_averages"` // of others, too, when the measurement began
}

// Describe names the machine and measures its limit.
func Describe(pool *kernels.Pool) Machine {
	path, _ := kernels.Path() // a wrong choice was refused before
	m := Machine{
		Processor: processor(), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(),
		Cores: runtime.NumCPU(), Threads: pool.Threads(), Path: path, Load: load(),
	}
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"avx2", cpu.X86.HasAVX2}, {"fma", cpu.X86.HasFMA}, {"bmi2", cpu.X86.HasBMI2}, {"avx512f", cpu.X86.HasAVX512F},
		{"avx512vl", cpu.X86.HasAVX512VL}, {"avx512dq", cpu.X86.HasAVX512DQ}, {"avx512bw", cpu.X86.HasAVX512BW},
		{"asimd", cpu.ARM64.HasASIMD},
	} {
		if f.has {
			m.Flags = append(m.Flags, f.name)
		}
	}
	for range 5 {
		m.Limit = max(m.Limit, limit(pool, path))
	}
	return m
}

// limit measures the path's arithmetic once, in GFLOP/s.
func limit(pool *kernels.Pool, path string) float64 {
	loop, flops := fmaLoop(path)
	if loop == nil {
		return 0
	}
	const rounds, chunks = 1 << 20, 8
	start := time.Now()
	pool.For(chunks*pool.Threads(), 1, func(lo, hi int) {
		for range hi - lo {
			loop(rounds)
		}
	})
	return float64(chunks*pool.Threads()) * rounds * float64(flops) / time.Since(start).Seconds() / 1e9
}

// processor is the name that the system gives it.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // elsewhere the architecture must do
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && slices.Contains([]string{"model name", "Processor"}, strings.TrimSpace(key)) {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
