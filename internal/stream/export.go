package stream

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/format/parquet"
)

// batches is what can be exported: a [Reader], or predictions as they are made.
type batches interface {
	Columns() []genesis.Column
	Next() (*format.Batch, error)
}

// WriteParquet writes the rest of r as one Parquet file.
func WriteParquet(ctx context.Context, w io.Writer, r batches) error {
	out, err := parquet.NewWriter(w, r.Columns(), parquet.WriterOptions{})
	if err != nil {
		return err
	}
	if err := each(ctx, r, out.Write); err != nil {
		return err
	}
	return out.Close()
}

func each(ctx context.Context, r batches, body func(*format.Batch) error) error {
	for {
		if err := ctx.Err(); err != nil {
			return &genesis.Error{Op: "export", Kind: genesis.Canceled, Msg: "was stopped", Err: err}
		}
		b, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = body(b)
		}
		if err != nil {
			return err
		}
	}
}

// WriteCSV writes the rest of r as CSV (RFC 4180, UTF-8): a header, then a line
// per row. Nulls are empty, an empty text is "". Numbers are the shortest that
// read back as the same, times RFC 3339 in UTC. Texts that a spreadsheet would
// run as a formula get a leading apostrophe; numbers stay as they are.
func WriteCSV(ctx context.Context, w io.Writer, r batches) error {
	cols := r.Columns()
	out := bufio.NewWriterSize(w, 64<<10)
	var line []byte
	for i, c := range cols {
		if i > 0 {
			line = append(line, ',')
		}
		line = appendText(line, []byte(c.Name))
	}
	if _, err := out.Write(append(line, "\r\n"...)); err != nil {
		return err
	}
	err := each(ctx, r, func(b *format.Batch) error {
		for i := range b.Rows {
			line = appendRow(line[:0], b, i, len(cols))
			if _, err := out.Write(line); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

func appendRow(line []byte, b *format.Batch, i, cols int) []byte {
	for j := range cols {
		if j > 0 {
			line = append(line, ',')
		}
		if j < len(b.Cols) && !b.Cols[j].Null(i) {
			line = appendCell(line, &b.Cols[j], i)
		}
	}
	if len(line) == 0 { // a row of one null must not be an empty line
		line = append(line, `""`...)
	}
	return append(line, "\r\n"...)
}

func appendCell(line []byte, v *format.Vector, i int) []byte {
	switch v.Kind {
	case format.Text:
		return appendText(line, v.Bytes(i))
	case format.Float:
		return appendFloat(line, v.Floats[i])
	case format.Bool:
		return strconv.AppendBool(line, v.Ints[i] != 0)
	case format.Timestamp:
		return time.UnixMicro(v.Ints[i]).UTC().AppendFormat(line, time.RFC3339Nano)
	case format.Date:
		return time.Unix(v.Ints[i]*86400, 0).UTC().AppendFormat(line, time.DateOnly)
	}
	return strconv.AppendInt(line, v.Ints[i], 10)
}

// appendFloat writes plain digits where they are short.
func appendFloat(line []byte, f float64) []byte {
	form := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-5 || a >= 1e15) {
		form = 'e'
	}
	return strconv.AppendFloat(line, f, form, -1, 64)
}

// appendText quotes a text where CSV asks for it and disarms formulas.
func appendText(line, text []byte) []byte {
	if len(text) == 0 {
		return append(line, `""`...)
	}
	if isFormula(text) {
		text = append([]byte{'\''}, text...)
	}
	if !bytes.ContainsAny(text, ",\"\r\n") {
		return append(line, text...)
	}
	line = append(line, '"')
	for _, c := range text {
		if c == '"' {
			line = append(line, '"')
		}
		line = append(line, c)
	}
	return append(line, '"')
}

// isFormula reports whether a spreadsheet might run the text. A signed number
// is none.
func isFormula(text []byte) bool {
	switch text[0] {
	case '=', '@', '\t', '\r':
		return true
	case '+', '-':
		_, err := strconv.ParseFloat(string(text), 64)
		return err != nil
	}
	return false
}
