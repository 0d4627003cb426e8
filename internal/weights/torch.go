package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/nlpodyssey/gopickle/types"
)

// archive is an opened PyTorch zip: TorchScript or torch.save.
type archive struct {
	content []byte
	files   map[string]*zip.File
	root    string // the folder that everything is in
	script  bool
}

// openArchive reads the table of a zip file and finds the folder of the pickle.
func openArchive(content []byte) (*archive, error) {
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if errors.Is(err, zip.ErrFormat) {
		return nil, errors.New("truncated or damaged: a zip archive without its table of contents")
	}
	if err != nil {
		return nil, fmt.Errorf("zip archive: %w", err)
	}
	a := &archive{content: content, files: make(map[string]*zip.File, len(z.File))}
	for _, f := range z.File {
		name := strings.TrimSuffix(f.Name, "/")
		if !fs.ValidPath(name) || strings.ContainsAny(name, "\\:") {
			return nil, fmt.Errorf("zip archive: the name %.100q leaves the archive", f.Name)
		}
		if a.files[name] != nil {
			return nil, fmt.Errorf("zip archive: two files are called %.100q", f.Name)
		}
		a.files[name] = f
		if dir, file := path.Split(name); file == "data.pkl" && strings.Count(dir, "/") == 1 {
			if a.root != "" {
				return nil, errors.New("zip archive: more than one data.pkl")
			}
			a.root = dir
		}
	}
	if a.root == "" {
		return nil, errors.New("a zip archive, but not of PyTorch: no data.pkl in it")
	}
	a.script = a.files[a.root+"constants.pkl"] != nil
	return a, nil
}

// bytes returns a file's content within the mapping: PyTorch compresses nothing.
func (a *archive) bytes(name string) ([]byte, error) {
	f := a.files[a.root+name]
	if f == nil {
		return nil, fmt.Errorf("zip archive: no file %.100q", a.root+name)
	}
	if f.Method != zip.Store {
		return nil, fmt.Errorf("zip archive: %.100q is compressed, which PyTorch's are not", f.Name)
	}
	at, err := f.DataOffset()
	if err != nil {
		return nil, fmt.Errorf("zip archive: %.100q: %w", f.Name, err)
	}
	if at < 0 || at > int64(len(a.content)) || f.UncompressedSize64 > uint64(int64(len(a.content))-at) {
		return nil, fmt.Errorf("truncated: %.100q claims %d bytes at byte %d of %d", f.Name, f.UncompressedSize64, at, len(a.content))
	}
	return a.content[at : at+int64(f.UncompressedSize64)], nil
}

// parseArchive reads a PyTorch zip.
func parseArchive(content []byte) (*parsed, error) {
	a, err := openArchive(content)
	if err != nil {
		return nil, err
	}
	if order, err := a.bytes("byteorder"); err == nil && string(order) != "little" {
		return nil, fmt.Errorf("its byte order is %.20q, wanted little", order)
	}
	program, err := a.bytes("data.pkl")
	if err != nil {
		return nil, err
	}
	if _, err := checkPickle(program); err != nil {
		return nil, err
	}
	found := map[string]*storage{}
	value, err := unpickle(program, torchClass, func(id any) (any, error) {
		s, err := storageID(id)
		if err != nil {
			return nil, err
		}
		if known := found[s.key]; known != nil {
			if known.dtype != s.dtype || known.count != s.count {
				return nil, fmt.Errorf("storage %.40q has two types or sizes", s.key)
			}
			return known, nil
		}
		if s.data, err = a.bytes("data/" + s.key); err != nil {
			return nil, err
		}
		if uint64(len(s.data))/s.dtype.Size() < uint64(s.count) {
			return nil, fmt.Errorf("storage %.40q claims %d values of %v and has %d bytes", s.key, s.count, s.dtype, len(s.data))
		}
		found[s.key] = s
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	format := PyTorchZip
	if a.script {
		format = TorchScript
	}
	return flattened(value, format, len(content))
}

// legacyMagic is the pickle of 0x1950a86a20f9469cfc6c, which PyTorch's format
// before 1.6 begins with.
var legacyMagic = []byte("\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.")

// parseLegacy reads PyTorch's old format: pickles of the magic number, the
// protocol, the machine, the value and the storages' keys, then the storages.
func parseLegacy(content []byte) (*parsed, error) {
	rest := content
	var all []*storage
	byKey := map[string]*storage{}
	next := func() (any, error) {
		n, err := checkPickle(rest)
		if err != nil {
			return nil, err
		}
		program := rest[:n]
		rest = rest[n:]
		return unpickle(program, torchClass, func(id any) (any, error) {
			s, err := storageID(id)
			if err != nil {
				return nil, err
			}
			if known := byKey[s.key]; known != nil {
				return known, nil
			}
			byKey[s.key] = s
			all = append(all, s)
			return s, nil
		})
	}
	var values [5]any
	for i := range values {
		var err error
		if values[i], err = next(); err != nil {
			return nil, err
		}
	}
	if v, ok := values[1].(int); !ok || v != 1001 {
		return nil, fmt.Errorf("PyTorch's old format of protocol %v, wanted 1001", values[1])
	}
	if d, ok := values[2].(*types.Dict); ok {
		for _, e := range *d {
			if e.Key == "little_endian" && e.Value == false {
				return nil, errors.New("written on a machine of the other byte order")
			}
		}
	}
	keys, ok := values[4].(*types.List)
	if !ok {
		return nil, errors.New("PyTorch's old format without its list of storages")
	}
	for _, k := range *keys {
		key, _ := k.(string)
		s := byKey[key]
		if s == nil || s.data != nil {
			return nil, fmt.Errorf("storage %.40q belongs to no tensor, or is there twice", key)
		}
		if len(rest) < 8 {
			return nil, fmt.Errorf("truncated: storage %.40q is missing", key)
		}
		count := binary.LittleEndian.Uint64(rest)
		rest = rest[8:]
		if count != uint64(s.count) || count > uint64(len(rest))/s.dtype.Size() {
			return nil, fmt.Errorf("truncated: storage %.40q has %d values of %v, wanted %d, and %d bytes are left", key, count, s.dtype, s.count, len(rest))
		}
		size := int(count * s.dtype.Size())
		s.data, rest = rest[:size:size], rest[size:]
	}
	for _, s := range all {
		if s.data == nil {
			return nil, fmt.Errorf("truncated: storage %.40q is missing", s.key)
		}
	}
	return flattened(values[3], PyTorchLegacy, len(content))
}
