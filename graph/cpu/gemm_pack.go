package cpu

// Packed is a matrix B in the order in which the SIMD kernels read it. It is
// worth its memory, as much as B's, for a B that many products share.
type Packed struct {
	kernels *kernels
	k, n    int
	trans   bool
	data    []float32
}

// Pack packs op(B)[k,n], B having rows ldb apart; trans says that B is stored as
// [n,k]. It returns nil where products read B itself: for float64, on the
// portable path, and if op(B) is empty.
func Pack[T Float](p *Pool, b []T, ldb, k, n int, trans bool) *Packed {
	if active == nil || !single[T]() || k == 0 || n == 0 {
		return nil
	}
	j := p.jobs.take()
	defer p.jobs.give(j)
	j.GemmArgs, j.kernels = GemmArgs[float32]{TransB: trans, N: n, K: k, B: f32(b), LDB: ldb}, active
	j.blocks()
	j.cut(0, n)
	j.item, j.first, j.last = 0, 0, len(j.bounds)-1
	packed := &Packed{active, k, n, trans, make([]float32, k*j.width)}
	j.packed = packed.data
	p.For(j.last*slabs*len(j.panels), panelGroup, j.packTask)
	return packed
}

// Current says whether the kernels in use are those that it was packed for.
func (p *Packed) Current() bool { return p.kernels == active }

// Bytes is the memory that it takes.
func (p *Packed) Bytes() int64 { return 4 * int64(len(p.data)) }

// slabs is the number of runs of packRows rows in a block of K.
const slabs = (depthBlock + packRows - 1) / packRows

// packUnits packs the item's B: a unit is one panel of one slab of one block.
func (j *job) packUnits(lo, hi int) {
	for u := lo; u < hi; u++ {
		p, slab := j.panels[u%len(j.panels)], u/len(j.panels)%slabs
		block := j.first + u/len(j.panels)/slabs
		k0, k1 := j.bounds[block], j.bounds[block+1]
		r0 := k0 + slab*packRows
		if r0 >= k1 {
			continue
		}
		to := j.packed[(k0-j.bounds[j.first])*j.width+p.offset*(k1-k0):]
		j.packB(to[slab*packRows*p.width:], p, j.item, r0, min(r0+packRows, k1))
	}
}

// packB packs rows [r0,r1) of a panel of op(B).
func (j *job) packB(to []float32, p panel, item, r0, r1 int) {
	b, rows := j.B[item*j.StrideB:], r1-r0
	if !j.TransB {
		vectors := p.width / j.lanes
		j.pack[vectors-1](&to[0], &b[r0*j.LDB+p.col], j.LDB, rows, p.cols-p.width+j.lanes)
		return
	}
	b = b[p.col*j.LDB+r0:]
	c, whole := 0, rows&^7
	for ; c+8 <= p.cols; c += 8 {
		if whole > 0 {
			j.transpose8(&to[c], p.width, &b[c*j.LDB], j.LDB, whole)
		}
		for r := whole; r < rows; r++ {
			for i := range 8 {
				to[r*p.width+c+i] = b[(c+i)*j.LDB+r]
			}
		}
	}
	for ; c < p.cols; c++ {
		for r, x := range b[c*j.LDB:][:rows] {
			to[r*p.width+c] = x
		}
	}
}

// packedRows is the distance between the columns of a packed tile of A.
const packedRows = 8

// packTurn is how many rows of A packA takes for all tiles before it goes on: what
// it reads of them lies together, and in the L1 cache.
const packTurn = 32

// packA packs rows [m0,m1) and columns [k0,k0+depth) of op(A), A transposed, in
// tiles of a kernel's height, column after column.
func (j *job) packA(buf *[]float32, a []float32, k0, depth, m0, m1 int) []float32 {
	height := len(j.gemm[0])
	tiles := (m1 - m0 + height - 1) / height
	to := grow(buf, tiles*depth*packedRows)
	for k := 0; k < depth; k += packTurn {
		for t := range tiles {
			m := m0 + t*height
			j.pack8(&to[(t*depth+k)*packedRows], &a[(k0+k)*j.LDA+m], j.LDA, min(packTurn, depth-k), min(height, m1-m))
		}
	}
	return to
}
