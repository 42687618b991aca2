package stream

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format/expr"
	"github.com/opengenesis/genesis/internal/stream/order"
)

// Bounds of what one may ask for.
const (
	maxBatch     = 1 << 20
	maxShards    = 1 << 16
	usualBatch   = 1024
	maxBody      = 64 << 20 // bytes of a batch without its texts
	maxFilter    = 4000
	usualBlock   = 256 << 10 // bytes of a block, about
	mostOfBlock  = 16384     // rows
	leastOfBlock = 64
)

// Target is the version that a stream is of.
type Target struct {
	Version  genesis.Version
	Manifest genesis.Manifest
	Layout   genesis.Layout
	Splits   []genesis.Split
}

func invalid(subject, msg, hint string) error {
	return &genesis.Error{Op: "stream", Kind: genesis.Invalid, Subject: subject, Msg: msg, Hint: hint}
}

// resolve turns a request into a stream: everything that was left open is said, and
// everything is there. Errors: Invalid, NotFound, Conflict (the key).
func resolve(t Target, req genesis.StreamRequest) (*Stream, error) {
	if t.Version.Kind != genesis.Dataset {
		return nil, invalid(string(t.Version.Name), "is a model; datasets are streamed", "")
	}
	table, name, err := find(t.Manifest, req.Table)
	if err != nil {
		return nil, err
	}
	table.Name = name // of rejects it is not that of the table that they are of
	s := &Stream{target: t, table: table, all: table.Schema()}
	if s.part, err = findPart(t.Splits, table.Name, req.Split); err != nil {
		return nil, err
	}
	s.plan = genesis.StreamPlan{Format: genesis.StreamFormat, Name: t.Version.Name, Version: t.Version.Digest, Number: t.Version.Number,
		Table: table.Name, Split: s.part.String(), Mode: cmp.Or(req.Mode, genesis.Sequential), Seed: req.Seed, Epoch: req.Epoch,
		Position: req.Position, Shard: req.Shard, Shards: cmp.Or(req.Shards, 1), As: cmp.Or(req.As, genesis.AsTable), Rows: s.part.rows(table.Rows)}
	for _, step := range []func(genesis.StreamRequest) error{s.setForm, s.setBatch, s.setOrder, s.setFilter} {
		if err := step(req); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// setForm chooses the columns.
func (s *Stream) setForm(req genesis.StreamRequest) error {
	switch s.plan.As {
	case genesis.AsTable, genesis.AsDictionary:
		if len(req.Target) > 0 || req.Categories != "" || req.Scale != "" || req.Mask {
			return invalid("as", "target, categories, scale and mask are of as=rows", "")
		}
		cols, err := project(s.table, req.Columns)
		if err != nil {
			return err
		}
		if hasRepeats(req.Columns) {
			return invalid("columns", "one is named twice", "")
		}
		s.plan.Columns = cols
		return nil
	case genesis.AsRows:
		return s.setRows(req)
	}
	return invalid(string(s.plan.As), "is no form of a stream", "as is table, dictionary or rows")
}

func hasRepeats(names []string) bool {
	sorted := slices.Sorted(slices.Values(names))
	return len(slices.Compact(sorted)) != len(names)
}

// setBatch chooses the size of a batch, and checks where the stream begins.
func (s *Stream) setBatch(req genesis.StreamRequest) error {
	p := &s.plan
	most := max(1, min(maxBatch, maxBody/s.rowBytes()))
	p.Batch = cmp.Or(req.Batch, min(usualBatch, most))
	switch {
	case p.Batch < 0 || p.Batch > most:
		return invalid("batch", fmt.Sprintf("is %d; a batch of this stream has 1 to %d rows", p.Batch, most), "")
	case p.Shards < 1 || p.Shards > maxShards:
		return invalid("shards", fmt.Sprintf("is %d; there are 1 to %d", p.Shards, maxShards), "")
	case p.Shard < 0 || p.Shard >= p.Shards:
		return invalid("shard", fmt.Sprintf("is %d of %d; the first is 0 and the last %d", p.Shard, p.Shards, p.Shards-1), "")
	case p.Position < 0 || p.Position > p.Rows:
		return invalid("position", fmt.Sprintf("is %d; the order has %d rows", p.Position, p.Rows), "a position is what the stream said after the last batch that was consumed")
	}
	return nil
}

// rowBytes is about what a row takes in a batch, without texts.
func (s *Stream) rowBytes() int {
	if s.plan.As == genesis.AsRows {
		return max(8, 4*len(s.plan.Columns)+8) // codes and numbers; one-hot is checked when the words are known
	}
	return 1 + 9*len(s.plan.Columns)
}

// setOrder makes the order and compares its key.
func (s *Stream) setOrder(req genesis.StreamRequest) error {
	p := &s.plan
	switch p.Mode {
	case genesis.Sequential, genesis.Full:
	case genesis.Block:
		p.Block = cmp.Or(req.Block, blockFor(len(s.all)))
		if p.Block < 1 || p.Block > maxBatch {
			return invalid("block", fmt.Sprintf("is %d; a block has 1 to %d rows", p.Block, maxBatch), "")
		}
	default:
		return invalid(string(p.Mode), "is no mode of a stream", "the modes are sequential, block and full")
	}
	if req.Block != 0 && p.Mode != genesis.Block {
		return invalid("block", "is of mode block alone", "")
	}
	var err error
	s.order, err = order.New(order.Spec{Version: p.Version, Table: p.Table, Split: p.Split, Assignment: s.part.assignment(), Mode: p.Mode, Seed: p.Seed, Epoch: p.Epoch, Block: p.Block}, p.Rows)
	if err != nil {
		return err
	}
	p.Key, p.Assignment = s.order.Key().String(), s.part.assignment()
	if req.Key != "" && !strings.EqualFold(req.Key, p.Key) {
		return &genesis.Error{Op: "stream", Kind: genesis.Conflict, Subject: string(p.Name), Msg: "the order is not the one that the position belongs to",
			Hint: "its version, table, split, mode, seed, epoch and block must be the same; if the split was made anew, begin the epoch again"}
	}
	s.batches = order.Batches{Rows: p.Rows, Position: p.Position, Size: int64(p.Batch), Shard: int64(p.Shard), Shards: int64(p.Shards)}
	return nil
}

// blockFor is how many rows a block has by default: about 256 KiB of 8-byte columns, as
// a power of two.
func blockFor(columns int) int {
	rows := leastOfBlock
	for rows < mostOfBlock && 2*rows*8*columns <= usualBlock {
		rows *= 2
	}
	return rows
}

func (s *Stream) setFilter(req genesis.StreamRequest) error {
	if req.Filter == "" {
		return nil
	}
	if len(req.Filter) > maxFilter {
		return invalid("filter", fmt.Sprintf("is longer than %d bytes", maxFilter), "")
	}
	var err error
	s.filter, err = expr.CompileFilter(req.Filter, s.all)
	return err
}
