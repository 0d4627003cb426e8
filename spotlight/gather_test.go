package spotlight

import (
	"fmt"
	"math"
	"testing"

	"spotlighter/graph"
)

// dot is the inner product of rows.
func dot(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// The local logits are those of the representation, with the kept tokens'
// contributions and less of the mean reading, and the mean follows what is read.
func TestEvidenceAndCentre(t *testing.T) {
	for _, q := range []int{1, 3} {
		t.Run(fmt.Sprintf("candidates %d", q), func(t *testing.T) {
			c := oneReading()
			c.Candidates, c.Evidence, c.EvidenceBlocks, c.Centre, c.ReadingMomentum = q, .7, []int{1, 2}, .6, .9
			x := newToy(t, c, graph.Float32)
			mean := unitDraw("mean", 16)
			set(x.state("mean"), mean)
			out := x.run()

			evidence, index, rep, text, local := out["evidence"], out["index"], out["representation"], out["text"], out["local"]
			row := func(r int) []float32 { // what reading r says
				v := make([]float32, 16)
				for d := range v {
					v[d] = rep.Row(r)[d] - .6*mean.F32[d]
					for _, n := range index.Int[r*c.Keep : (r+1)*c.Keep] {
						v[d] += .7 * evidence.F32[(r/q*16+n)*16+d]
					}
				}
				return v
			}
			for b := range toyImages {
				for class := range toyClasses {
					r := b * q
					if q > 1 {
						for i, cand := range out["candidates"].Int[b*q : b*q+q] {
							if cand == class {
								r = b*q + i
							}
						}
					}
					want := toyTau * dot(row(r), text.Row(class))
					if q > 1 {
						for other := range toyClasses {
							want -= toyTau * dot(row(r), text.Row(other)) / toyClasses
						}
					}
					if got := float64(local.Row(b)[class]); math.Abs(got-want) > 1e-4 {
						t.Errorf("image %d, class %d: local logit %g, want %g", b, class, got, want)
					}
				}
			}

			for d := range mean.F32 {
				want := .9 * float64(mean.F32[d])
				for b := range toyImages {
					r := b * q
					if q > 1 {
						for i, cand := range out["candidates"].Int[b*q : b*q+q] {
							if cand == toyLabels[b] {
								r = b*q + i
							}
						}
					}
					want += .1 / toyImages * float64(out["reading"].Row(r)[d])
				}
				if got := float64(out["mean after"].F32[d]); math.Abs(got-want) > 1e-5 {
					t.Errorf("mean after the step is %g at %d, want %g", got, d, want)
				}
			}
		})
	}
}
