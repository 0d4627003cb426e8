package onnx

import "testing"

// Limit sets the size that files may have, for a test.
func Limit(t *testing.T, bytes int) {
	before := limit
	t.Cleanup(func() { limit = before })
	limit = bytes
}
