// Package mutants breaks kernels on purpose, to see whether their tests notice.
package mutants

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"spotlighter/graph/cuda/ptx"
)

// Mutant is a kernel with one line changed for the worse.
type Mutant struct {
	Kernel *ptx.Kernel
	Line   int    // of Kernel.Lines
	Text   string // in its place, empty if it is taken out
	What   string // the kind of change
}

func (m Mutant) String() string {
	return fmt.Sprintf("%s line %d: %s: %q for %q", m.Kernel.Name, m.Line, m.What, m.Text, m.Kernel.Lines[m.Line])
}

// swaps are opcodes that take each other's place.
var swaps = [][2]string{
	{"add.f32", "sub.f32"}, {"add.s32", "sub.s32"}, {"add.s64", "sub.s64"}, {"add.f64", "sub.f64"},
	{"mul.f32", "div.rn.f32"}, {"min.s32", "max.s32"}, {"div.s32", "rem.s32"}, {"div.u32", "rem.u32"},
	{"and.pred", "or.pred"}, {"and.b32", "or.b32"}, {"shl.b32", "shr.u32"}, {"shr.s32", "shl.b32"},
	{"shr.u64", "shl.b64"}, {"xor.b32", "and.b32"}, {"xor.b64", "and.b64"}, {"mul.lo.s32", "add.s32"},
	{"mul.f64", "add.f64"},
}

// lost are opcodes with one operand, or their last one, less.
var lost = map[string]string{
	"neg.f32": "mov.f32", "neg.s32": "mov.u32", "abs.f32": "mov.f32", "neg.f64": "mov.f64", "not.pred": "mov.pred",
	"rcp.rn.f32": "mov.f32", "sqrt.rn.f32": "mov.f32", "ex2.approx.f32": "mov.f32",
	"fma.rn.f32": "mul.f32", "mad.lo.s32": "mul.lo.s32", "fma.rn.f64": "mul.f64",
}

// compared are comparisons and what they become: another boundary, and the
// opposite.
var compared = map[string][2]string{
	"lt": {"le", "ge"}, "le": {"lt", "gt"}, "gt": {"ge", "le"}, "ge": {"gt", "lt"}, "eq": {"", "ne"}, "ne": {"", "eq"},
	"neu": {"", "equ"}, "geu": {"gtu", "ltu"}, "leu": {"ltu", "gtu"}, "gtu": {"geu", "leu"}, "ltu": {"leu", "geu"}, "equ": {"", "neu"},
	"nan": {"", "num"}, "num": {"", "nan"},
}

// ordered are opcodes whose operands, exchanged, give something else.
var ordered = []string{"sub.f32", "sub.s32", "sub.s64", "sub.f64", "div.rn.f32", "div.rn.f64", "div.s32", "div.u32", "rem.s32", "rem.u32"}

var (
	integer = regexp.MustCompile(`^-?\d+$`)
	float   = regexp.MustCompile(`^0f([0-9A-Fa-f]{8})$`)
	place   = regexp.MustCompile(`^\[([%\w]+)(?:\+(-?\d+))?\]$`)
)

// Of lists the mutants of a kernel but those that no operands could show: see rules.
func Of(k *ptx.Kernel) []Mutant {
	l := list(k)
	return slices.DeleteFunc(changes(k), func(m Mutant) bool { return l.equivalent(m) != "" })
}

// changes lists the changes of a kernel, the same in every call: operations and
// operands exchanged, comparisons with another boundary or turned round, constants
// changed, guards negated, places of memory off by an element, terms left out, and
// barriers, shuffles, stores and products on tensor cores taken out. Moves of registers, loads of parameters,
// conversions and unguarded jumps stay as they are.
func changes(k *ptx.Kernel) []Mutant {
	var ms []Mutant
	seen := map[string]bool{}
	for i, line := range k.Lines {
		guard, op, operands := ptx.Split(line)
		prefix := ""
		if guard != "" {
			prefix = guard + " "
		}
		add := func(what, op string, operands ...string) {
			m := Mutant{k, i, prefix + op + " " + strings.Join(operands, ", ") + ";", what}
			if op == "" {
				m.Text = ""
			}
			if key := fmt.Sprint(i, m.Text); !seen[key] {
				seen[key] = true
				ms = append(ms, m)
			}
		}
		if negated, ok := strings.CutPrefix(guard, "@!"); ok {
			prefix = "@" + negated + " "
		} else if guard != "" {
			prefix = "@!" + guard[1:] + " "
		}
		if guard != "" {
			add("guard negated", op, operands...)
			prefix = guard + " "
		}
		mutate(op, operands, add)
	}
	return ms
}

func mutate(op string, o []string, add func(what, op string, o ...string)) {
	parts := strings.Split(op, ".")
	switch parts[0] {
	case "bar", "st", "mma":
		add("taken out", "")
	case "shfl":
		add("shuffle taken out", "mov.u32", o[0], o[1])
		return
	case "setp":
		for i, to := range compared[parts[1]] {
			if to != "" {
				add([]string{"boundary", "comparison turned round"}[i], strings.Replace(op, "."+parts[1]+".", "."+to+".", 1), o...)
			}
		}
	case "selp":
		add("choice exchanged", op, o[0], o[2], o[1], o[3])
	case "cvt", "cvta", "bra":
		return
	}
	if strings.HasPrefix(op, "ld.param") {
		return
	}
	for _, s := range swaps {
		for i := range s {
			if op == s[i] {
				add("operation exchanged", s[1-i], o...)
			}
		}
	}
	if slices.Contains(ordered, op) {
		add("operands exchanged", op, o[0], o[2], o[1])
	}
	if to, ok := lost[op]; ok {
		add("term left out", to, o[:min(len(o), 3)]...)
	}
	for i, x := range o {
		change := func(what, to string) {
			c := slices.Clone(o)
			c[i] = to
			add(what, op, c...)
		}
		if integer.MatchString(x) && parts[0] != "bar" {
			if v, err := strconv.ParseInt(x, 10, 64); err == nil {
				change("constant", fmt.Sprint(other(op, v)))
			}
		}
		if m := float.FindStringSubmatch(x); m != nil {
			change("constant", "0f"+moved(m[1]))
		}
		if m := place.FindStringSubmatch(x); m != nil && (parts[0] == "ld" || parts[0] == "st") {
			at, _ := strconv.Atoi(m[2])
			change("place", fmt.Sprintf("[%s+%d]", m[1], at+size(parts[len(parts)-1])))
		}
	}
}

// other is an integer that takes a constant's place: a mask with one bit less, for
// what is added to a float's bits twice or half the float, else the next integer.
func other(op string, v int64) int64 {
	switch {
	case op == "and.b32" || op == "and.b64":
		return v & (v - 1)
	case op == "add.s32" && (v > 1<<24 || v < -1<<24):
		return v + 1<<23
	}
	return v + 1
}

// size of a type in bytes, by its name: f32, u64.
func size(name string) int {
	bits, _ := strconv.Atoi(name[1:])
	return bits / 8
}

// moved is a float constant that is no longer what it was: 0 and what is not finite
// become 1, corrections too small for a test's tolerance grow a thousandfold, others
// by a quarter.
func moved(hex string) string {
	bits, _ := strconv.ParseUint(hex, 16, 32)
	v := math.Float32frombits(uint32(bits))
	switch {
	case v == 0 || v-v != 0:
		v = 1
	case v < 4e-5 && v > -4e-5:
		v *= 1024
	default:
		v *= 1.25
	}
	return fmt.Sprintf("%08X", math.Float32bits(v))
}
