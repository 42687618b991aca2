package work

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/learn"
	"github.com/opengenesis/genesis/internal/stream"
	"github.com/zeebo/xxh3"
)

// maxTraining is how large a table may be in memory to be learnt from.
const maxTraining = 8 << 30

// splitOf returns the split called name of a table, the first one when name is
// empty, or nil.
func splitOf(splits []genesis.Split, table, name string) *genesis.Split {
	for i := range splits {
		if sp := &splits[i]; sp.Table == table && (name == "" || sp.Name == name) {
			return sp
		}
	}
	return nil
}

// data loads a table for learning: the columns named, nil for all, and where
// the split puts each row. Without a split, rows are assigned at random by
// their number.
func (w *Workbench) data(ctx context.Context, m genesis.Manifest, l genesis.Layout, table string, columns []string, sp *genesis.Split, fold int) (*learn.Data, error) {
	b, cols, err := stream.Load(ctx, w.Blobs, m, l, table, columns, maxTraining)
	if err != nil {
		return nil, err
	}
	d := &learn.Data{Columns: cols, Batch: b}
	if sp == nil {
		d.Parts = randomParts(b.Rows, 0)
		return d, nil
	}
	parts, err := stream.Assignment(ctx, w.Blobs, *sp)
	if err != nil {
		return nil, err
	}
	if len(parts) != b.Rows {
		return nil, &genesis.Error{Op: "load split", Kind: genesis.Internal, Subject: sp.Name, Msg: fmt.Sprintf("assigns %d rows; the table has %d", len(parts), b.Rows)}
	}
	d.Parts, err = foldParts(parts, sp, fold)
	return d, err
}

// foldParts turns folds into parts: the held-out fold is the test part, the
// others are for training.
func foldParts(parts []genesis.Part, sp *genesis.Split, fold int) ([]genesis.Part, error) {
	if sp.Folds == 0 {
		return parts, nil
	}
	if fold < 0 || fold >= sp.Folds {
		return nil, &genesis.Error{Op: "load split", Kind: genesis.Invalid, Subject: sp.Name, Msg: fmt.Sprintf("has folds 0 to %d, not %d", sp.Folds-1, fold)}
	}
	out := slices.Clone(parts)
	for i, p := range parts {
		switch p {
		case genesis.Unassigned:
		case genesis.Fold(fold):
			out[i] = genesis.Test
		default:
			out[i] = genesis.Train
		}
	}
	return out, nil
}

// randomParts assigns rows 80:10:10 by a hash of their number.
func randomParts(n int, seed uint64) []genesis.Part {
	parts := make([]genesis.Part, n)
	var b [8]byte
	for i := range parts {
		binary.LittleEndian.PutUint64(b[:], uint64(i))
		switch u := xxh3.HashSeed(b[:], seed) % 10; {
		case u == 8:
			parts[i] = genesis.Validation
		case u == 9:
			parts[i] = genesis.Test
		default:
			parts[i] = genesis.Train
		}
	}
	return parts
}

// columnsFor returns the columns of a table that a training reads: the targets
// and, when named, only those features.
func columnsFor(t genesis.ManifestTable, targets, features []string) ([]string, error) {
	have, spelt := map[string]bool{}, map[string]string{}
	var names []string
	for _, c := range t.Columns {
		have[c.Name], spelt[c.Original] = true, c.Name
		names = append(names, c.Name)
	}
	for _, name := range slices.Concat(targets, features) {
		if is := spelt[name]; !have[name] && is != "" {
			return nil, &genesis.Error{Op: "train", Kind: genesis.Invalid, Subject: name, Msg: "is called " + is + " in table " + t.Name, Hint: "write " + is}
		}
		if !have[name] {
			return nil, &genesis.Error{Op: "train", Kind: genesis.Invalid, Subject: name, Msg: "is no column of table " + t.Name, Hint: "the columns are " + strings.Join(names, ", ")}
		}
	}
	if len(features) == 0 {
		return nil, nil
	}
	return slices.Concat(features, targets), nil
}
