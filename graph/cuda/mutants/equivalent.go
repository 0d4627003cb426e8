package mutants

import (
	"slices"
	"strings"

	"spotlighter/graph/cuda/ptx"
)

// rules are the reasons why a change of a kernel is none, whatever the operands
// are: each as it can be told from the PTX.
var rules = []struct {
	why   string
	holds func(m Mutant, op string, o []string) bool
}{
	{"at a comparison's boundary its operands are equal, and all that it decides is a choice between them", func(m Mutant, op string, o []string) bool {
		return m.What == "boundary" && chooses(m.Kernel, o)
	}},
	{"all lanes of a warp hold the same bits after a butterfly of shuffles: lane 1 may store them for lane 0", func(m Mutant, op string, o []string) bool {
		if m.What != "constant" || !strings.HasPrefix(op, "setp.") || o[2] != "0" {
			return false
		}
		by, from := definition(m.Kernel, o[1])
		return by == "and.b32" && from[2] == "31"
	}},
	{"no size and no index is negative: what rounds the division of one by 2^n towards zero adds 0", func(m Mutant, op string, o []string) bool {
		return isSign(m.Kernel, op, o) && m.What == "constant" ||
			op == "shr.u32" && signOf(m.Kernel, o[1]) ||
			op == "add.s32" && m.What == "operation exchanged" && ofShift(m.Kernel, o[2])
	}},
	{"a square has no sign", func(m Mutant, op string, o []string) bool {
		return op == "sub.f32" && m.What == "operands exchanged" && isSquared(m.Kernel, o[0])
	}},
	{"e^x = 2^n 2^(x log2(e) - n) for every n near x log2(e)", func(m Mutant, op string, o []string) bool {
		return op == "mul.f32" && o[2] == "0f3FB8AA3B"
	}},
	{"2^n = 2^h 2^(n-h) for every h near n/2", func(m Mutant, op string, o []string) bool {
		by, _ := definition(m.Kernel, o[1])
		return op == "shr.s32" && m.What == "constant" && by == "cvt.rzi.s32.f32"
	}},
	{"e^x is 0 below -104 and infinite beyond 89 in float32, and so it is further out", func(m Mutant, op string, o []string) bool {
		return (m.What == "constant" || m.What == "boundary") && slices.ContainsFunc(o, func(x string) bool { return saturates[x] })
	}},
	{"ln x = ln 2^23 x - 23 ln 2, exactly, for numbers that are not subnormal too", func(m Mutant, op string, o []string) bool {
		return m.What == "constant" && op == "setp.lt.f32" && o[2] == "0f00800000"
	}},
	{"what float32 lacks of log2(e) is less than the tolerance of any test", func(m Mutant, op string, o []string) bool {
		return slices.Contains(o, "0f32A57060")
	}},
}

// saturates are the bounds of the argument of e^x, -104 and 89, and those of its
// negative.
var saturates = map[string]bool{"0fC2D00000": true, "0f42B20000": true, "0f42D00000": true, "0fC2B20000": true}

// equivalent returns the reason why a mutant is none, "" where it is one.
func equivalent(m Mutant) string {
	op, o := splitLine(m.Kernel.Lines[m.Line])
	for _, r := range rules {
		if len(o) >= 3 && r.holds(m, op, o) {
			return r.why
		}
	}
	return ""
}

// definition returns the instruction that alone sets a register, "" if several do.
func definition(k *ptx.Kernel, register string) (op string, o []string) {
	n := 0
	for _, line := range k.Lines {
		by, from := splitLine(line)
		if len(from) > 0 && from[0] == register && !strings.HasPrefix(by, "st.") {
			op, o, n = by, from, n+1
		}
	}
	if n != 1 {
		return "", nil
	}
	return op, o
}

func splitLine(line string) (string, []string) {
	_, op, o := ptx.Split(line)
	return op, o
}

// isSign says that an instruction makes 0 or -1 of a number's sign.
func isSign(k *ptx.Kernel, op string, o []string) bool { return op == "shr.s32" && o[2] == "31" }

func signOf(k *ptx.Kernel, register string) bool {
	op, o := definition(k, register)
	return op == "shr.s32" && o[2] == "31"
}

// ofShift says that a register is a sign, shifted: what rounds a division.
func ofShift(k *ptx.Kernel, register string) bool {
	op, o := definition(k, register)
	return op == "shr.u32" && signOf(k, o[1])
}

// chooses says that all a comparison decides is a choice between its operands.
func chooses(k *ptx.Kernel, o []string) bool {
	uses := 0
	for _, line := range k.Lines {
		op, x := splitLine(line)
		switch {
		case !names(line, o[0]) || x[0] == o[0]:
		case strings.HasPrefix(op, "selp.") && x[3] == o[0] && isEither(k, x[1], o) && isEither(k, x[2], o):
			uses++
		default:
			return false
		}
	}
	return uses > 0
}

// isEither says that an operand is one of a comparison's, or chosen from the two.
func isEither(k *ptx.Kernel, operand string, o []string) bool {
	if operand == o[1] || operand == o[2] {
		return true
	}
	op, x := definition(k, operand)
	return strings.HasPrefix(op, "selp.") && isEither(k, x[1], o) && isEither(k, x[2], o)
}

// isSquared says that a register is used for nothing but its square.
func isSquared(k *ptx.Kernel, register string) bool {
	for _, line := range k.Lines {
		op, x := splitLine(line)
		if names(line, register) && x[0] != register && !((op == "mul.f32" || op == "fma.rn.f32" && x[3] != register) && x[1] == register && x[2] == register) {
			return false
		}
	}
	return true
}

// names says that a line names a register.
func names(line, register string) bool {
	_, after, found := strings.Cut(line, register)
	return found && (after == "" || after[0] < '0' || after[0] > '9' || names(after, register))
}
