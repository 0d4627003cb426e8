package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"github.com/nlpodyssey/safetensors"
	"github.com/x448/float16"
)

// toFloat32 converts little-endian values of any numeric type into the front of
// out and returns their number. Wider floats round to nearest; integers beyond
// 2^24 may lose their last digits.
func toFloat32(out []float32, t safetensors.DType, raw []byte) (int, error) {
	out = out[:len(raw)/int(t.Size())]
	le := binary.LittleEndian
	switch t {
	case safetensors.F32:
		for i := range out {
			out[i] = math.Float32frombits(le.Uint32(raw[4*i:]))
		}
	case safetensors.F16:
		table := halves()
		for i := range out {
			out[i] = table[le.Uint16(raw[2*i:])]
		}
	case safetensors.BF16: // the upper half of a float32
		for i := range out {
			out[i] = math.Float32frombits(uint32(le.Uint16(raw[2*i:])) << 16)
		}
	case safetensors.F64:
		for i := range out {
			out[i] = float32(math.Float64frombits(le.Uint64(raw[8*i:])))
		}
	default:
		ints, err := toInt64(t, raw)
		if err != nil {
			return 0, err
		}
		for i, v := range ints {
			out[i] = float32(v)
		}
	}
	return len(out), nil
}

// halves are all values of half precision, by their bits.
var halves = sync.OnceValue(func() *[1 << 16]float32 {
	var table [1 << 16]float32
	for i := range table {
		table[i] = float16.Frombits(uint16(i)).Float32()
	}
	return &table
})

// toInt64 converts little-endian integers.
func toInt64(t safetensors.DType, raw []byte) ([]int64, error) {
	out := make([]int64, len(raw)/int(t.Size()))
	le := binary.LittleEndian
	switch t {
	case safetensors.I64:
		for i := range out {
			out[i] = int64(le.Uint64(raw[8*i:]))
		}
	case safetensors.I32:
		for i := range out {
			out[i] = int64(int32(le.Uint32(raw[4*i:])))
		}
	case safetensors.U8, safetensors.BOOL:
		for i := range out {
			out[i] = int64(raw[i])
		}
	default:
		return nil, fmt.Errorf("type %v, wanted I64, I32, U8 or BOOL", t)
	}
	return out, nil
}

// fromFloat32 encodes values as little-endian F32 or F16. A finite value that
// F16 can only hold as infinity is an error.
func fromFloat32(t safetensors.DType, values []float32) ([]byte, error) {
	raw := make([]byte, 0, len(values)*int(t.Size()))
	for i, v := range values {
		if t == safetensors.F32 {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
			continue
		}
		h := float16.Fromfloat32(v)
		if h.IsInf(0) && !math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("value %g at position %d is too large for F16", v, i)
		}
		raw = binary.LittleEndian.AppendUint16(raw, h.Bits())
	}
	return raw, nil
}
