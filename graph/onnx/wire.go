package onnx

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"spotlighter/graph"
)

// Numbers of fields in onnx.proto.
const (
	modelIR, modelProducer, modelGraph, modelOpset, modelMetadata                                  = 1, 2, 7, 8, 14
	graphNode, graphName, graphInitializer, graphInput, graphOutput                                = 1, 2, 5, 11, 12
	nodeInput, nodeOutput, nodeName, nodeType, nodeAttribute                                       = 1, 2, 3, 4, 5
	attributeName, attributeFloat, attributeInt, attributeText, attributeInts, attributeType       = 1, 2, 3, 4, 8, 20
	tensorDims, tensorType, tensorName, tensorRaw, tensorExternal, tensorLocation                  = 1, 2, 8, 9, 13, 14
	valueName, valueType, typeTensor, tensorTypeElem, tensorTypeShape, shapeDim, dimValue, dimName = 1, 2, 1, 1, 2, 1, 1, 2
	entryKey, entryValue, opsetVersion                                                             = 1, 2, 2
)

// Values of enumerations in onnx.proto.
const (
	elemFloat, elemInt64                                               = 1, 7
	attributeIsFloat, attributeIsInt, attributeIsText, attributeIsInts = 1, 2, 3, 7
	locatedOutside                                                     = 1
)

// message is an encoded protocol buffer that grows.
type message []byte

func (m message) number(field protowire.Number, v int) message {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), uint64(v))
}

func (m message) float(field protowire.Number, v float32) message {
	return protowire.AppendFixed32(protowire.AppendTag(m, field, protowire.Fixed32Type), math.Float32bits(v))
}

func (m message) text(field protowire.Number, v string) message {
	return protowire.AppendString(protowire.AppendTag(m, field, protowire.BytesType), v)
}

func (m message) sub(field protowire.Number, v message) message {
	return protowire.AppendBytes(protowire.AppendTag(m, field, protowire.BytesType), v)
}

// packed appends a repeated number.
func (m message) packed(field protowire.Number, vs []int) message {
	var p message
	for _, v := range vs {
		p = protowire.AppendVarint(p, uint64(v))
	}
	return m.sub(field, p)
}

// open appends the head of a field of n bytes, which follow.
func (m message) open(field protowire.Number, n int) message {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.BytesType), uint64(n))
}

func (n node) encode() message {
	var m message
	for _, v := range n.in {
		m = m.text(nodeInput, string(v))
	}
	for _, v := range n.out {
		m = m.text(nodeOutput, string(v))
	}
	m = m.text(nodeName, string(n.out[0])).text(nodeType, n.kind)
	for _, a := range n.attrs {
		m = m.sub(nodeAttribute, a.encode())
	}
	return m
}

func (a Attr) encode() message {
	m := message(nil).text(attributeName, a.Name)
	switch v := a.Value.(type) {
	case int:
		return m.number(attributeInt, v).number(attributeType, attributeIsInt)
	case float64:
		return m.float(attributeFloat, float32(v)).number(attributeType, attributeIsFloat)
	case string:
		return m.text(attributeText, v).number(attributeType, attributeIsText)
	default:
		return m.packed(attributeInts, v.([]int)).number(attributeType, attributeIsInts)
	}
}

func elem(isInt bool) int {
	if isInt {
		return elemInt64
	}
	return elemFloat
}

// encodeValue is what a model says of an input or output; axes that the batch has a
// part in have names.
func encodeValue(name string, t Type) message {
	var shape message
	for _, d := range t.Shape {
		dim := message(nil)
		if d >= 0 {
			dim = dim.number(dimValue, d)
		} else {
			dim = dim.text(dimName, batchName(-d))
		}
		shape = shape.sub(shapeDim, dim)
	}
	tensor := message(nil).number(tensorTypeElem, elem(t.Int)).sub(tensorTypeShape, shape)
	return message(nil).text(valueName, name).sub(valueType, message(nil).sub(typeTensor, tensor))
}

// head is a tensor's message without its elements.
func (i initializer) head() message {
	return message(nil).packed(tensorDims, i.value.Shape).
		number(tensorType, elem(i.value.Dtype == graph.Int)).text(tensorName, string(i.name))
}

// size is the number of bytes of a tensor's elements.
func (i initializer) size() int {
	if i.value.Dtype == graph.Int {
		return 8 * i.value.Len()
	}
	return 4 * i.value.Len()
}

// appendElements appends elements [lo, hi) as onnx.proto wants raw_data: little
// endian.
func (i initializer) appendElements(b []byte, lo, hi int) []byte {
	if i.value.Dtype == graph.Int {
		for _, v := range i.value.Int[lo:hi] {
			b = binary.LittleEndian.AppendUint64(b, uint64(v))
		}
		return b
	}
	for _, v := range i.value.F32[lo:hi] {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}
