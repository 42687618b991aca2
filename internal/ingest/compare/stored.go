package compare

import (
	"context"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/stream"
)

// Stored returns the side of a version whose tables lie in blobs as layout
// says.
func Stored(blobs *blob.Store, d genesis.Description, layout genesis.Layout) Side {
	return Side{
		Version: d.Version, Manifest: d.Manifest, Profile: d.Profile,
		Open: func(ctx context.Context, table string, columns []string) (Rows, error) {
			return stream.Open(ctx, blobs, d.Manifest, layout, table, columns)
		},
	}
}
