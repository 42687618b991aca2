package store

import (
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"strconv"

	"modernc.org/sqlite"
)

// RowSum returns a sum over the values of a row, by which a value that changed
// on the disk is found when the row is read: 32 hex digits of the SHA-256 of the
// values in order, each as its length and its text, numbers in decimal. It is
// no signature. Values are of type string, []byte, int or int64.
//
// Migrations call it as row_sum.
func RowSum(values ...any) string {
	b := make([]byte, 0, 256)
	for _, v := range values {
		b = appendValue(b, v)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

func appendValue(b []byte, v any) []byte {
	text := ""
	switch v := v.(type) {
	case string:
		text = v
	case []byte:
		text = string(v)
	case int:
		text = strconv.Itoa(v)
	case int64:
		text = strconv.FormatInt(v, 10)
	default:
		panic(fmt.Sprintf("store: no row holds a %T", v)) // a defect of the caller
	}
	b = strconv.AppendInt(b, int64(len(text)), 10)
	b = append(b, ':')
	return append(b, text...)
}

func init() {
	sqlite.MustRegisterDeterministicScalarFunction("row_sum", -1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		values := make([]any, len(args))
		for i, v := range args {
			switch v.(type) {
			case string, []byte, int64:
				values[i] = v
			default:
				return nil, fmt.Errorf("row_sum: argument %d is a %T", i+1, v)
			}
		}
		return RowSum(values...), nil
	})
}
