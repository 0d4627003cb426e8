package graph

import (
	"errors"
	"fmt"
	"go/token"
	"path"
	"runtime"
	"slices"
	"strings"
)

// Error is a mistake in building or running a graph.
type Error struct {
	Op     string  // name of the operation, "" for a mistake outside one
	Layer  string  // path of the scope, such as "visual.block.3.mlp"
	In     []Shape // shapes of the operands
	Dtypes []Dtype // and their types
	What   string  // what was found and what was wanted
	Err    error   // the cause, where there is one
	// At is the line of the source that asked for it, such as "vit/encoder.go:92":
	// the innermost outside of packages graph and layers, after that of the layer
	// where one of package layers did: "layers/mlp.go:31, from vit/encoder.go:92". ""
	// when the graph runs.
	At string
}

// Error is one line: op, operands, layer, source line, and what was wanted.
func (e *Error) Error() string {
	var where []string
	if e.Layer != "" {
		where = append(where, "in "+e.Layer)
	}
	if e.At != "" {
		where = append(where, "at "+e.At)
	}
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op)
		if len(e.In) > 0 {
			fmt.Fprintf(&b, " of %s", e.operands())
		}
		if len(where) > 0 {
			b.WriteString(" " + strings.Join(where, ", "))
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
	if e.Op == "" && len(where) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(where, ", "))
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// operands are their shapes, with the types of Ints, and of floats where there are
// two.
func (e *Error) operands() string {
	mixed := slices.Contains(e.Dtypes, Float32) && slices.Contains(e.Dtypes, Float64)
	s := make([]string, len(e.In))
	for i, x := range e.In {
		s[i] = strings.ReplaceAll(fmt.Sprint([]int(x)), " ", ",")
		if len(e.Dtypes) > i && (mixed || e.Dtypes[i] == Int) {
			s[i] += " " + e.Dtypes[i].String()
		}
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

// Failf panics with an *Error: for settings that do not fit each other.
func Failf(format string, args ...any) {
	panic(&Error{What: fmt.Sprintf(format, args...)})
}

// Refusef panics with an *Error about the operands of an operation, or of a layer
// that is made of several, naming them, their layer and the source line: for
// checks before Apply.
func Refusef(op string, in []*Node, format string, args ...any) {
	var own string // the package that checks: the line is its caller's
	if pc, _, _, ok := runtime.Caller(1); ok {
		own = packageOf(runtime.FuncForPC(pc).Name())
	}
	e := &Error{Op: op, What: fmt.Sprintf(format, args...), At: caller(own)}
	if len(in) > 0 && in[0] != nil {
		e.Layer = strings.Join(builderOf(in[0]).path, ".")
	}
	e.of(typesOf(in))
	panic(e)
}

// of adds the operands' types.
func (e *Error) of(in []Type) {
	for _, t := range in {
		e.In, e.Dtypes = append(e.In, t.Shape), append(e.Dtypes, t.Dtype)
	}
}

// refuse panics with an *Error about what a scope declares.
func refuse(format string, args ...any) {
	panic(&Error{What: fmt.Sprintf(format, args...), At: caller()})
}

// The packages whose lines tell a graph's builder little: of the first nothing, of
// the second where in a layer it was.
const (
	graphPackage  = "spotlighter/graph"
	layersPackage = "spotlighter/layers"
)

// caller is the innermost line of the stack outside of the engine and of other
// packages, as the last folder of its package, file and line. Where a layer of
// package layers asked for the operation, its line comes first.
func caller(other ...string) string {
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc)])
	layer, built := "", false // the layer's line; whether the function that makes the operation is passed
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		pkg := packageOf(f.Function)
		switch {
		case pkg == "" || pkg == "runtime" || pkg == graphPackage || slices.Contains(other, pkg) || strings.HasPrefix(pkg, "gorgonia.org/"):
		case pkg == layersPackage:
			name := strings.TrimPrefix(f.Function, layersPackage+".")
			if function := !strings.Contains(name, "."); function && !built {
				built = token.IsExported(name)
			} else if layer == "" {
				layer = lineOf(pkg, f)
			}
		case layer != "":
			return layer + ", from " + lineOf(pkg, f)
		default:
			return lineOf(pkg, f)
		}
	}
	return layer
}

func lineOf(pkg string, f runtime.Frame) string {
	file := f.File[strings.LastIndexByte(f.File, '/')+1:]
	if pkg != "main" {
		file = strings.TrimSuffix(path.Base(pkg), "_test") + "/" + file
	}
	return fmt.Sprintf("%s:%d", file, f.Line)
}

// packageOf is the import path in a function's name, such as
// "spotlighter/vit.(*Encoder).stem".
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	name, _, ok := strings.Cut(function[slash:], ".")
	if !ok {
		return ""
	}
	return function[:slash] + name
}
