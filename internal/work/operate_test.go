package work_test

import (
	"context"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/work"
)

// TestSweepSaysWhatWaits: what is kept only because it is young is not in use.
func TestSweepSaysWhatWaits(t *testing.T) {
	s, _ := work.OpenTest(t)
	prepared(t, s, genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{NoProof: true}}, raw("turbines.csv", turbines(0, 50)))
	before, err := s.Sweep(t.Context(), me, true, nil)
	if err != nil || before.Kept == 0 || before.Grace != 7*24*60*60 {
		t.Fatalf("%+v, %v", before, err)
	}
	if _, err := s.Blobs.Put(t.Context(), []byte("of no use to anybody")); err != nil {
		t.Fatal(err)
	}
	for _, dryRun := range []bool{true, false} {
		got, err := s.Sweep(t.Context(), me, dryRun, nil)
		want := *before
		want.Young, want.DryRun = before.Young+1, dryRun
		if err != nil || *got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
}

// TestPurgeSaysHowMuch counts the bytes that are gone.
func TestPurgeSaysHowMuch(t *testing.T) {
	s, _ := work.OpenTest(t)
	made := prepared(t, s, genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{NoProof: true}}, raw("turbines.csv", turbines(0, 50)))
	sizes := map[genesis.Digest]int64{}
	list := func(into map[genesis.Digest]int64) {
		err := s.Blobs.List(t.Context(), func(d genesis.Digest, size int64) error {
			into[d] = size
			return context.Cause(t.Context())
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	list(sizes)
	out, err := s.Purge(t.Context(), me, made.Version.Ref().String(), "a spill", nil)
	if err != nil {
		t.Fatal(err)
	}
	left := map[genesis.Digest]int64{}
	list(left)
	var blobs, bytes int64
	for d, size := range sizes {
		if _, there := left[d]; !there {
			blobs, bytes = blobs+1, bytes+size
		}
	}
	if bytes == 0 || out.Blobs != blobs || out.Bytes != bytes {
		t.Errorf("says %d bytes in %d blobs; gone are %d in %d", out.Bytes, out.Blobs, bytes, blobs)
	}
}
