//go:build unix

package experiments

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// errLocked says that another process has the lock.
var errLocked error = unix.EWOULDBLOCK

// tryLock locks f until it is closed, or its process ends.
func tryLock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// isReadOnly tells a file system that takes no writes.
func isReadOnly(err error) bool { return errors.Is(err, unix.EROFS) }
