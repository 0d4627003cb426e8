//go:build linux || darwin

package cache

import "golang.org/x/sys/unix"

// free is what a user may still write on the disk of dir.
func free(dir string) int64 {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return -1
	}
	return int64(uint64(s.Bavail) * uint64(s.Bsize))
}
