package experiments

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"spotlighter/experiments/methods"
	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// View is what the method made of one image.
type View struct {
	Grid int // patches a side
	// The activations of the patches, row by row; nil where one is switched off.
	// Where each candidate class has its own, they are the predicted class's, or the
	// likeliest candidate's if that is none.
	Sample, Semantic, Score []float32
	Kept                    []Kept // by falling score
}

// Kept is one token that the image was classified by.
type Kept struct {
	Patch   int
	Level   int     // 1 or 2
	Score   float64 // in standard deviations of the image's patches
	Weight  float64 // inside its level
	Matches []Match // the prototypes that make up most of what it was matched with
	Nearest Match   // the most alike of all prototypes
}

// Match is a prototype of the bank.
type Match struct {
	Class      string
	Prototype  int     // from 1
	Share      float64 // of what the token was matched with
	Similarity float64 // cosine
	Learned    bool    // the class was seen in training
}

// matches is how many prototypes of a token are told.
const matches = 3

// CanView says why the run has nothing to look at, if that is so.
func (t *Trained) CanView() error {
	switch method := t.Config.Method[0]; {
	case !methods.Plugged(method):
		return fmt.Errorf("method %s keeps no tokens: there is nothing to look at", method)
	case !methods.KeepsTokens(method, t.Config.Spotlight):
		return fmt.Errorf("spotlight.variant %s keeps no tokens at test time: there is nothing to look at", t.Config.Spotlight.Variant)
	}
	if !t.program.Has("index") {
		return errors.New("opened without views")
	}
	return nil
}

// View is what the method made of image i of the last batch.
func (t *Trained) View(i int) View {
	p, row := t.program, i
	if p.Has("candidates") {
		cs := p.Output("candidates")
		q := cs.Shape[1]
		class := slices.Index(t.Classes, t.Top(i, 1)[0].Class)
		row = i*q + max(0, slices.Index(cs.Int[i*q:(i+1)*q], class))
	}
	values := func(name string) []float32 {
		if !p.Has(name) {
			return nil
		}
		return slices.Clone(p.Output(name).Row(row))
	}
	v := View{Grid: t.lab.model.Vision.Grid(), Sample: values(methods.NamedSample), Semantic: values(methods.NamedSemantic), Score: values(methods.NamedScore)}
	k := p.Output("index").Shape[1]
	tokens, weight, belief := values(methods.NamedKept), values(methods.NamedWeight), values(methods.NamedBelief)
	for n, patch := range p.Output("index").Int[row*k : (row+1)*k] {
		d := len(tokens) / k
		kept := Kept{Patch: patch, Level: t.Config.Spotlight.LevelOf(n), Score: float64(v.Score[patch]), Weight: float64(weight[n])}
		kept.Matches, kept.Nearest = t.match(tokens[n*d:(n+1)*d], belief)
		v.Kept = append(v.Kept, kept)
	}
	return v
}

// match finds a token's prototypes: nothing where the method has no bank.
func (t *Trained) match(token, belief []float32) (best []Match, nearest Match) {
	at := slices.IndexFunc(t.vars, func(v *graph.Variable) bool { return v.Name == methods.BankName })
	if at < 0 {
		return nil, nearest
	}
	bank, temperature := t.vars[at].Value, math.Log(10)
	if k := slices.IndexFunc(t.vars, func(v *graph.Variable) bool { return v.Name == methods.KappaName }); k >= 0 {
		temperature = float64(t.vars[k].Value.F32[0])
	}
	classes, prototypes, d := bank.Shape[0], bank.Shape[1], bank.Shape[2]
	nearest.Similarity = math.Inf(-1)
	share := make([]float32, prototypes)
	for c := range classes {
		var similarity []float32
		for j := range prototypes {
			similarity = append(similarity, cpu.Dot(token, bank.F32[(c*prototypes+j)*d:][:d]))
		}
		cpu.SoftmaxRow(share, similarity, float32(math.Exp(temperature)))
		for j := range prototypes {
			m := Match{"every class", j + 1, float64(share[j]), float64(similarity[j]), true}
			if classes > 1 {
				m = Match{t.Classes[c], j + 1, float64(belief[c] * share[j]), float64(similarity[j]), slices.Contains(t.learned, t.Classes[c])}
			}
			best = append(best, m)
			if m.Similarity > nearest.Similarity {
				nearest = m
			}
		}
	}
	slices.SortStableFunc(best, func(a, b Match) int { return cmp.Compare(b.Share, a.Share) })
	return best[:min(matches, len(best))], nearest
}

// OnObject says whether a patch, of which the object covers that share, counts as
// on it.
func OnObject(share float32) bool { return share > onObject }
