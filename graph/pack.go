package graph

import (
	"slices"
	"sync"
	"unsafe"

	"spotlighter/graph/cpu"
)

// packs are the arrangements of a frozen variable's memory that products have
// asked for. All programs of the process share them.
type packs struct {
	mu   sync.Mutex
	list []pack
}

// pack was made of the matrix at from.
type pack struct {
	from  unsafe.Pointer
	k, n  int
	trans bool
	*cpu.Packed
}

// Products of fewer rows than packFew read a weight where it is, and for those of
// more than packMany the time to pack it does not show: under 1%.
const packFew, packMany = 5, 2048

// Packed returns op(B)[k,n] arranged for products of so many rows, once for all
// runs, if b is the value of a frozen variable or a view of one; trans says that
// b is [n,k]. Otherwise, and where it would be of no use, it returns nil.
func (c *Ctx) Packed(b Tensor, rows, k, n int, trans bool) *cpu.Packed {
	if b.packs == nil || b.Dtype != Float32 || rows < packFew || rows > packMany {
		return nil
	}
	from, ld := b.where(), n
	if trans {
		ld = k
	}
	s := b.packs
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.list {
		if p.from == from && p.k == k && p.n == n && p.trans == trans && p.Current() {
			return p.Packed
		}
	}
	packed := cpu.Pack(c.Pool, b.F32, ld, k, n, trans)
	if packed == nil {
		return nil
	}
	// The variable's memory may have changed, or the kernels.
	s.list = slices.DeleteFunc(s.list, func(p pack) bool { return p.from != from || !p.Current() })
	s.list = append(s.list, pack{from, k, n, trans, packed})
	return packed
}

func (s *packs) bytes() (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.list {
		n += p.Bytes()
	}
	return n
}

// PackedBytes is the size of the copies of this program's frozen variables that
// products have arranged for themselves. Programs over one store share them.
func (p *Program) PackedBytes() (n int64) {
	for _, b := range p.vars {
		n += b.v.packs.bytes()
	}
	return n
}
