package node

import (
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/format/json"
	"github.com/opengenesis/genesis/internal/format/parquet"
	"github.com/opengenesis/genesis/internal/format/text"
	"github.com/opengenesis/genesis/internal/format/xlsx"
)

// Formats is every raw format this program reads. The next one is a folder
// under internal/format and a line here.
func Formats() []format.Driver {
	return []format.Driver{
		parquet.Driver{},
		xlsx.Driver{},
		json.Driver{},
		text.Driver{},
	}
}
