// Package pyrandom draws the numbers that Python's random module draws after
// random.seed(n), so that samples taken by Python programs can be repeated. It
// agrees with every Python from 3.2 on.
package pyrandom

import (
	"fmt"
	"math/bits"

	"gonum.org/v1/gonum/mathext/prng"
)

// Random is a generator in the state that random.Random(seed) starts in.
type Random struct {
	twister *prng.MT19937
}

// New returns a generator seeded as random.seed(seed) does for an int: the
// Mersenne Twister takes the seed's 32-bit digits, lowest first, as its key.
func New(seed uint64) *Random {
	key := []uint32{uint32(seed)}
	if high := uint32(seed >> 32); high != 0 {
		key = append(key, high)
	}
	r := &Random{twister: prng.NewMT19937()}
	r.twister.SeedFromKeys(key)
	return r
}

// Bits returns getrandbits(k), for k from 1 to 64.
func (r *Random) Bits(k int) uint64 {
	if k <= 32 {
		return uint64(r.twister.Uint32() >> (32 - k))
	}
	low := uint64(r.twister.Uint32())
	return low | uint64(r.twister.Uint32()>>(64-k))<<32
}

// Float64 returns random(): 53 random bits scaled to [0, 1).
func (r *Random) Float64() float64 {
	a, b := r.Bits(27), r.Bits(26)
	return float64(a<<26|b) / (1 << 53)
}

// Below returns a uniform number from 0 to n-1, by redrawing as many bits as n
// has until they are below n. n must be positive.
func (r *Random) Below(n int) int {
	k := bits.Len(uint(n))
	for {
		if v := r.Bits(k); v < uint64(n) {
			return int(v)
		}
	}
}

// Choice returns choice(items), which must not be empty.
func Choice[T any](r *Random, items []T) T { return items[r.Below(len(items))] }

// Shuffle reorders items as shuffle(items) does.
func Shuffle[T any](r *Random, items []T) {
	for i := len(items) - 1; i > 0; i-- {
		j := r.Below(i + 1)
		items[i], items[j] = items[j], items[i]
	}
}

// Sample returns sample(items, k): k different items in random order. Which of
// two methods Python uses depends on the sizes, and with it the result.
func Sample[T any](r *Random, items []T, k int) ([]T, error) {
	n := len(items)
	if k < 0 || k > n {
		return nil, fmt.Errorf("sample of %d out of %d", k, n)
	}
	out := make([]T, k)
	if n <= setSize(k) {
		pool := append([]T(nil), items...)
		for i := range out {
			j := r.Below(n - i)
			out[i], pool[j] = pool[j], pool[n-i-1]
		}
		return out, nil
	}
	seen := make(map[int]bool, k)
	for i := range out {
		j := r.Below(n)
		for seen[j] {
			j = r.Below(n)
		}
		seen[j] = true
		out[i] = items[j]
	}
	return out, nil
}

// setSize is the length up to which Python copies the list: the memory of a
// set of k indices, which it reckons as 21, or with k over 5 that plus the
// power of four from 3k on.
func setSize(k int) int {
	if k <= 5 {
		return 21
	}
	power := 1
	for power < 3*k {
		power *= 4
	}
	return 21 + power
}
