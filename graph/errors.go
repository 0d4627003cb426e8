package graph

import (
	"errors"
	"fmt"
	"strings"
)

// Error is a mistake in building or running a graph.
type Error struct {
	Op    string  // name of the operation, "" for a mistake outside one
	Layer string  // path of the scope, such as "visual.block.3.mlp"
	In    []Shape // shapes of the operands
	What  string  // what was found and what was wanted
	Err   error   // the cause, where there is one
}

// Error is the mistake in one line: the op, its layer, the operands and what was
// wanted.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op)
		if len(e.In) > 0 {
			fmt.Fprintf(&b, " of %s", shapes(e.In))
		}
		if e.Layer != "" {
			fmt.Fprintf(&b, " in %s", e.Layer)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.What)
	if e.Err != nil {
		if e.What != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func shapes(in []Shape) string {
	s := make([]string, len(in))
	for i, x := range in {
		s[i] = strings.ReplaceAll(fmt.Sprint([]int(x)), " ", ",")
	}
	return strings.Join(s, " and ")
}

// Try runs a function that builds a graph and returns its *Error, if it
// panicked with one. Other panics pass.
func Try(build func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(error)
			var ge *Error
			if !ok || !errors.As(e, &ge) {
				panic(r)
			}
			err = e
		}
	}()
	build()
	return nil
}

// Failf panics with an *Error: for layers that check their arguments.
func Failf(format string, args ...any) {
	panic(&Error{What: fmt.Sprintf(format, args...)})
}
