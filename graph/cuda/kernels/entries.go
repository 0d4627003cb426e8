package kernels

import (
	_ "embed"
	"strings"
)

// Base is the PTX of every kernel but those of tensor cores, for cards of compute
// capability 7.0 or more.
//
//go:embed base.ptx
var Base string

// TensorCores is the PTX of products on tensor cores, for compute capability 8.0 or
// more.
//
//go:embed tensor.ptx
var TensorCores string

// Kind is the type of a kernel's parameter.
type Kind string

// The kinds, as PTX writes them. Addresses are U64.
const (
	U32 Kind = "u32"
	U64 Kind = "u64"
	F32 Kind = "f32"
	F64 Kind = "f64"
)

// Entry is a kernel of a module.
type Entry struct {
	Name   string
	Params []Kind
}

// Entries lists the kernels of a module, as its PTX declares them.
func Entries(ptx string) []Entry {
	var es []Entry
	for {
		_, rest, found := strings.Cut(ptx, ".entry ")
		if !found {
			return es
		}
		name, rest, _ := strings.Cut(rest, "(")
		params, rest, _ := strings.Cut(rest, ")")
		e := Entry{Name: name}
		for _, p := range strings.Split(params, ",") {
			if f := strings.Fields(p); len(f) == 3 {
				e.Params = append(e.Params, Kind(strings.TrimPrefix(f[1], ".")))
			}
		}
		es, ptx = append(es, e), rest
	}
}
