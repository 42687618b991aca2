package parquet

import (
	"encoding/base64"
	"encoding/binary"
)

// Arrow's durations are plain integers to Parquet. Writers of Arrow keep their schema
// beside it, as an IPC message in base64: the flatbuffers of Message.fbs and Schema.fbs
// in Arrow's format. From it comes the unit of durations.
const metadataArrow = "ARROW:schema"

const (
	arrowSchema   = 1  // Message.header is a Schema
	arrowDuration = 18 // Field.type is a Duration
)

// arrowUnits are those of Duration, by TimeUnit.
var arrowUnits = [...]string{"s", "ms", "us", "ns"}

// durationUnits returns the units of the outermost columns that are durations. What is
// no such schema has none.
func durationUnits(text string) map[string]string {
	buf, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	f := flat{buf: buf, at: 4} // behind the length
	if (flat{buf: buf}).uint32(0) == 1<<32-1 {
		f.at = 8 // behind the mark and the length
	}
	message := f.follow(0)
	if t := message.slot(1); t.byte() != arrowSchema {
		return nil
	}
	fields := message.slot(2).follow(0).slot(1).follow(0)
	units := map[string]string{}
	for i := range min(fields.uint32(0), int64(len(buf)/4)) {
		field := fields.follow(4 + 4*i)
		if field.slot(2).byte() != arrowDuration {
			continue
		}
		unit := int64(1) // milliseconds are the default
		if u := field.slot(3).follow(0).slot(0); u.here() {
			unit = u.uint16(0)
		}
		if unit < int64(len(arrowUnits)) {
			units[field.slot(0).follow(0).text()] = arrowUnits[unit]
		}
	}
	return units
}

// flat is a place in a flatbuffer. Whatever lies outside of it is zero, and the place
// nowhere (0) stays there, so that a damaged one says nothing.
type flat struct {
	buf []byte
	at  int64
}

func (f flat) here() bool { return f.at > 0 }

func (f flat) bytes(off, n int64) []byte {
	from := f.at + off
	if from < 0 || n < 0 || from > int64(len(f.buf)) || n > int64(len(f.buf))-from {
		return make([]byte, min(max(n, 0), 8))
	}
	return f.buf[from : from+n]
}

func (f flat) uint32(off int64) int64 { return int64(binary.LittleEndian.Uint32(f.bytes(off, 4))) }
func (f flat) uint16(off int64) int64 { return int64(binary.LittleEndian.Uint16(f.bytes(off, 2))) }

func (f flat) byte() byte {
	if !f.here() {
		return 0
	}
	return f.bytes(0, 1)[0]
}

// follow goes where the offset at off points.
func (f flat) follow(off int64) flat {
	d := f.uint32(off)
	if !f.here() || d == 0 {
		return flat{}
	}
	return flat{f.buf, f.at + off + d}
}

// slot goes to field n of the table here, nowhere if the table lacks it.
func (f flat) slot(n int64) flat {
	if !f.here() {
		return flat{}
	}
	table := flat{f.buf, f.at - int64(int32(f.uint32(0)))}
	if 4+2*n >= table.uint16(0) {
		return flat{}
	}
	off := table.uint16(4 + 2*n)
	if off == 0 {
		return flat{}
	}
	return flat{f.buf, f.at + off}
}

func (f flat) text() string {
	if !f.here() {
		return ""
	}
	return string(f.bytes(4, min(f.uint32(0), int64(len(f.buf)))))
}
