package stream

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/dustin/go-humanize"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/stream/cache"
	"github.com/opengenesis/genesis/internal/stream/ipc"
)

// Sink takes the messages of a stream.
type Sink interface {
	// Body returns n bytes for the body of a message. What is in them does not matter.
	// It is called for one message more while Send sends the one before, from another
	// goroutine.
	Body(n int) []byte
	// Send sends a message. Its body, if it has one, is the earliest that Body returned
	// and that was not sent yet; message and body may be used again when Send returns.
	Send(ipc.Message) error
	// Bodies is how many of the largest bodies take the memory that the sink may hold.
	Bodies() int
}

// Sender sends a stream, once.
type Sender interface {
	Plan() genesis.StreamPlan
	// Send sends it, and returns when it is whole or why it is not.
	Send(context.Context, Sink) error
}

// encoder writes batches of one form.
type encoder interface {
	// fields are the columns of the batches.
	fields() []ipc.Field
	// dictionaries sends the dictionaries of the fields.
	dictionaries(Sink) error
	// batch writes the rows of the cells into a body. The message is valid until the next
	// but one.
	batch(from cells, rows []uint64, room func(int) ([]byte, error), meta ...ipc.KeyValue) (ipc.Message, error)
}

// maxText bounds the texts of a batch. Tests lower it.
var maxText int64 = 256 << 20

// columns encodes typed columns.
type columns struct {
	cols   []column
	words  [][]string // of the table's dictionaries, by column; nil without a cache
	layout ipc.Layout
	stride int // rows that are written together
	nulls  []int
	places []places
}

// column is one of the batch.
type column struct {
	genesis.Column
	at   int // in the table
	form cache.Form
	code bool // sent as a code into its dictionary
}

type places struct {
	node   int
	valid  ipc.Place
	values ipc.Place
	text   ipc.Place
}

// newColumns encodes the columns of a plan. table is nil where there is no cache.
func newColumns(s *Stream, table *cache.Table) *columns {
	at := map[string]int{}
	for i, c := range s.all {
		at[c.Name] = i
	}
	e := &columns{}
	for _, c := range s.plan.Columns {
		col := column{Column: c, at: at[c.Name], form: plainForm(c.Type)}
		var words []string
		if table != nil && s.plan.As == genesis.AsDictionary {
			if held := table.Columns()[col.at]; held.Form == cache.Word {
				col.code, words = true, held.Words
			}
		}
		e.cols, e.words = append(e.cols, col), append(e.words, words)
	}
	e.places, e.nulls = make([]places, len(e.cols)), make([]int, len(e.cols))
	e.stride = strideOf(8 * len(e.cols))
	if table != nil {
		e.stride = strideOf(table.Width)
	}
	return e
}

// plainForm is how values of a type are sent; Heap stands for all texts.
func plainForm(t genesis.Type) cache.Form {
	switch {
	case t == genesis.Date:
		return cache.Day
	case t == genesis.Boolean:
		return cache.Flag
	case t.Textual():
		return cache.Heap
	}
	return cache.Wide
}

func (e *columns) fields() []ipc.Field {
	fields := make([]ipc.Field, len(e.cols))
	for i, c := range e.cols {
		fields[i] = ipc.Field{Name: c.Name, Type: arrowType(c.Type), Nullable: true, Dictionary: c.code, Meta: columnMeta(c.Column)}
	}
	return fields
}

func arrowType(t genesis.Type) ipc.Type {
	switch t {
	case genesis.Float:
		return ipc.Float64
	case genesis.Boolean:
		return ipc.Bool
	case genesis.Timestamp:
		return ipc.Timestamp
	case genesis.Date:
		return ipc.Date
	case genesis.Integer:
		return ipc.Int64
	}
	return ipc.Utf8
}

// columnMeta is what a column is, beyond its values.
func columnMeta(c genesis.Column) []ipc.KeyValue {
	var out []ipc.KeyValue
	for _, kv := range []ipc.KeyValue{{Key: "genesis.type", Value: string(c.Type)}, {Key: "genesis.role", Value: string(c.Role)}, {Key: "genesis.unit", Value: c.Unit},
		{Key: "genesis.semantic", Value: string(c.Semantic)}, {Key: "genesis.description", Value: c.Description}, {Key: "genesis.original", Value: c.Original}} {
		if kv.Value != "" {
			out = append(out, kv)
		}
	}
	return out
}

func (e *columns) dictionaries(sink Sink) error {
	var layout ipc.Layout
	for i, words := range e.words {
		if !e.cols[i].code {
			continue
		}
		size := 0
		for _, w := range words {
			size += len(w)
		}
		layout.Reset(len(words))
		layout.Node(len(words))
		layout.Buffer(0)
		offsets, text := layout.Buffer(4*(len(words)+1)), layout.Buffer(size)
		body := sink.Body(layout.Size())
		clear(body)
		at, into := offsets.In(body), text.In(body)[:0]
		for k, w := range words {
			into = append(into, w...)
			binary.LittleEndian.PutUint32(at[4*(k+1):], uint32(len(into)))
		}
		if err := sink.Send(layout.Dictionary(int64(i), body)); err != nil {
			return err
		}
	}
	return nil
}

func (e *columns) batch(from cells, rows []uint64, room func(int) ([]byte, error), meta ...ipc.KeyValue) (ipc.Message, error) {
	if err := e.place(from, rows); err != nil {
		return ipc.Message{}, err
	}
	body, err := room(e.layout.Size())
	if err != nil {
		return ipc.Message{}, err
	}
	clearGaps(body, e.places)
	for i := range e.cols {
		setBits(e.places[i].valid.In(body), len(rows))
		e.nulls[i] = 0
	}
	for at := 0; at < len(rows); at += e.stride {
		few := rows[at:min(at+e.stride, len(rows))]
		for i := range e.cols {
			e.fill(i, from, few, at, body)
		}
	}
	for i := range e.cols {
		e.layout.Nulls(e.places[i].node, e.nulls[i])
		if e.cols[i].text() {
			e.fillText(i, from, rows, body)
		}
	}
	return e.layout.Batch(body, meta...), nil
}

// place gives every buffer its place.
func (e *columns) place(from cells, rows []uint64) error {
	n, text := len(rows), int64(0)
	e.layout.Reset(n)
	for i := range e.cols {
		c, p := &e.cols[i], &e.places[i]
		p.node = e.layout.Node(n)
		p.valid = e.layout.Buffer((n + 7) / 8)
		p.text = ipc.Place{}
		switch {
		case c.code || c.form == cache.Day:
			p.values = e.layout.Buffer(4 * n)
		case c.form == cache.Flag:
			p.values = e.layout.Buffer((n + 7) / 8)
		case c.form == cache.Wide:
			p.values = e.layout.Buffer(8 * n)
		default:
			size, err := from.TextSize(c.at, rows)
			if err != nil {
				return err
			}
			if text += size; text > maxText {
				return tooMuchText(c.Name, n)
			}
			p.values = e.layout.Buffer(4 * (n + 1))
			p.text = e.layout.Buffer(int(size))
		}
	}
	return nil
}

func tooMuchText(column string, rows int) error {
	return invalid(column, fmt.Sprintf("with it there is more than %s of text in a batch of %d rows", humanize.IBytes(uint64(maxText)), rows), "ask for smaller batches, or leave columns out")
}

// clearGaps clears what lies between the buffers, so that nothing of what the body
// held before is sent.
func clearGaps(body []byte, all []places) {
	end := 0
	gap := func(p ipc.Place) {
		if p.Length > 0 {
			clear(body[end:p.Offset])
			end = p.Offset + p.Length
		}
	}
	for _, p := range all {
		gap(p.valid)
		gap(p.values)
		gap(p.text)
	}
	clear(body[end:])
}

// fill writes the values of the rows from the at-th on, which is a multiple of 8.
func (e *columns) fill(i int, from cells, rows []uint64, at int, body []byte) {
	c, p := &e.cols[i], &e.places[i]
	e.nulls[i] += from.Nulls(c.at, rows, p.valid.In(body)[at/8:])
	values := p.values.In(body)
	switch {
	case c.text():
	case c.code || c.form == cache.Day:
		from.Narrow(c.at, rows, values[4*at:])
	case c.form == cache.Flag:
		bits := values[at/8 : (at+len(rows)+7)/8]
		clear(bits)
		from.Flags(c.at, rows, bits)
	default:
		from.Wide(c.at, rows, values[8*at:])
	}
}

func (e *columns) fillText(i int, from cells, rows []uint64, body []byte) {
	c, p := &e.cols[i], &e.places[i]
	values, into := p.values.In(body), p.text.In(body)[:0]
	binary.LittleEndian.PutUint32(values, 0)
	for k, r := range rows {
		into = from.AppendText(into, c.at, r)
		binary.LittleEndian.PutUint32(values[4*(k+1):], uint32(len(into)))
	}
}

// text reports whether texts are sent, and not codes.
func (c *column) text() bool { return c.form == cache.Heap && !c.code }

// strideOf is how many rows are written column by column before the next: as many as stay
// in the nearest of the processor's caches, where all columns but the first find them.
func strideOf(width int) int {
	const near = 32 << 10
	return min(max(near/max(width, 1), 64), 1024) &^ 7
}

// setBits sets the first n bits and clears what is left of the last byte.
func setBits(b []byte, n int) {
	for i := range b {
		b[i] = 0xff
	}
	if n&7 != 0 {
		b[len(b)-1] = 1<<(n&7) - 1
	}
}

// schemaMeta is the metadata of a stream's schema.
func schemaMeta(p genesis.StreamPlan) ([]ipc.KeyValue, error) {
	text, err := json.Marshal(p)
	return []ipc.KeyValue{{Key: genesis.StreamPlanKey, Value: string(text)}}, err
}

// batchMeta is the metadata of a batch.
func batchMeta(from, next int64) []ipc.KeyValue {
	return []ipc.KeyValue{{Key: genesis.StreamPositionKey, Value: strconv.FormatInt(from, 10)}, {Key: genesis.StreamNextKey, Value: strconv.FormatInt(next, 10)}}
}
