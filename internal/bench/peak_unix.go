//go:build linux || darwin

package bench

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Peak is the most memory that this process has had, in bytes; 0 where the
// system does not say.
func Peak() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	if runtime.GOOS == "linux" {
		return u.Maxrss << 10
	}
	return u.Maxrss
}
