package weights

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nlpodyssey/gopickle/types"
)

// maxDepth bounds modules within modules; CLIP's are six deep.
const maxDepth = 32

// wrappers are the keys under which training programs keep the state dict.
var wrappers = []string{"state_dict", "model_state_dict", "model"}

// prefixes are what parallel training and compilation put before every name.
var prefixes = []string{"module.", "_orig_mod."}

// flattened finds the tensors of a pickled value: a state dict, bare or under
// a wrapper, or a TorchScript module. size is that of the file.
func flattened(value any, format Format, size int) (*parsed, error) {
	p := &parsed{format: format, entries: map[string]entry{}}
	if m, ok := value.(*module); ok {
		if err := p.module(m, "", 0); err != nil {
			return nil, err
		}
	} else if err := p.stateDict(value); err != nil {
		return nil, err
	}
	for again := true; again; {
		again = false
		for _, prefix := range prefixes {
			again = p.trim(prefix) || again
		}
	}
	if len(p.entries) == 0 {
		return nil, errors.New("no tensors in it")
	}
	claimed := 0
	for _, e := range p.entries {
		claimed += e.count() * int(e.dtype.Size())
		if claimed/4 > size {
			return nil, fmt.Errorf("its tensors claim more than four times the file's %d bytes", size)
		}
	}
	return p, nil
}

// module collects the tensors of a TorchScript module by path.
func (p *parsed) module(m *module, prefix string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("modules are nested deeper than %d", maxDepth)
	}
	for _, a := range m.attributes {
		name, ok := a.Key.(string)
		if !ok {
			return fmt.Errorf("module %.100q has an attribute without a name", prefix)
		}
		var err error
		switch v := a.Value.(type) {
		case *module:
			err = p.module(v, prefix+name+".", depth+1)
		case *strided:
			err = p.add(prefix+name, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stateDict collects the tensors of a dictionary, or of the one under a wrapper.
func (p *parsed) stateDict(value any) error {
	items, ok := dictionary(value)
	if !ok {
		return errors.New("its pickle holds no state dict")
	}
	for range wrappers { // a wrapper in a wrapper at most a few times
		at := slices.IndexFunc(items, func(e types.DictEntry) bool {
			key, _ := e.Key.(string)
			_, inner := dictionary(e.Value)
			return inner && slices.Contains(wrappers, key)
		})
		if at < 0 {
			break
		}
		items, _ = dictionary(items[at].Value)
	}
	for _, e := range items {
		t, ok := e.Value.(*strided)
		if !ok {
			continue // an epoch, a note
		}
		name, ok := e.Key.(string)
		if !ok {
			return errors.New("its state dict has a tensor without a name")
		}
		if err := p.add(name, t); err != nil {
			return err
		}
	}
	return nil
}

func (p *parsed) add(name string, t *strided) error {
	e, err := t.entry()
	if err != nil {
		return fmt.Errorf("tensor %.100q: %w", name, err)
	}
	if _, ok := p.entries[name]; ok {
		return fmt.Errorf("tensor %.100q is there twice", name)
	}
	p.entries[name] = e
	return nil
}

// trim takes a prefix off all names, if all have it.
func (p *parsed) trim(prefix string) bool {
	for name := range p.entries {
		if !strings.HasPrefix(name, prefix) {
			return false
		}
	}
	out := make(map[string]entry, len(p.entries))
	for name, e := range p.entries {
		out[name[len(prefix):]] = e
	}
	trimmed := len(p.entries) > 0
	p.entries = out
	return trimmed
}

// dictionary lists the items of either kind of dictionary, in order.
func dictionary(v any) ([]types.DictEntry, bool) {
	switch d := v.(type) {
	case *types.Dict:
		return *d, true
	case *types.OrderedDict:
		var items []types.DictEntry
		for at := d.List.Front(); at != nil; at = at.Next() {
			e := at.Value.(*types.OrderedDictEntry)
			items = append(items, types.DictEntry{Key: e.Key, Value: e.Value})
		}
		return items, true
	}
	return nil, false
}
