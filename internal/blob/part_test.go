package blob

import (
	"testing"

	"github.com/opengenesis/genesis"
)

// FuzzLeaves: leaf hashes from elsewhere are as many as the blob has blocks and have its
// root, or they are refused.
func FuzzLeaves(f *testing.F) {
	for _, size := range []int64{0, 1, BlockSize, BlockSize + 1, 5 * BlockSize} {
		leaves := make([]hash, blocks(size))
		var raw []byte
		for i := range leaves {
			leaves[i] = leaf([]byte{byte(i)})
			raw = append(raw, leaves[i][:]...)
		}
		f.Add(size, string(tree{leaves: leaves}.merkle()), raw)
		f.Add(size+BlockSize, string(tree{leaves: leaves}.merkle()), raw)
		f.Add(-size, "", raw)
	}
	f.Fuzz(func(t *testing.T, size int64, root string, raw []byte) {
		b := genesis.Blob{Digest: genesis.DigestOf(nil), Size: size, Merkle: genesis.Digest(root)}
		leaves, err := parseLeaves(b, raw)
		if err != nil {
			if genesis.KindOf(err) != genesis.Invalid {
				t.Errorf("%v", err)
			}
			return
		}
		if got := (tree{leaves: leaves}).merkle(); got != b.Merkle || int64(len(leaves)) != blocks(size) {
			t.Errorf("%d leaves of %d bytes have the root %s, not %s", len(leaves), size, got, b.Merkle)
		}
	})
}
