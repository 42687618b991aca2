package spill

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

func TestSortsInMemoryAndSpilled(t *testing.T) {
	for _, memory := range []int64{1 << 20, 3000, 1} {
		dir := t.TempDir()
		s := New(dir, 12, memory)
		r := rand.New(rand.NewPCG(1, 2))
		var want [][]byte
		for range 1000 {
			rec := make([]byte, 12)
			for i := range rec {
				rec[i] = byte(r.IntN(3)) // many equal prefixes and equal records
			}
			want = append(want, rec)
			if err := s.Add(rec); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortFunc(want, bytes.Compare)
		for pass := range 2 {
			i := 0
			err := s.Each(func(rec []byte) error {
				if !bytes.Equal(rec, want[i]) {
					t.Fatalf("memory %d, pass %d: record %d is %x, want %x", memory, pass, i, rec, want[i])
				}
				i++
				return nil
			})
			if err != nil || i != len(want) {
				t.Fatalf("memory %d, pass %d: %d of %d records, %v", memory, pass, i, len(want), err)
			}
		}
		if err := s.Add(make([]byte, 12)); err == nil {
			t.Error("a record is taken after reading began")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("memory %d: %d temporary files are left", memory, len(left))
		}
	}
}

func TestStopsAtTheCallersError(t *testing.T) {
	s := New(t.TempDir(), 8, 1)
	defer s.Close()
	for i := range 10 {
		if err := s.Add([]byte{0, 0, 0, 0, 0, 0, 0, byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	stop := errors.New("stop")
	seen := 0
	if err := s.Each(func([]byte) error { seen++; return stop }); err != stop || seen != 1 {
		t.Errorf("%d records seen, error %v; want 1 and the caller's", seen, err)
	}
}

func TestEmpty(t *testing.T) {
	s := New("", 8, 0)
	if err := s.Each(func([]byte) error { t.Error("called"); return nil }); err != nil {
		t.Error(err)
	}
}
