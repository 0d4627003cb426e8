// Package shared finds the real data and reference numbers that tests use and
// that are not part of the repository.
package shared

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Path returns a file or folder of the shared data, which lie beside the
// repository or where SPOTLIGHTER_SHARED says. Without them the test is skipped.
func Path(t testing.TB, elem ...string) string {
	t.Helper()
	root := os.Getenv("SPOTLIGHTER_SHARED")
	if root == "" {
		_, file, _, _ := runtime.Caller(0)
		root = filepath.Join(filepath.Dir(file), "../../../shared")
	}
	p := filepath.Join(append([]string{root}, elem...)...)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("no shared data at %s (set SPOTLIGHTER_SHARED to its folder)", root)
	}
	return p
}
