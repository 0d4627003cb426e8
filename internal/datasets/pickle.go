package datasets

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// The published code keeps lists of images as pickles of Dassl's Datum objects,
// {"train": [...], "val": [...]}, written with Python's highest protocol. A
// pickle is a program for a stack machine. This one knows only what such lists
// need, makes no object but a Datum, checks each length against the file, and
// shares the file's memory: the list of ImageNet has 26 million instructions.

// Values on the stack are int, string, nil and these.
type (
	mark   struct{}
	tuple  struct{} // empty: the arguments of a new object
	global string   // a class's name
	dict   struct{ pairs []any }
	list   struct{ items []any }
	datum  struct {
		path, class string
		label       int
	}
)

// machine runs a pickle.
type machine struct {
	text  string // what is left of the program
	stack []any
	memo  []any
}

var errCut = errors.New("it ends in the middle")

// unpickle returns the value of a pickle.
func unpickle(text string) (any, error) {
	m := machine{text: text}
	for {
		at := len(text) - len(m.text)
		op, err := m.take(1)
		if err != nil {
			return nil, err
		}
		if op == "." {
			return m.pop()
		}
		if err := m.do(op[0]); err != nil {
			return nil, fmt.Errorf("byte %d: %w", at, err)
		}
	}
}

func (m *machine) do(op byte) error {
	switch op {
	case 0x80: // the protocol, and a frame's length, do not matter
		return m.skip(1)
	case 0x95:
		return m.skip(8)
	case '(':
		return m.push(mark{}, nil)
	case ')':
		return m.push(tuple{}, nil)
	case '}':
		return m.push(&dict{}, nil)
	case ']':
		return m.push(&list{}, nil)
	case 'N':
		return m.push(nil, nil)
	case 'K':
		n, err := m.number(1)
		return m.push(n, err)
	case 'M':
		n, err := m.number(2)
		return m.push(n, err)
	case 'J':
		n, err := m.number(4)
		return m.push(int(int32(n)), err)
	case 0x8c:
		return m.push(m.counted(1))
	case 'X':
		return m.push(m.counted(4))
	case 'c':
		return m.push(m.global())
	case 0x93:
		return m.stackGlobal()
	case 0x94:
		return m.memoize(len(m.memo), nil)
	case 'q':
		return m.memoize(m.number(1))
	case 'r':
		return m.memoize(m.number(4))
	case 'h':
		return m.recall(m.number(1))
	case 'j':
		return m.recall(m.number(4))
	case 0x81:
		return m.newObject()
	case 'b':
		return m.build()
	case 's', 'a':
		return m.fill(len(m.stack) - map[byte]int{'s': 2, 'a': 1}[op])
	case 'u', 'e':
		at := len(m.stack) - 1
		for at >= 0 && m.stack[at] != (any)(mark{}) {
			at--
		}
		if at < 0 {
			return errors.New("no mark on the stack")
		}
		m.stack = append(m.stack[:at], m.stack[at+1:]...)
		return m.fill(at)
	}
	return fmt.Errorf("instruction %#02x is in no list of images", op)
}

func (m *machine) take(n int) (string, error) {
	if n < 0 || n > len(m.text) {
		return "", errCut
	}
	taken := m.text[:n]
	m.text = m.text[n:]
	return taken, nil
}

func (m *machine) skip(n int) error {
	_, err := m.take(n)
	return err
}

// number reads a little-endian number of at most four bytes.
func (m *machine) number(bytes int) (int, error) {
	text, err := m.take(bytes)
	var b [4]byte
	copy(b[:], text)
	return int(binary.LittleEndian.Uint32(b[:])), err
}

// counted reads a string after its length.
func (m *machine) counted(bytes int) (any, error) {
	n, err := m.number(bytes)
	if err != nil {
		return nil, err
	}
	return m.take(n)
}

func (m *machine) push(v any, err error) error {
	if err == nil {
		m.stack = append(m.stack, v)
	}
	return err
}

func (m *machine) pop() (any, error) {
	if len(m.stack) == 0 {
		return nil, errors.New("nothing on the stack")
	}
	v := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	return v, nil
}

func (m *machine) memoize(at int, err error) error {
	if err != nil {
		return err
	}
	if at > len(m.memo) || len(m.stack) == 0 { // they are numbered in turn
		return fmt.Errorf("place %d of the memo after %d", at, len(m.memo))
	}
	if at == len(m.memo) {
		m.memo = append(m.memo, nil)
	}
	m.memo[at] = m.stack[len(m.stack)-1]
	return nil
}

func (m *machine) recall(at int, err error) error {
	if err != nil {
		return err
	}
	if at >= len(m.memo) {
		return fmt.Errorf("place %d of the memo, it has %d", at, len(m.memo))
	}
	return m.push(m.memo[at], nil)
}

// global reads a class's module and name, a line each.
func (m *machine) global() (any, error) {
	module, rest, ok := strings.Cut(m.text, "\n")
	name, rest, ok2 := strings.Cut(rest, "\n")
	if !ok || !ok2 {
		return nil, errCut
	}
	m.text = rest
	return datumOnly(module, name)
}

func (m *machine) stackGlobal() error {
	name, err := m.pop()
	module, err2 := m.pop()
	if err := cmp.Or(err, err2); err != nil {
		return err
	}
	return m.push(datumOnly(fmt.Sprint(module), fmt.Sprint(name)))
}

func datumOnly(module, name string) (any, error) {
	if name != "Datum" {
		return nil, fmt.Errorf("found a %.80q, wanted lists of Dassl's Datum", module+"."+name)
	}
	return global(name), nil
}

func (m *machine) newObject() error {
	arguments, err := m.pop()
	class, err2 := m.pop()
	if err := cmp.Or(err, err2); err != nil {
		return err
	}
	_, ok := arguments.(tuple)
	if _, isClass := class.(global); !ok || !isClass {
		return errors.New("an object of no class")
	}
	return m.push(&datum{}, nil)
}

// build gives an object its attributes.
func (m *machine) build() error {
	state, err := m.pop()
	if err != nil {
		return err
	}
	d, ok := state.(*dict)
	if !ok || len(m.stack) == 0 {
		return errors.New("an object without attributes")
	}
	x, ok := m.stack[len(m.stack)-1].(*datum)
	if !ok {
		return errors.New("attributes of no object")
	}
	for i := 0; i < len(d.pairs); i += 2 {
		ok := true
		switch v := d.pairs[i+1]; d.pairs[i] {
		case "_impath":
			x.path, ok = v.(string)
		case "_label":
			x.label, ok = v.(int)
		case "_classname":
			x.class, ok = v.(string)
		}
		if !ok {
			return fmt.Errorf("a Datum whose %v is a %T", d.pairs[i], d.pairs[i+1])
		}
	}
	d.pairs = nil // the memo keeps the dict
	return nil
}

// fill moves the values from at on into the list or dict below them.
func (m *machine) fill(at int) error {
	if at < 1 {
		return errors.New("values of no list")
	}
	values := m.stack[at:]
	m.stack = m.stack[:at]
	switch into := m.stack[at-1].(type) {
	case *list:
		into.items = append(into.items, values...)
	case *dict:
		if len(values)%2 != 0 {
			return errors.New("a dict with a key that has no value")
		}
		into.pairs = append(into.pairs, values...)
	default:
		return errors.New("values of no list")
	}
	return nil
}
