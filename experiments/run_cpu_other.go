//go:build !linux && !darwin

package experiments

import "os"

// cpuModel is Windows's name for the processor, "" elsewhere.
func cpuModel() string { return os.Getenv("PROCESSOR_IDENTIFIER") }
