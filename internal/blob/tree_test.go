package blob

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/opengenesis/genesis"
)

// TestRoot checks the tree against the test vectors that the implementations of
// RFC 6962 share (certificate-transparency-go, merkle_test.go): roots of the
// first 1…8 of eight leaves.
func TestRoot(t *testing.T) {
	leaves := []string{"", "00", "10", "2021", "3031", "40414243",
		"5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	roots := []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	var hashes []hash
	for n, want := range roots {
		if n > 0 {
			b, err := hex.DecodeString(leaves[n-1])
			if err != nil {
				t.Fatal(err)
			}
			hashes = append(hashes, leaf(b))
		}
		got := root(hashes)
		if hex.EncodeToString(got[:]) != want {
			t.Errorf("root of %d leaves is %x, want %s", n, got, want)
		}
	}
}

func TestReadTreeRefuses(t *testing.T) {
	good := tree{size: BlockSize + 1, leaves: make([]hash, 2)}.encode()
	change := func(at int, b byte) []byte {
		c := bytes.Clone(good)
		c[at] = b
		return c
	}
	for name, tt := range map[string]struct {
		file []byte
		kind genesis.ErrorKind
	}{
		"empty":         {nil, genesis.Internal},
		"header only":   {good[:treeHeader], genesis.Internal},
		"cut":           {good[:len(good)-1], genesis.Internal},
		"longer":        {append(bytes.Clone(good), 0), genesis.Internal},
		"magic":         {change(0, 'G'), genesis.Internal},
		"newer format":  {change(8, 2), genesis.Unsupported},
		"block size":    {change(13, 1), genesis.Internal},
		"negative size": {change(23, 0x80), genesis.Internal},
		"other size":    {change(18, 0xff), genesis.Internal},
	} {
		_, err := readTree(bytes.NewReader(tt.file), int64(len(tt.file)))
		if genesis.KindOf(err) != tt.kind {
			t.Errorf("%s: error is %v, want kind %s", name, err, tt.kind)
		}
	}
}

func FuzzReadTree(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(tree{}.encode())
	f.Add(tree{size: 3*BlockSize - 1, leaves: []hash{{1}, {2}, {3}}}.encode())
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := readTree(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			var e *genesis.Error
			if !errors.As(err, &e) {
				t.Fatalf("error without a kind: %v", err)
			}
			return
		}
		if !bytes.Equal(got.encode(), file) {
			t.Fatal("what was read is not what was written")
		}
	})
}
