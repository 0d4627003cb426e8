package ptx

import (
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
)

// Module is the parsed text of a PTX file.
type Module struct {
	Kernels map[string]*Kernel
	shared  []variable // declared outside of kernels, and seen by all
}

// variable is an array of shared memory.
type variable struct {
	name        string
	align, size int
}

// Kernel is an entry of a module.
type Kernel struct {
	Name   string
	Params []string // types: u32, u64, f32, f64
	Lines  []string // of its body, without labels and declarations
	// Reached, if not nil, is set for each line that a launch comes to.
	Reached []bool

	code      []instruction
	constants []constant // slots that hold a value from the start
	slots     int        // of a thread's registers, constants and special registers
	shared    int        // bytes
	gaps      []gap      // of shared memory, between its arrays
	labels    map[string]int
	registers map[string]int
	arrays    map[string]int // offsets of shared arrays
	params    map[string]int
}

type constant struct {
	slot int
	bits uint64
}

type gap struct{ from, to int }

// A thread's first slots are its special registers.
const (
	slotTID = iota
	slotBlock
	slotBlockSize
	slotGrid
	specials
)

var special = map[string]int{"%tid.x": slotTID, "%ctaid.x": slotBlock, "%ntid.x": slotBlockSize, "%nctaid.x": slotGrid}

// Parse reads a PTX file.
func Parse(text string) (*Module, error) {
	m := &Module{Kernels: map[string]*Kernel{}}
	var k *Kernel
	header, number := "", 0
	for line := range strings.Lines(text) {
		number++
		if i := strings.Index(line, "//"); i >= 0 {
			line = line[:i]
		}
		line = strings.TrimSpace(line)
		var err error
		switch {
		case line == "" || strings.HasPrefix(line, ".version") || strings.HasPrefix(line, ".target") || strings.HasPrefix(line, ".address_size"):
		case k == nil && header == "" && strings.HasPrefix(line, ".shared"):
			var v variable
			v, err = parseArray(line)
			m.shared = append(m.shared, v)
		case k == nil && header == "" && !strings.Contains(line, ".entry "):
			err = fmt.Errorf("a declaration that is not known here")
		case k == nil:
			header += line + " "
			if strings.HasSuffix(line, ")") {
				k, err = m.begin(header)
				header = ""
			}
		case line == "{":
		case line == "}":
			err = k.finish()
			k = nil
		default:
			err = k.line(line)
		}
		if err != nil {
			return nil, fmt.Errorf("ptx line %d: %q: %w", number, line, err)
		}
	}
	return m, nil
}

// begin starts a kernel at its signature.
func (m *Module) begin(header string) (*Kernel, error) {
	_, rest, _ := strings.Cut(header, ".entry ")
	name, rest, _ := strings.Cut(rest, "(")
	k := &Kernel{Name: strings.TrimSpace(name), labels: map[string]int{}, registers: map[string]int{}, arrays: map[string]int{}, params: map[string]int{}}
	for name, slot := range special {
		k.registers[name] = slot
	}
	k.slots = specials
	for _, p := range strings.Split(strings.TrimSuffix(strings.TrimSpace(rest), ")"), ",") {
		f := strings.Fields(p)
		if len(f) == 0 {
			continue
		}
		if len(f) != 3 || f[0] != ".param" {
			return nil, fmt.Errorf("parameter %q", p)
		}
		k.params[f[2]] = len(k.Params)
		k.Params = append(k.Params, f[1][1:])
	}
	for _, v := range m.shared {
		k.place(v)
	}
	m.Kernels[k.Name] = k
	return k, nil
}

func parseArray(line string) (variable, error) {
	var v variable
	f := strings.Fields(strings.TrimSuffix(line, ";"))
	if len(f) != 5 || f[0] != ".shared" || f[1] != ".align" || f[3] != ".b8" {
		return v, fmt.Errorf("want .shared .align N .b8 NAME[SIZE]")
	}
	name, size, _ := strings.Cut(strings.TrimSuffix(f[4], "]"), "[")
	var err error
	v.name = name
	if v.align, err = strconv.Atoi(f[2]); err != nil {
		return v, err
	}
	v.size, err = strconv.Atoi(size)
	return v, err
}

// sharedGap keeps arrays apart, so that a step over an end is seen.
const sharedGap = 256

func (k *Kernel) place(v variable) {
	from := k.shared
	if from > 0 {
		from += sharedGap
	}
	from = (from + v.align - 1) / v.align * v.align
	k.gaps = append(k.gaps, gap{k.shared, from})
	k.arrays[v.name] = from
	k.shared = (from + v.size + 3) / 4 * 4
}

func (k *Kernel) line(line string) error {
	switch {
	case strings.HasPrefix(line, ".reg"), strings.HasPrefix(line, ".pragma"):
		return nil
	case strings.HasPrefix(line, ".shared"):
		v, err := parseArray(line)
		k.place(v)
		return err
	case strings.HasSuffix(line, ":"):
		k.labels[strings.TrimSuffix(line, ":")] = len(k.Lines)
		return nil
	}
	k.Lines = append(k.Lines, line)
	return nil
}

// finish compiles the kernel's lines.
func (k *Kernel) finish() error {
	k.code = make([]instruction, len(k.Lines))
	for i, line := range k.Lines {
		var err error
		if k.code[i], err = k.compile(line); err != nil {
			return fmt.Errorf("kernel %s: %q: %w", k.Name, line, err)
		}
	}
	return nil
}

// With returns the kernel with line i replaced, sharing the rest; the empty line
// takes it out.
func (k *Kernel) With(i int, line string) (*Kernel, error) {
	c := *k
	c.Reached = nil
	c.code = append([]instruction(nil), k.code...)
	c.Lines = append([]string(nil), k.Lines...)
	c.Lines[i] = line
	c.constants = append([]constant(nil), k.constants...)
	c.registers = maps.Clone(k.registers)
	if line == "" {
		c.code[i] = instruction{kind: kindALU, pred: -1, alu: func([]uint64) {}}
		return &c, nil
	}
	var err error
	c.code[i], err = c.compile(line)
	return &c, err
}

// compile makes one line executable.
func (k *Kernel) compile(line string) (instruction, error) {
	in := instruction{pred: -1}
	line = strings.TrimSuffix(strings.TrimSpace(line), ";")
	if rest, ok := strings.CutPrefix(line, "{ .reg .b32 tmp; "); ok { // half of a pair
		line = strings.Replace(strings.TrimSuffix(rest, "; }"), "tmp", "%tmp", 1)
	}
	guard, op, operands := Split(line)
	if guard != "" {
		in.neg = guard[1] == '!'
		in.pred = k.register(strings.TrimLeft(guard, "@!"))
	}
	err := k.compileOp(&in, strings.Split(op, "."), operands)
	return in, err
}

// Split cuts a line of a kernel into its guard, "" or as in "@!%p1", the opcode
// and the operands.
func Split(line string) (guard, op string, operands []string) {
	line = strings.TrimSuffix(strings.TrimSpace(strings.ReplaceAll(line, "\t", " ")), ";")
	if line[0] == '@' {
		guard, line, _ = strings.Cut(line, " ")
		line = strings.TrimSpace(line)
	}
	op, rest, _ := strings.Cut(line, " ")
	return guard, op, splitOperands(strings.TrimSpace(rest))
}

// splitOperands cuts at commas outside of brackets and braces.
func splitOperands(s string) []string {
	var out []string
	depth, from := 0, 0
	for i, r := range s {
		switch r {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, strings.TrimSpace(s[from:i]))
				from = i + 1
			}
		}
	}
	if rest := strings.TrimSpace(s[from:]); rest != "" {
		out = append(out, rest)
	}
	return out
}

func (k *Kernel) register(name string) int {
	s, ok := k.registers[name]
	if !ok {
		s = k.slots
		k.slots++
		k.registers[name] = s
	}
	return s
}

// value is the slot of a source operand: a register, or a constant's own.
func (k *Kernel) value(s string) (int, error) {
	if strings.HasPrefix(s, "%") {
		if _, ok := special[s]; !ok && strings.Contains(s, ".") {
			return 0, fmt.Errorf("special register %s is not known here", s)
		}
		return k.register(s), nil
	}
	bits, err := k.immediate(s)
	if err != nil {
		return 0, err
	}
	name := fmt.Sprintf("constant %x", bits)
	slot, ok := k.registers[name]
	if !ok {
		slot = k.register(name)
		k.constants = append(k.constants, constant{slot, bits})
	}
	return slot, nil
}

func (k *Kernel) immediate(s string) (uint64, error) {
	if at, ok := k.arrays[s]; ok {
		return uint64(at), nil
	}
	if len(s) > 2 && (s[:2] == "0f" || s[:2] == "0d") {
		return strconv.ParseUint(s[2:], 16, 64)
	}
	if v, err := strconv.ParseInt(s, 0, 64); err == nil {
		return uint64(v), nil
	}
	v, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		return 0, fmt.Errorf("operand %q", s)
	}
	return v, nil
}

// place of memory: [register+offset] or [array+offset].
func (k *Kernel) memory(s string) (slot int, off int64, err error) {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if i := strings.LastIndexByte(s, '+'); i > 0 {
		if off, err = strconv.ParseInt(s[i+1:], 0, 64); err != nil {
			return 0, 0, err
		}
		s = s[:i]
	}
	if off > math.MaxInt32 || off < math.MinInt32 {
		return 0, 0, fmt.Errorf("offset %d", off)
	}
	slot, err = k.value(s)
	return slot, off, err
}

// vector is a list {a, b} of registers or a single one.
func (k *Kernel) vector(s string) ([]int, error) {
	var slots []int
	for _, r := range splitOperands(strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")) {
		v, err := k.value(r)
		if err != nil {
			return nil, err
		}
		slots = append(slots, v)
	}
	return slots, nil
}
