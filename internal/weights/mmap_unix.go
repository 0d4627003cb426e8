//go:build unix

package weights

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps size bytes of the file for reading and returns how to undo it.
func mapFile(path string, size int64) ([]byte, func() error, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() // the mapping outlives the descriptor
	if int64(int(size)) != size {
		return nil, nil, fmt.Errorf("%d bytes do not fit this machine's addresses", size)
	}
	content, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, fmt.Errorf("map into memory: %w", err)
	}
	return content, func() error { return unix.Munmap(content) }, nil
}
