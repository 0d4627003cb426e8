package cpu

// The sizes of what a SIMD product works on. Only depthBlock shows in results:
// it decides where a sum over K is broken, by the product's own sizes.
const (
	depthBlock = 768     // most of K that one pass over C takes: a panel of B stays in the L2 cache
	rowBlock   = 96      // rows of C in a task, a multiple of 8 and 6
	panelGroup = 8       // panels of B in a task
	packBlock  = 1 << 22 // floats of B to pack at a time
	packRows   = 128     // rows of B in a task of packing
	itemBlock  = 1 << 18 // floats of B at most that a thread packs for itself
	directRows = 32      // products of at most so many rows read B where it is
	dotRows    = 4       // those of at most so many, with B transposed, are sums over rows of A and B
	smallWork  = 1 << 16 // multiplications that are not worth another thread
)

// panel is a run of columns of C, and of B, which is packed row after row.
type panel struct {
	col, cols int
	width     int // cols rounded up to vectors
	offset    int // sum of the widths of the panels before it
}

// job is a product in work. Jobs are kept, with their memory and their bound
// methods, so that a product allocates nothing.
type job struct {
	GemmArgs[float32]
	*kernels
	bounds []int // block i of K is [bounds[i],bounds[i+1])
	panels []panel
	width  int       // of all panels
	direct bool      // B is not packed
	worker []scratch // for each thread

	// What follows is of a product that the threads share.
	item        int       // which one of the batch
	first, last int       // blocks of K in packed
	packed      []float32 // B of these blocks
	own         []float32 // memory for it
	rows, group int       // of C and of panels in a task
	dotCols     int       // columns in a task of dots

	packTask, dotTask  func(lo, hi int)
	tileTask, itemTask func(worker, lo, hi int)
}

// scratch is a thread's own memory.
type scratch struct{ a, b []float32 }

// grow returns n floats, those of buf if it has as many.
func grow(buf *[]float32, n int) []float32 {
	if cap(*buf) < n {
		*buf = make([]float32, n)
	}
	return (*buf)[:n]
}

// simdGemm computes a product with the kernels k. K must not be 0.
func simdGemm(p *Pool, k *kernels, a *GemmArgs[float32]) {
	j := p.jobs.take()
	j.GemmArgs, j.kernels = *a, k
	for len(j.worker) < p.Threads() {
		j.worker = append(j.worker, scratch{})
	}
	j.run(p)
	p.jobs.give(j)
}

func (j *job) run(p *Pool) {
	if j.StrideB == 0 && !j.TransA && j.StrideA == j.M*j.LDA && j.StrideC == j.M*j.LDC {
		j.M, j.Batch = j.M*j.Batch, 1 // one tall product
	}
	if j.Packed != nil && j.Packed.kernels != j.kernels {
		j.Packed = nil // of another path
	}
	if j.M <= dotRows && j.TransB && !j.TransA {
		j.dotCols = min(j.N, max(16, smallWork/(j.M*j.K)))
		p.For(j.Batch*((j.N+j.dotCols-1)/j.dotCols), max(1, smallWork/(j.M*j.K*j.dotCols)), j.dotTask)
		return
	}
	j.direct = !j.TransB && j.M <= directRows && j.Packed == nil
	depth := j.blocks()
	j.cut(0, j.N)
	if j.Packed != nil {
		j.share(p.Threads())
		for j.item = range j.Batch {
			j.passes(p, len(j.bounds)-1)
		}
		return
	}
	work := j.M * j.N * j.K
	if work <= smallWork || depth*j.width <= itemBlock && j.Batch >= 2*p.Threads() {
		p.ForWorker(j.Batch, max(1, smallWork/work), j.itemTask)
		return
	}
	widest := len(j.gemm) * j.lanes
	cols := max(1, packBlock/depth/widest) * widest
	for n0 := 0; n0 < j.N; n0 += cols {
		j.cut(n0, min(n0+cols, j.N))
		j.share(p.Threads())
		for j.item = range j.Batch {
			j.passes(p, max(1, packBlock/(depth*j.width)))
		}
	}
}

// blocks cuts K and returns the depth of the deepest block.
func (j *job) blocks() int {
	n := (j.K + depthBlock - 1) / depthBlock
	j.bounds = append(j.bounds[:0], 0)
	for i := 1; i <= n; i++ {
		j.bounds = append(j.bounds, i*j.K/n)
	}
	return (j.K + n - 1) / n
}

// cut makes panels of columns [n0,n1) of C. The kernels for AVX-512 mask the
// last of any number of vectors, those for AVX2 of one only.
func (j *job) cut(n0, n1 int) {
	j.panels, j.width = j.panels[:0], 0
	most := len(j.gemm)
	for c := n0; c < n1; {
		vectors := (n1 - c + j.lanes - 1) / j.lanes
		switch {
		case most == 3 && vectors == 4:
			vectors = 2 // twice is faster than 3 and 1
		case most == 2 && n1-c < 2*j.lanes:
			vectors = 1
		}
		width := min(vectors, most) * j.lanes
		cols := min(width, n1-c)
		j.panels = append(j.panels, panel{c, cols, width, j.width})
		j.width += width
		c += cols
	}
}

// share chooses the size of the threads' tasks: large ones read A and B more
// often from the caches, but there must be enough of them. It does not show in
// the result.
func (j *job) share(threads int) {
	j.rows, j.group = rowBlock, panelGroup
	for threads > 1 && j.rowTasks()*j.groups() < 4*threads {
		switch {
		case j.group > 2:
			j.group /= 2
		case j.rows > rowBlock/4:
			j.rows /= 2
		case j.group > 1:
			j.group = 1
		default:
			return
		}
	}
}

func (j *job) rowTasks() int { return (j.M + j.rows - 1) / j.rows }

func (j *job) groups() int { return (len(j.panels) + j.group - 1) / j.group }

// passes computes one item's panels, so many blocks of K at a time.
func (j *job) passes(p *Pool, blocks int) {
	all := len(j.bounds) - 1
	for j.first = 0; j.first < all; j.first = j.last {
		j.last = min(j.first+blocks, all)
		switch {
		case j.Packed != nil:
			j.packed = j.Packed.data
		case !j.direct:
			j.packed = grow(&j.own, (j.bounds[j.last]-j.bounds[j.first])*j.width)
			p.For((j.last-j.first)*slabs*len(j.panels), panelGroup, j.packTask)
		}
		p.ForWorker(j.rowTasks()*j.groups(), 1, j.tileTask)
	}
}

// tiles computes tasks of C: j.rows rows and j.group panels.
func (j *job) tiles(worker, lo, hi int) {
	for t := lo; t < hi; t++ {
		g, m := t/j.rowTasks()*j.group, t%j.rowTasks()*j.rows
		panels := j.panels[g:min(g+j.group, len(j.panels))]
		for block := j.first; block < j.last; block++ {
			var b []float32
			if !j.direct {
				b = j.packed[(j.bounds[block]-j.bounds[j.first])*j.width:]
			}
			j.multiply(worker, j.item, block, m, min(m+j.rows, j.M), panels, b)
		}
		if j.last == len(j.bounds)-1 {
			end := panels[len(panels)-1]
			j.finish(j.item, m, min(m+j.rows, j.M), panels[0].col, end.col+end.cols)
		}
	}
}

// items computes whole items, each by one thread.
func (j *job) items(worker, lo, hi int) {
	for item := lo; item < hi; item++ {
		for block, k0 := range j.bounds[:len(j.bounds)-1] {
			var b []float32
			if depth := j.bounds[block+1] - k0; !j.direct {
				b = grow(&j.worker[worker].b, depth*j.width)
				for _, p := range j.panels {
					j.packB(b[p.offset*depth:], p, item, k0, k0+depth)
				}
			}
			for m := 0; m < j.M; m += rowBlock {
				j.multiply(worker, item, block, m, min(m+rowBlock, j.M), j.panels, b)
			}
		}
		j.finish(item, 0, j.M, 0, j.N)
	}
}

// multiply adds a block of K to rows [m0,m1) of panels of C; b holds the block
// of these and all other panels, if it is packed.
func (j *job) multiply(worker, item, block, m0, m1 int, panels []panel, b []float32) {
	k0 := j.bounds[block]
	depth := j.bounds[block+1] - k0
	mode := 0
	if j.Bias != nil && block == 0 {
		mode |= 1
	}
	if j.Accumulate || block > 0 {
		mode |= 2
	}
	height := len(j.gemm[0])
	whole, rest := (m1-m0)/height, (m1-m0)%height
	a, rsa, csa, step := j.A[item*j.StrideA:], j.LDA, 1, height*j.LDA
	if j.TransA {
		a = j.packA(&j.worker[worker].a, a, k0, depth, m0, m1)
		rsa, csa, step = 1, packedRows, depth*packedRows
	} else {
		a = a[m0*j.LDA+k0:]
	}
	for _, p := range panels {
		from, ldb := (*float32)(nil), j.LDB
		if b != nil {
			from, ldb = &b[p.offset*depth], p.width
		} else {
			from = &j.B[item*j.StrideB+k0*j.LDB+p.col]
		}
		var bias *float32
		if j.Bias != nil {
			bias = &j.Bias[p.col]
		}
		c := j.C[item*j.StrideC+m0*j.LDC+p.col:]
		f, lanes := j.gemm[p.width/j.lanes-1], p.cols-p.width+j.lanes
		if whole > 0 {
			f[height-1](whole, depth, &a[0], step, rsa, csa, from, ldb, &c[0], j.LDC, bias, j.Alpha, mode, lanes)
		}
		if rest > 0 {
			f[rest-1](1, depth, &a[whole*step], step, rsa, csa, from, ldb, &c[whole*height*j.LDC], j.LDC, bias, j.Alpha, mode, lanes)
		}
	}
}

// dots computes tasks of j.dotCols columns as sums over rows of A and B.
func (j *job) dots(lo, hi int) {
	tasks := (j.N + j.dotCols - 1) / j.dotCols
	for t := lo; t < hi; t++ {
		item, n0 := t/tasks, t%tasks*j.dotCols
		a, b, c := j.A[item*j.StrideA:], j.B[item*j.StrideB:], j.C[item*j.StrideC:]
		n1 := min(n0+j.dotCols, j.N)
		for n := n0; n < n1; n++ {
			for m := range j.M {
				x := j.Alpha * j.dot(&a[m*j.LDA], &b[n*j.LDB], j.K)
				if j.Bias != nil {
					x += j.Bias[n]
				}
				if j.Accumulate {
					x += c[m*j.LDC+n]
				}
				c[m*j.LDC+n] = x
			}
		}
		j.finish(item, 0, j.M, n0, n1)
	}
}
