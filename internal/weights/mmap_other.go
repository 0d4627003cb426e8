//go:build !unix

package weights

import "os"

// mapFile reads the whole file: there is no portable mapping here.
func mapFile(path string, _ int64) ([]byte, func() error, error) {
	content, err := os.ReadFile(path)
	return content, func() error { return nil }, err
}
