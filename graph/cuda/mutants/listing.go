package mutants

import (
	"regexp"
	"slices"
	"strings"

	"spotlighter/graph/cuda/ptx"
)

// instruction is a line of a kernel without its guard.
type instruction struct {
	op string
	o  []string // operands
}

// listing is a kernel's lines, and where its registers are.
type listing struct {
	lines []instruction
	set   map[string][]int // by register: the lines that set it
	named map[string][]int // and those that name it
}

var registers = regexp.MustCompile(`%\w+`)

func list(k *ptx.Kernel) *listing {
	l := &listing{set: map[string][]int{}, named: map[string][]int{}}
	for i, line := range k.Lines {
		_, op, o := ptx.Split(line)
		l.lines = append(l.lines, instruction{op, o})
		for _, r := range registers.FindAllString(line, -1) {
			if !slices.Contains(l.named[r], i) {
				l.named[r] = append(l.named[r], i)
			}
		}
		if len(o) > 0 && !strings.HasPrefix(op, "st.") {
			l.set[o[0]] = append(l.set[o[0]], i)
		}
	}
	return l
}

// definition returns the instruction that alone sets a register, an empty one if
// several do.
func (l *listing) definition(register string) instruction {
	if at := l.set[register]; len(at) == 1 {
		return l.lines[at[0]]
	}
	return instruction{}
}

// isSign says that an instruction makes 0 or -1 of a number's sign.
func (in instruction) isSign() bool { return in.op == "shr.s32" && in.o[2] == "31" }

// isRounding says that a register is a sign, shifted, or the sign bit: what makes the
// division of a number by 2^n round towards zero.
func (l *listing) isRounding(register string) bool {
	in := l.definition(register)
	return in.op == "shr.u32" && (in.o[2] == "31" || l.definition(in.o[1]).isSign())
}

// chooses says that all a comparison decides is a choice between its operands.
func (l *listing) chooses(c instruction) bool {
	uses := 0
	for _, i := range l.named[c.o[0]] {
		in := l.lines[i]
		switch {
		case in.o[0] == c.o[0]:
		case strings.HasPrefix(in.op, "selp.") && in.o[3] == c.o[0] && l.isEither(in.o[1], c) && l.isEither(in.o[2], c):
			uses++
		default:
			return false
		}
	}
	return uses > 0
}

// isEither says that an operand is one of a comparison's, or chosen from the two.
func (l *listing) isEither(operand string, c instruction) bool {
	if operand == c.o[1] || operand == c.o[2] {
		return true
	}
	in := l.definition(operand)
	return strings.HasPrefix(in.op, "selp.") && l.isEither(in.o[1], c) && l.isEither(in.o[2], c)
}

// isSquared says that a register is used for nothing but its square.
func (l *listing) isSquared(register string) bool {
	for _, i := range l.named[register] {
		in := l.lines[i]
		square := in.op == "mul.f32" || in.op == "fma.rn.f32" && in.o[3] != register
		if in.o[0] != register && !(square && in.o[1] == register && in.o[2] == register) {
			return false
		}
	}
	return true
}
