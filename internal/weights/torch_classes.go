package weights

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nlpodyssey/gopickle/types"
	"github.com/nlpodyssey/safetensors"
)

// storage is the memory of one or more tensors of a checkpoint.
type storage struct {
	dtype safetensors.DType
	key   string
	count int    // elements
	data  []byte // nil until it is found
}

// storageTypes are PyTorch's names of element types.
var storageTypes = map[string]safetensors.DType{
	"FloatStorage": safetensors.F32, "HalfStorage": safetensors.F16, "BFloat16Storage": safetensors.BF16,
	"DoubleStorage": safetensors.F64, "LongStorage": safetensors.I64, "IntStorage": safetensors.I32,
	"ShortStorage": safetensors.I16, "CharStorage": safetensors.I8, "ByteStorage": safetensors.U8,
	"BoolStorage": safetensors.BOOL,
}

// strided is a tensor as a view of a storage, in elements.
type strided struct {
	storage *storage
	offset  int
	shape   []int
	stride  []int
}

// function is a global that a pickle may call. It builds data and nothing else.
type function func(args []any) (any, error)

// Call implements types.Callable.
func (f function) Call(args ...any) (any, error) {
	v, err := f(args)
	if err != nil {
		return nil, refusal{err}
	}
	return v, nil
}

// module is a TorchScript object: attributes by name.
type module struct{ attributes types.Dict }

// moduleClass makes modules, whatever their class.
type moduleClass struct{}

// PyNew implements types.PyNewable.
func (moduleClass) PyNew(...any) (any, error) { return &module{}, nil }

// PySetState implements types.PyStateSettable.
func (m *module) PySetState(state any) error {
	d, ok := state.(*types.Dict)
	if !ok {
		return errors.New("a module's state is not a dictionary")
	}
	m.attributes = *d
	return nil
}

// torchClass is the list of global names that a checkpoint may use. The library
// itself knows collections.OrderedDict, object and its reconstructor.
func torchClass(pkg, name string) (any, error) {
	if t, ok := storageTypes[name]; ok && pkg == "torch" {
		return t, nil
	}
	if pkg == "__torch__" || strings.HasPrefix(pkg, "__torch__.") {
		return moduleClass{}, nil
	}
	switch pkg + "." + name {
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2":
		return function(rebuildTensor), nil
	case "torch._utils._rebuild_parameter", "torch.jit._pickle.restore_type_tag",
		"torch.jit._pickle.build_intlist", "torch.jit._pickle.build_doublelist",
		"torch.jit._pickle.build_boollist", "torch.jit._pickle.build_tensorlist":
		return function(first), nil
	case "torch.Size", "torch.device":
		return function(func(args []any) (any, error) { return types.NewTupleFromSlice(args), nil }), nil
	}
	return nil, fmt.Errorf("its pickle wants %.100q, which is not among the classes of plain weights; save the model's state_dict() alone", pkg+"."+name)
}

// first returns a call's first argument: the data under a wrapper.
func first(args []any) (any, error) {
	if len(args) == 0 {
		return nil, errors.New("bad pickle: a call without arguments")
	}
	return args[0], nil
}

// rebuildTensor takes storage, offset, shape and strides, and ignores what
// follows: whether it learns, and its hooks.
func rebuildTensor(args []any) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("bad pickle: a tensor of %d arguments", len(args))
	}
	s, ok1 := args[0].(*storage)
	offset, ok2 := args[1].(int)
	shape, ok3 := ints(args[2])
	stride, ok4 := ints(args[3])
	if !ok1 || !ok2 || !ok3 || !ok4 || len(shape) != len(stride) {
		return nil, errors.New("bad pickle: a tensor's storage, offset, shape or strides are of the wrong kind")
	}
	return &strided{s, offset, shape, stride}, nil
}

func ints(v any) ([]int, bool) {
	t, ok := v.(*types.Tuple)
	if !ok || len(*t) > 16 {
		return nil, false
	}
	out := make([]int, len(*t))
	for i, x := range *t {
		if out[i], ok = x.(int); !ok {
			return nil, false
		}
	}
	return out, true
}

// storageID reads ("storage", type, key, device, count) and, in the old
// format, a view, which no file of this century's second decade has.
func storageID(id any) (*storage, error) {
	bad := errors.New("bad pickle: a storage's id is not of a checkpoint")
	t, ok := id.(*types.Tuple)
	if !ok || len(*t) < 5 {
		return nil, bad
	}
	kind, _ := t.Get(0).(string)
	dtype, ok1 := t.Get(1).(safetensors.DType)
	key, ok2 := t.Get(2).(string)
	count, ok3 := t.Get(4).(int)
	if kind != "storage" || !ok1 || !ok2 || !ok3 || count < 0 {
		return nil, bad
	}
	if len(*t) > 5 && t.Get(5) != nil {
		return nil, errors.New("its storages are views of others, as PyTorch before 0.4 wrote them; save it again with a later version")
	}
	return &storage{dtype: dtype, key: key, count: count}, nil
}

// entry checks that the tensor lies in its storage. A tensor of more elements
// than its storage has, by strides of 0, is refused.
func (t *strided) entry() (entry, error) {
	count, last := 1, t.offset
	for i, d := range t.shape {
		if d < 0 || t.stride[i] < 0 || d > 0 && (count > t.storage.count/d || t.stride[i] > t.storage.count) {
			return entry{}, fmt.Errorf("shape %v with strides %v does not fit its storage of %d values", t.shape, t.stride, t.storage.count)
		}
		count *= d
		last += max(d-1, 0) * t.stride[i]
	}
	if t.offset < 0 || count > 0 && last >= t.storage.count || t.offset > t.storage.count {
		return entry{}, fmt.Errorf("shape %v with strides %v at %d leaves its storage of %d values", t.shape, t.stride, t.offset, t.storage.count)
	}
	size := int(t.storage.dtype.Size())
	e := entry{dtype: t.storage.dtype, shape: t.shape, data: t.storage.data[t.offset*size:]}
	if slices.Equal(t.stride, rowMajor(t.shape)) || count <= 1 {
		e.data = e.data[:count*size]
	} else {
		e.stride = t.stride
	}
	return e, nil
}
