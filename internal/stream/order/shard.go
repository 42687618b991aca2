package order

// Batches are the batches of one shard: of the order from a position on, cut into
// pieces of Size rows, every Shards-th, beginning with piece Shard.
type Batches struct {
	Rows     int64 // of the order
	Position int64 // where the pieces begin
	Size     int64
	Shard    int64
	Shards   int64
}

// At returns the shard's k-th batch, from 0, as the positions from … next−1. After
// the last one it is empty, at the end of the order.
func (b Batches) At(k int64) (from, next int64) {
	left := b.Rows - b.Position
	piece := k*b.Shards + b.Shard
	if piece >= (left+b.Size-1)/b.Size {
		return b.Rows, b.Rows
	}
	from = b.Position + piece*b.Size
	return from, min(from+b.Size, b.Rows)
}
