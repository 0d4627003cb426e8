package experiments

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// decoder moves a YAML tree into a Config. The library's own decoder converts
// between numbers and text in silence and reports over several lines; here each
// node must have the type of its field, and an error is one line.
type decoder struct {
	source string            // the file's path, or the override as the user wrote it
	lines  bool              // errors carry line numbers (files, not overrides)
	kind   string            // what a user is told of the source: "", or includePrefix
	origin map[string]origin // of each key that was set
}

// parse returns the one document's body, nil if there is none.
func (d decoder) parse(text []byte) (ast.Node, error) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		var located yaml.Error
		if errors.As(err, &located) {
			return nil, fmt.Errorf("%s: not YAML: %s", d.where(located.GetToken().Position.Line), oneLine(located.GetMessage()))
		}
		return nil, fmt.Errorf("%s: not YAML: %s", d.source, oneLine(err.Error()))
	}
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType:
		case body != nil:
			return nil, fmt.Errorf("%s: a second document, want one", d.where(line(doc.Body)))
		default:
			body = doc.Body
		}
	}
	return body, nil
}

// override applies "a.b=value" to root.
func (d decoder) override(text string, root reflect.Value) error {
	key, value, ok := strings.Cut(text, "=")
	if !ok || key == "" {
		return fmt.Errorf("%s: want key=value, such as train.lr=.01", d.source)
	}
	dst, at := root, ""
	for _, name := range strings.Split(key, ".") {
		if dst.Kind() != reflect.Struct {
			return fmt.Errorf("%s: %s has no keys below it", d.source, at)
		}
		field, ok := fieldByKey(dst, name)
		if !ok {
			return d.unknown(d.source, join(at, name), dst)
		}
		dst, at = field, join(at, name)
	}
	node, err := d.parse([]byte(value))
	if err != nil {
		return err
	}
	if node == nil {
		return fmt.Errorf("%s: found nothing, want %s", d.source, wanted(dst))
	}
	return d.decode(node, dst, at)
}

// decode sets dst, the field at key, from node.
func (d decoder) decode(node ast.Node, dst reflect.Value, key string) error {
	d.origin[key] = origin{where: d.where(line(node)), kind: d.kind}
	mismatch := func() error {
		if key == "" {
			return fmt.Errorf("%s: found %s, want %s", d.where(line(node)), found(node), wanted(dst))
		}
		return fmt.Errorf("%s: %s: found %s, want %s", d.where(line(node)), key, found(node), wanted(dst))
	}
	switch dst.Kind() {
	case reflect.Struct:
		if m, ok := node.(ast.MapNode); ok {
			return d.decodeMap(m, dst, key)
		}
		if s, ok := dst.Interface().(interface{ scalarField() string }); ok && isScalar(node) {
			field, _ := fieldByKey(dst, s.scalarField())
			return d.decode(node, field, join(key, s.scalarField()))
		}
		return mismatch()
	case reflect.Map: // of lists of text
		m, ok := node.(ast.MapNode)
		if !ok {
			return mismatch()
		}
		dst.Set(reflect.MakeMap(dst.Type()))
		for pairs := m.MapRange(); pairs.Next(); {
			name, item := keyName(pairs.Key()), reflect.New(dst.Type().Elem()).Elem()
			if err := d.decode(pairs.Value(), item, join(key, name)); err != nil {
				return err
			}
			dst.SetMapIndex(reflect.ValueOf(name), item)
		}
		return nil
	case reflect.Slice:
		if _, ok := dst.Interface().(interface{ scalarAsList() }); ok && isScalar(node) {
			list := reflect.MakeSlice(dst.Type(), 1, 1)
			dst.Set(list)
			return d.decode(node, list.Index(0), key)
		}
		seq, ok := node.(*ast.SequenceNode)
		if !ok {
			return mismatch()
		}
		dst.SetZero() // an empty list and an absent one are the same
		if n := len(seq.Values); n > 0 {
			dst.Set(reflect.MakeSlice(dst.Type(), n, n))
		}
		return d.decodeItems(seq, dst, key)
	case reflect.Array:
		seq, ok := node.(*ast.SequenceNode)
		if !ok || len(seq.Values) != dst.Len() {
			return mismatch()
		}
		return d.decodeItems(seq, dst, key)
	}
	if !setScalar(node, dst) {
		return mismatch()
	}
	return nil
}

func (d decoder) decodeMap(m ast.MapNode, dst reflect.Value, key string) error {
	for pairs := m.MapRange(); pairs.Next(); {
		name := keyName(pairs.Key())
		if key == "" && name == includeKey && d.lines {
			continue // read before, see reader.include
		}
		field, ok := fieldByKey(dst, name)
		if !ok {
			return d.unknown(d.where(line(pairs.Key())), join(key, name), dst)
		}
		if err := d.decode(pairs.Value(), field, join(key, name)); err != nil {
			return err
		}
	}
	return nil
}

func keyName(key ast.MapKeyNode) string {
	if s, ok := key.(*ast.StringNode); ok {
		return s.Value
	}
	return key.String()
}

func (d decoder) decodeItems(seq *ast.SequenceNode, dst reflect.Value, key string) error {
	for i, item := range seq.Values {
		if err := d.decode(item, dst.Index(i), fmt.Sprintf("%s[%d]", key, i)); err != nil {
			return err
		}
	}
	return nil
}

// exponent is a number without a point but with an exponent.
var exponent = regexp.MustCompile(`^[-+]?[0-9]+[eE][-+]?[0-9]+$`)

// setScalar sets dst if node is a scalar of its very type; whole numbers are
// numbers too.
func setScalar(node ast.Node, dst reflect.Value) bool {
	switch dst.Kind() {
	case reflect.String:
		switch n := node.(type) {
		case *ast.StringNode:
			dst.SetString(n.Value)
			return true
		case *ast.LiteralNode:
			dst.SetString(n.Value.Value)
			return true
		}
	case reflect.Bool:
		if n, ok := node.(*ast.BoolNode); ok {
			dst.SetBool(n.Value)
			return true
		}
	case reflect.Int:
		if n, ok := node.(*ast.IntegerNode); ok {
			switch v := n.Value.(type) {
			case int64:
				dst.SetInt(v)
				return true
			case uint64:
				dst.SetInt(int64(v))
				return v <= 1<<63-1
			}
		}
	case reflect.Float64:
		switch n := node.(type) {
		case *ast.FloatNode:
			dst.SetFloat(n.Value)
			return true
		case *ast.StringNode:
			// The library takes 1e-3 for text, YAML 1.2 (10.3.2) for a number.
			f, err := strconv.ParseFloat(n.Value, 64)
			if err == nil && n.Token.Type == token.StringType && exponent.MatchString(n.Value) {
				dst.SetFloat(f)
				return true
			}
		case *ast.IntegerNode:
			switch v := n.Value.(type) {
			case int64:
				dst.SetFloat(float64(v))
				return true
			case uint64:
				dst.SetFloat(float64(v))
				return true
			}
		}
	default:
		panic("experiments: no YAML form for " + dst.Type().String())
	}
	return false
}

// where is the place that an error names.
func (d decoder) where(line int) string {
	if !d.lines {
		return d.source
	}
	return fmt.Sprintf("%s:%d", d.source, line)
}

func line(node ast.Node) int { return node.GetToken().Position.Line }

func isScalar(node ast.Node) bool {
	_, ok := node.(ast.ScalarNode)
	return ok && node.Type() != ast.NullType
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

func fieldByKey(v reflect.Value, key string) (reflect.Value, bool) {
	for _, f := range fields(v) {
		if f.key == key {
			return f.value, true
		}
	}
	return reflect.Value{}, false
}

// keys are the YAML names of a struct's fields, in order.
func keys(v reflect.Value) []string {
	var names []string
	for _, f := range fields(v) {
		names = append(names, f.key)
	}
	return names
}
