package stream

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/stream/cache"
)

// part is which rows of a table a stream is of: those that a split puts somewhere, or,
// without a split, all.
type part struct {
	split *genesis.Split
	name  string // "train", "fold-3", "not-fold-3"
	fold  int    // of a split with folds
	other bool   // every fold but that one
	want  genesis.Part
}

// partNames are the parts of splits without folds.
var partNames = map[string]genesis.Part{"train": genesis.Train, "validation": genesis.Validation, "test": genesis.Test}

// findPart reads "train" or "NAME/train". Errors: NotFound (the split), Invalid (the
// part).
func findPart(splits []genesis.Split, table, text string) (part, error) {
	if text == "" {
		return part{}, nil
	}
	name := ""
	word := text
	if k := strings.LastIndexByte(text, '/'); k >= 0 {
		name, word = text[:k], text[k+1:]
	}
	var p part
	var names []string
	for i := range splits {
		s := &splits[i]
		if s.Table != table {
			continue
		}
		names = append(names, s.Name)
		if p.split == nil && (name == "" || s.Name == name) {
			p.split = s
		}
	}
	if p.split == nil {
		e := &genesis.Error{Op: "stream", Kind: genesis.NotFound, Subject: text, Msg: "the table has no such split", Hint: "its splits are " + strings.Join(names, ", ")}
		if names == nil {
			e.Hint = "it has none; leave split out for all rows, or prepare the dataset with one"
		}
		return p, e
	}
	return p, p.parse(word)
}

// parse reads the name of the part.
func (p *part) parse(word string) error {
	p.name = word
	if p.split.Folds == 0 {
		want, ok := partNames[word]
		if !ok {
			return badPart(p.split, word, "its parts are train, validation and test")
		}
		p.want = want
		return nil
	}
	rest, other := strings.CutPrefix(word, "not-")
	digits, ok := strings.CutPrefix(rest, "fold-")
	fold, err := strconv.Atoi(digits)
	if !ok || err != nil || strconv.Itoa(fold) != digits || fold < 0 || fold >= p.split.Folds {
		return badPart(p.split, word, fmt.Sprintf("its parts are fold-0 to fold-%d, and not-fold-0 to not-fold-%[1]d", p.split.Folds-1))
	}
	p.fold, p.other, p.want = fold, other, genesis.Fold(fold)
	return nil
}

func badPart(s *genesis.Split, word, hint string) error {
	return &genesis.Error{Op: "stream", Kind: genesis.Invalid, Subject: word, Msg: fmt.Sprintf("is no part of the split %q", s.Name), Hint: hint}
}

// training returns the part that scales are taken from: the training part, or the
// folds that are not held out.
func (p part) training() part {
	if p.split.Folds == 0 {
		return part{split: p.split, name: "train", want: genesis.Train}
	}
	return part{split: p.split, name: fmt.Sprintf("not-fold-%d", p.fold), fold: p.fold, other: true, want: p.want}
}

// String is the split and the part.
func (p part) String() string {
	if p.split == nil {
		return ""
	}
	return p.split.Name + "/" + p.name
}

// assignment is the digest of what says where rows are, or empty.
func (p part) assignment() genesis.Digest {
	if p.split == nil {
		return ""
	}
	return p.split.Assignment.Digest
}

// rows is how many rows there are, of a table of so many.
func (p part) rows(table int64) int64 {
	switch {
	case p.split == nil:
		return table
	case p.split.Folds == 0:
		return p.split.Counts[p.name]
	}
	total := int64(0)
	for k := range p.split.Folds {
		if (k == p.fold) != p.other {
			total += p.split.Counts["fold-"+strconv.Itoa(k)]
		}
	}
	return total
}

// has reports whether a row that is assigned so is of the part.
func (p part) has(at genesis.Part) bool {
	if p.other {
		return at != p.want && at != genesis.Unassigned
	}
	return at == p.want
}

// maker makes the list of the part's rows.
func (p part) maker(blobs *blob.Store, tableRows int64) cache.Maker {
	return cache.Parts(tableRows, func(ctx context.Context) (func() (uint64, error), func() error, error) {
		r, err := openAssignment(ctx, blobs, *p.split)
		if err != nil {
			return nil, nil, err
		}
		if r.rows != uint64(tableRows) {
			r.Close()
			return nil, nil, broken(p.split.Name, fmt.Sprintf("the split assigns %d rows; the table has %d", r.rows, tableRows))
		}
		next := func() (uint64, error) {
			for {
				at, err := r.next()
				if err != nil || p.has(at) {
					return r.done - 1, err
				}
			}
		}
		return next, r.Close, nil
	})
}
