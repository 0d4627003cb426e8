package experiments

import "golang.org/x/sys/unix"

// cpuModel is the kernel's name for the processor, "" if it has none.
func cpuModel() string {
	name, err := unix.Sysctl("machdep.cpu.brand_string")
	if err != nil {
		return ""
	}
	return name
}
