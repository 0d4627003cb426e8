package kernels

// Cache says where the keys or values of N tokens lie beside those of M rows that
// read them, in heads: see layers.CacheWeights.
type Cache struct {
	Items, Rows, Tokens, Width, Heads int
	Own                               Layout // of the rows [Items, Rows, Width]
	Kept                              Layout // of the tokens [Items, Tokens, Width]
}

func (c Cache) head() int { return c.Width / c.Heads }

// rows has the heads apart in a layout [Items, Rows, Width]: [Items, Rows, Heads, d].
func (c Cache) rows(l Layout) Layout {
	return Layout{l.Ptr, []int{l.Strides[0], l.Strides[1], c.head(), 1}}
}

func (c Cache) split(d int) []int { return []int{c.Items, c.Rows, c.Heads, d} }

// CacheProducts is y = scale x kᵀ [Items, Rows, Heads, 1+Tokens] of x, laid out as
// [Items, Rows, Width], a row's product with its own first.
func (l *List) CacheProducts(c Cache, y Tensor, x Layout, scale float64) error {
	d, n := c.head(), 1+c.Tokens
	for h := range c.Heads {
		err := l.Gemm(Product{
			A: x.Ptr.Plus(h*d, floatSize), B: c.Kept.Ptr.Plus(h*d, floatSize), C: y.Ptr.Plus(h*n+1, floatSize), M: c.Rows, N: c.Tokens, K: d,
			LDA: x.Strides[1], LDB: c.Kept.Strides[1], LDC: c.Heads * n, TransB: true,
			Batch: c.Items, StrideA: x.Strides[0], StrideB: c.Kept.Strides[0], StrideC: c.Rows * c.Heads * n, Alpha: float32(scale),
		}, Plain)
		if err != nil {
			return err
		}
	}
	own, by := l.dense(c.split(d)), l.dense(c.split(d))
	if err := l.Copy(own.Shape, Dense(own), c.rows(c.Own)); err != nil {
		return err
	}
	if err := l.Copy(by.Shape, Dense(by), c.rows(x)); err != nil {
		return err
	}
	if err := l.Binary('*', own, own, by); err != nil {
		return err
	}
	sums := l.dense(c.split(1))
	if err := l.Reduce(Sum, sums.Ptr, own.Ptr, sums.Len(), d, 1, scale); err != nil {
		return err
	}
	return l.Copy(sums.Shape, Dense(y), Dense(sums))
}

// CacheMix is y [Items, Rows, Width] of the weights a [Items, Rows, Heads, 1+Tokens].
func (l *List) CacheMix(c Cache, y, a Tensor) error {
	d, n := c.head(), 1+c.Tokens
	for h := range c.Heads {
		err := l.Gemm(Product{
			A: a.Ptr.Plus(h*n+1, floatSize), B: c.Kept.Ptr.Plus(h*d, floatSize), C: y.Ptr.Plus(h*d, floatSize), M: c.Rows, N: d, K: c.Tokens,
			LDA: c.Heads * n, LDB: c.Kept.Strides[1], LDC: c.Width,
			Batch: c.Items, StrideA: c.Rows * c.Heads * n, StrideB: c.Kept.Strides[0], StrideC: c.Rows * c.Width, Alpha: 1,
		}, Plain)
		if err != nil {
			return err
		}
	}
	own, by := l.dense(c.split(d)), l.dense(c.split(1))
	if err := l.Copy(own.Shape, Dense(own), c.rows(c.Own)); err != nil {
		return err
	}
	if err := l.Copy(by.Shape, Dense(by), Dense(a)); err != nil {
		return err
	}
	if err := l.Binary('*', own, own, by); err != nil {
		return err
	}
	y.Shape = own.Shape
	return l.Binary('+', y, y, own)
}

// CacheWeights is softmax(q kᵀ/sqrt(d) + bias) [Items, Rows, Heads, 1+Tokens] of
// queries, laid out as [Items, Rows, Width], and a bias [Items, Rows, R] of the first
// R tokens.
func (l *List) CacheWeights(c Cache, y Tensor, q Layout, bias Tensor, scale float64) error {
	if err := l.CacheProducts(c, y, q, scale); err != nil {
		return err
	}
	all := l.dense([]int{c.Items, c.Rows, 1, 1 + c.Tokens}) // the bias, 0 where it says nothing
	if err := l.Fill(all, 0); err != nil {
		return err
	}
	to := From(all, 3, 1)
	if err := l.Copy(bias.Shape, Layout{to.Ptr, []int{to.Strides[0], to.Strides[1], 1}}, Dense(bias)); err != nil {
		return err
	}
	if err := l.Binary('+', y, y, all); err != nil {
		return err
	}
	return l.Rows("softmax", y, []Tensor{y, y})
}

// dense is scratch memory for a tensor of that shape.
func (l *List) dense(shape []int) Tensor { return Tensor{Ptr: l.floats(count(shape)), Shape: shape} }
