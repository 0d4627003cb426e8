// Package tensorboard writes the event files that TensorBoard reads: TFRecords
// (tensorflow/core/lib/io/record_writer.h) of Event messages
// (tensorflow/core/util/event.proto), without TensorFlow.
package tensorboard

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Pattern matches the event files of a folder, in the order in which TensorBoard
// reads them.
const Pattern = "events.out.tfevents.*"

// Writer appends events to one file.
type Writer struct {
	f    *os.File
	now  func() time.Time
	last float64 // wall time of the last event
}

// Create begins the file of a session in dir, counted from 1. TensorBoard reads
// the files by their names, so that the number, and not a clock, says which came
// later. From step on, what earlier sessions wrote no longer counts.
func Create(dir string, session int, step int) (*Writer, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	path := filepath.Join(dir, fmt.Sprintf("events.out.tfevents.%010d.%s", session, host))
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	w := &Writer{f: f, now: time.Now}
	err = w.event(0, fileVersion, []byte("brain.Event:2"))
	if err == nil && session > 1 {
		start := protowire.AppendTag(nil, 1, protowire.VarintType)
		start = protowire.AppendVarint(start, 1) // SessionLog.START
		err = w.event(step, sessionLog, start)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return w, nil
}

// The fields of Event that are written.
const (
	wallTime    = 1
	stepField   = 2
	fileVersion = 3
	summary     = 5
	sessionLog  = 7
)

// Scalar appends a number.
func (w *Writer) Scalar(tag string, step int, v float64) error {
	value := protowire.AppendTag(nil, 1, protowire.BytesType)
	value = protowire.AppendString(value, tag)
	value = protowire.AppendTag(value, 2, protowire.Fixed32Type)
	value = protowire.AppendFixed32(value, math.Float32bits(float32(v)))
	return w.value(step, value)
}

// Image appends a PNG of w x h pixels.
func (w *Writer) Image(tag string, step int, png []byte, width, height int) error {
	const rgb = 3
	image := protowire.AppendTag(nil, 1, protowire.VarintType)
	image = protowire.AppendVarint(image, uint64(height))
	image = protowire.AppendTag(image, 2, protowire.VarintType)
	image = protowire.AppendVarint(image, uint64(width))
	image = protowire.AppendTag(image, 3, protowire.VarintType)
	image = protowire.AppendVarint(image, rgb)
	image = protowire.AppendTag(image, 4, protowire.BytesType)
	image = protowire.AppendBytes(image, png)
	value := protowire.AppendTag(nil, 1, protowire.BytesType)
	value = protowire.AppendString(value, tag)
	value = protowire.AppendTag(value, 4, protowire.BytesType)
	value = protowire.AppendBytes(value, image)
	return w.value(step, value)
}

// value appends a summary of one value.
func (w *Writer) value(step int, value []byte) error {
	s := protowire.AppendTag(nil, 1, protowire.BytesType)
	return w.event(step, summary, protowire.AppendBytes(s, value))
}

// event appends an event whose content is one field of bytes. Its time is never
// before that of the last one, whatever the clock does.
func (w *Writer) event(step int, field protowire.Number, content []byte) error {
	w.last = max(w.last, float64(w.now().UnixMicro())/1e6)
	e := protowire.AppendTag(nil, wallTime, protowire.Fixed64Type)
	e = protowire.AppendFixed64(e, math.Float64bits(w.last))
	e = protowire.AppendTag(e, stepField, protowire.VarintType)
	e = protowire.AppendVarint(e, uint64(step))
	e = protowire.AppendTag(e, field, protowire.BytesType)
	e = protowire.AppendBytes(e, content)
	if _, err := w.f.Write(record(e)); err != nil {
		return fmt.Errorf("events: %w", err)
	}
	return nil
}

// Close ends the file.
func (w *Writer) Close() error {
	if err := w.f.Close(); err != nil {
		return fmt.Errorf("events: %w", err)
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record frames data: its length, the length's checksum, data, its checksum.
func record(data []byte) []byte {
	r := binary.LittleEndian.AppendUint64(make([]byte, 0, len(data)+16), uint64(len(data)))
	r = binary.LittleEndian.AppendUint32(r, mask(crc32.Checksum(r, castagnoli)))
	r = append(r, data...)
	return binary.LittleEndian.AppendUint32(r, mask(crc32.Checksum(data, castagnoli)))
}

// mask turns a checksum, so that one of data that holds checksums differs from
// them (tensorflow/core/lib/hash/crc32c.h).
func mask(crc uint32) uint32 { return (crc>>15 | crc<<17) + 0xa282ead8 }
