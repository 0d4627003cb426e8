package weights

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/nlpodyssey/safetensors"
)

// maxHeader bounds the JSON header, and with it the memory that a hostile file
// can make the parser take. The header of a checkpoint with thousands of
// tensors stays under half a megabyte.
const maxHeader = 8 << 20

// parseSafetensors reads the header of a safetensors file and checks that its
// tensors tile the rest of the file exactly: no gap, no overlap, nothing
// outside, sizes as type and shape say.
func parseSafetensors(content []byte) (*parsed, error) {
	length := binary.LittleEndian.Uint64(content)
	if length > maxHeader {
		return nil, fmt.Errorf("its header claims %d bytes, at most %d are accepted", length, maxHeader)
	}
	if have := len(content) - 8; length > uint64(have) {
		return nil, fmt.Errorf("truncated: its header claims %d bytes, %d are left", length, have)
	}
	start := 8 + int(length)
	var head safetensors.Metadata
	if err := json.Unmarshal(content[8:start], &head); err != nil {
		return nil, fmt.Errorf("bad safetensors header: %w", err)
	}
	entries, err := locate(head.Tensors(), content, start)
	if err != nil {
		return nil, err
	}
	return &parsed{format: Safetensors, entries: entries, meta: head.Metadata()}, nil
}

// locate turns offsets relative to the data section, which is
// content[start:], into checked positions in the file.
func locate(infos map[string]*safetensors.TensorInfo, content []byte, start int) (map[string]entry, error) {
	size := len(content)
	names := make([]string, 0, len(infos))
	for name := range infos {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		x, y := infos[a].DataOffsets, infos[b].DataOffsets
		return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]), cmp.Compare(a, b))
	})
	entries := make(map[string]entry, len(infos))
	next, before := uint64(0), ""
	for _, name := range names {
		info := infos[name]
		begin, end := info.DataOffsets[0], info.DataOffsets[1]
		shape, bytes, err := extent(info)
		switch {
		case err != nil:
			return nil, fmt.Errorf("tensor %.100q: %w", name, err)
		case end < begin:
			return nil, fmt.Errorf("tensor %.100q: offsets [%d, %d] run backwards", name, begin, end)
		case end-begin != bytes:
			return nil, fmt.Errorf("tensor %.100q: %v of shape %v takes %d bytes, its offsets [%d, %d] give %d",
				name, info.DType, shape, bytes, begin, end, end-begin)
		case begin < next:
			return nil, fmt.Errorf("tensor %.100q overlaps %.100q: it begins at byte %d, the other ends at %d", name, before, begin, next)
		case begin > next:
			return nil, fmt.Errorf("tensor %.100q: %d bytes before it belong to no tensor", name, begin-next)
		case end > uint64(size-start):
			return nil, fmt.Errorf("truncated: tensor %.100q ends at byte %d of the data, %d are there", name, end, size-start)
		}
		entries[name] = entry{dtype: info.DType, shape: shape, data: content[start+int(begin) : start+int(end)]}
		next, before = end, name
	}
	if rest := uint64(size-start) - next; rest > 0 {
		return nil, fmt.Errorf("%d bytes after the last tensor belong to no tensor", rest)
	}
	return entries, nil
}

// extent returns the shape as ints and the number of bytes it takes.
func extent(info *safetensors.TensorInfo) (shape []int, bytes uint64, err error) {
	shape = make([]int, len(info.Shape))
	bytes = info.DType.Size()
	for i, d := range info.Shape {
		if d > math.MaxInt32 || bytes > math.MaxInt64/max(d, 1) {
			return nil, 0, fmt.Errorf("shape %v is too large", info.Shape)
		}
		shape[i] = int(d)
		bytes *= d
	}
	return shape, bytes, nil
}
