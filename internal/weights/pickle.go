package weights

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/nlpodyssey/gopickle/pickle"
)

// A pickle is a program for a stack machine. The library that runs it takes
// memory as the program says, so its length and number of instructions are
// bounded: each instruction allocates a few hundred bytes at most. A checkpoint
// of a large CLIP with its optimizer's state has about 100,000.
const (
	maxPickle       = 64 << 20
	maxInstructions = 500_000
	maxLong         = 16 // bytes of an integer
)

// unpickle builds the value of a checked pickle. class says what a global name
// stands for, or refuses it; storage resolves persistent ids.
func unpickle(content []byte, class func(module, name string) (any, error), storage func(id any) (any, error)) (value any, err error) {
	defer func() {
		if r := recover(); r != nil { // the library indexes without looking
			err = fmt.Errorf("bad pickle: %v", r)
		}
	}()
	u := pickle.NewUnpickler(bytes.NewReader(content))
	u.FindClass = func(module, name string) (any, error) {
		c, err := class(module, name)
		if err != nil {
			return nil, refusal{err}
		}
		return c, nil
	}
	u.PersistentLoad = func(id any) (any, error) {
		s, err := storage(id)
		if err != nil {
			return nil, refusal{err}
		}
		return s, nil
	}
	value, err = u.Load()
	var ours refusal
	switch {
	case errors.As(err, &ours):
		return nil, ours.error
	case err != nil:
		return nil, fmt.Errorf("bad pickle: %.200s", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	return value, nil
}

// refusal marks errors that are already worded for a user.
type refusal struct{ error }

// checkPickle walks over the instructions of the pickle that content begins
// with, without running any, and returns its length. It refuses instructions
// that checkpoints do not have, arguments longer than what is left, and
// programs without end.
func checkPickle(content []byte) (length int, err error) {
	limit := content[:min(len(content), maxPickle)]
	at := 0
	for range maxInstructions {
		if at >= len(limit) {
			return 0, pickleEnd(content)
		}
		op := limit[at]
		at++
		size, known := argument(op, limit[at:])
		if !known {
			return 0, fmt.Errorf("bad pickle: instruction %#02x at byte %d is not one of a checkpoint's", op, at-1)
		}
		if size < 0 || size > len(limit)-at {
			return 0, fmt.Errorf("bad pickle: instruction %#02x at byte %d claims more than the %d bytes left", op, at-1, len(limit)-at)
		}
		if (op == 0x8a || op == 0x8b) && (size < 2 || size > maxLong+4) {
			return 0, fmt.Errorf("bad pickle: an integer of %d bytes at byte %d", size, at-1)
		}
		at += size
		if op == '.' {
			return at, nil
		}
	}
	return 0, fmt.Errorf("bad pickle: more than %d instructions", maxInstructions)
}

func pickleEnd(content []byte) error {
	if len(content) > maxPickle {
		return fmt.Errorf("bad pickle: longer than %d bytes", maxPickle)
	}
	return fmt.Errorf("truncated: its pickle of %d bytes has no end", len(content))
}

// argument returns how many bytes of rest belong to instruction op, -1 if they
// cannot be there, and whether op is allowed at all. Left out are the text
// forms of protocol 0, sets, extensions, out-of-band buffers, and instances
// made without a global name.
func argument(op byte, rest []byte) (size int, known bool) {
	counted := func(width int) int { // a length, then as many bytes
		if len(rest) < width {
			return -1
		}
		var n [8]byte
		copy(n[:], rest[:width])
		claim := binary.LittleEndian.Uint64(n[:])
		if claim > maxPickle {
			return -1
		}
		return width + int(claim)
	}
	switch op {
	case '(', '.', '0', '1', '2', 'N', 'Q', 'R', 'a', 'b', 'd', '}', 'e', 'l', ']', 's', 't', ')', 'u',
		0x81, 0x85, 0x86, 0x87, 0x88, 0x89, 0x93, 0x94:
		return 0, true
	case 'K', 'h', 'q', 0x80:
		return 1, true
	case 'M':
		return 2, true
	case 'J', 'j', 'r':
		return 4, true
	case 'G':
		return 8, true
	case 'U', 'C', 0x8a, 0x8c:
		return counted(1), true
	case 'T', 'X', 'B', 0x8b:
		return counted(4), true
	case 0x8d, 0x8e:
		return counted(8), true
	case 0x95: // a frame's length, whose bytes are instructions
		if counted(8) < 0 || counted(8) > len(rest) {
			return -1, true
		}
		return 8, true
	case 'c': // two lines
		module := bytes.IndexByte(rest, '\n')
		if module < 0 {
			return -1, true
		}
		name := bytes.IndexByte(rest[module+1:], '\n')
		if name < 0 {
			return -1, true
		}
		return module + name + 2, true
	}
	return 0, false
}
