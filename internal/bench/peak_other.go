//go:build !linux && !darwin

package bench

// Peak is the most memory that this process has had, in bytes; 0 where the
// system does not say.
func Peak() int64 { return 0 }
