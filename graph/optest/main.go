package optest

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"sync"
	"testing"

	"spotlighter/graph"
)

// Main is m.Run for the tests of a package of ops, after which every op of the
// package, each gradient's too, must have gone through Check, in Float64 as in
// Float32. Where not all tests ran, or jobs are recorded for mutants of the CUDA
// kernels, nothing is asked.
//
//	func TestMain(m *testing.M) { os.Exit(optest.Main(m)) }
func Main(m *testing.M) int {
	if code := m.Run(); code != 0 || filtered() || recording() {
		return code
	}
	ops, err := opsOf(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := 0
	for _, op := range ops {
		for _, dtype := range []graph.Dtype{graph.Float64, graph.Float32} {
			if !covered.has(op, dtype) {
				fmt.Fprintf(os.Stderr, "optest: op %s was not checked in %v: no Case applies it\n", op, dtype)
				code = 1
			}
		}
	}
	return code
}

func filtered() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return true
		}
	}
	return testing.Short()
}

// record holds which ops ran, by the names of their types.
type record struct {
	sync.Mutex
	ran map[string]bool
}

var covered = record{ran: map[string]bool{}}

func (r *record) add(b *built) {
	r.Lock()
	defer r.Unlock()
	need := append([]*graph.Node{b.out}, b.grads...)
	seen := map[*graph.Node]bool{}
	for len(need) > 0 {
		n := need[len(need)-1]
		need = need[:len(need)-1]
		if seen[n] {
			continue
		}
		seen[n] = true
		if op := graph.OpOf(n); op != nil {
			r.ran[fmt.Sprintf("%T %v", op, b.scope.Dtype())] = true
		}
		need = append(need, b.scope.Operands(n)...)
	}
}

func (r *record) has(op string, dtype graph.Dtype) bool {
	return r.ran[fmt.Sprintf("%s %v", op, dtype)]
}

// opsOf lists the types of a package folder that have the methods of an Op.
func opsOf(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	methods := map[string]int{}
	var order []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), dir+"/"+e.Name(), nil, 0)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || fn.Name.Name != "Infer" && fn.Name.Name != "Run" {
				continue
			}
			if id, ok := fn.Recv.List[0].Type.(*ast.Ident); ok {
				name := f.Name.Name + "." + id.Name
				if methods[name]++; methods[name] == 2 {
					order = append(order, name)
				}
			}
		}
	}
	return order, nil
}
