package mutants

import (
	"slices"
	"strings"
)

// rules are the reasons why a change of an instruction is none, whatever the operands
// are: each as it can be told from the PTX.
var rules = []struct {
	why   string
	holds func(l *listing, m Mutant, in instruction) bool
}{
	{"at a comparison's boundary its operands are equal, and all that it decides is a choice between them", func(l *listing, m Mutant, in instruction) bool {
		return m.What == "boundary" && l.chooses(in)
	}},
	{"all lanes of a warp hold the same bits after a butterfly of shuffles: lane 1 may store them for lane 0", func(l *listing, m Mutant, in instruction) bool {
		by := l.definition(in.o[1])
		return m.What == "constant" && strings.HasPrefix(in.op, "setp.") && in.o[2] == "0" && by.op == "and.b32" && by.o[2] == "31"
	}},
	{"no size and no index is negative: what rounds the division of one by 2^n towards zero adds 0", func(l *listing, m Mutant, in instruction) bool {
		return in.isSign() && m.What == "constant" ||
			in.op == "shr.u32" && l.isRounding(in.o[0]) ||
			in.op == "add.s32" && m.What == "operation exchanged" && l.isRounding(in.o[2])
	}},
	{"x + 0 is x, and so is x - 0", func(l *listing, m Mutant, in instruction) bool {
		return in.o[len(in.o)-1] == "0f00000000" &&
			(in.op == "fma.rn.f32" && m.What == "term left out" || in.op == "add.f32" && m.What == "operation exchanged")
	}},
	{"a square has no sign", func(l *listing, m Mutant, in instruction) bool {
		return in.op == "sub.f32" && m.What == "operands exchanged" && l.isSquared(in.o[0])
	}},
	{"e^x = 2^n 2^(x log2(e) - n) for every n near x log2(e)", func(l *listing, m Mutant, in instruction) bool {
		return in.op == "mul.f32" && in.o[2] == "0f3FB8AA3B"
	}},
	{"2^n = 2^h 2^(n-h) for every h near n/2", func(l *listing, m Mutant, in instruction) bool {
		return in.op == "shr.s32" && m.What == "constant" && l.definition(in.o[1]).op == "cvt.rzi.s32.f32"
	}},
	{"e^x is 0 below -104 and infinite beyond 89 in float32, and so it is further out", func(l *listing, m Mutant, in instruction) bool {
		return (m.What == "constant" || m.What == "boundary") && slices.ContainsFunc(in.o, func(x string) bool { return saturates[x] })
	}},
	{"ln x = ln 2^23 x - 23 ln 2, exactly, for numbers that are not subnormal too", func(l *listing, m Mutant, in instruction) bool {
		return m.What == "constant" && in.op == "setp.lt.f32" && in.o[2] == "0f00800000"
	}},
	{"what float32 lacks of log2(e) is less than the tolerance of any test", func(l *listing, m Mutant, in instruction) bool {
		return slices.Contains(in.o, "0f32A57060")
	}},
}

// saturates are the bounds of the argument of e^x, -104 and 89, and those of its
// negative.
var saturates = map[string]bool{"0fC2D00000": true, "0f42B20000": true, "0f42D00000": true, "0fC2B20000": true}

// equivalent returns the reason why a mutant is none, "" where it is one.
func (l *listing) equivalent(m Mutant) string {
	in := l.lines[m.Line]
	for _, r := range rules {
		if len(in.o) >= 3 && r.holds(l, m, in) {
			return r.why
		}
	}
	return ""
}
