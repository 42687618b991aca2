package mirror

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/guest"
	"github.com/opengenesis/genesis/internal/journal/tile"
	"golang.org/x/mod/sumdb/tlog"
)

// Bounds of what another node may answer, in bytes and numbers.
const (
	maxList      = 512 << 10
	maxNote      = 16 << 10
	maxBundle    = tile.Width * 2048 // entries of a catalogue log are a tenth of that
	maxPage      = 8 << 20
	maxEpochs    = 1000
	maxSize      = 1 << 40
	pageLimit    = 1000
	cachedTiles  = 256
	maxStatement = 8 << 10
)

// fetcher gets what is at paths of another node.
type fetcher struct {
	peer    Peer
	timeout time.Duration
}

// wrong is the error of an answer that does not check.
func wrong(what, msg string, err error) error {
	return &genesis.Error{Op: "follow log", Kind: genesis.Invalid, Subject: what, Msg: msg, Err: err}
}

// get returns a body of at most so many bytes.
func (g fetcher) get(ctx context.Context, path string, most int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	body, err := g.peer.Get(ctx, path)
	if err != nil {
		return nil, unreachable(path, err)
	}
	return guest.Read(ctx, path, body, most)
}

// unreachable gives an error a kind where it has none.
func unreachable(path string, err error) error {
	var known *genesis.Error
	if errors.As(err, &known) {
		return err
	}
	e := &genesis.Error{Op: "follow log", Kind: genesis.Unavailable, Subject: path, Msg: "the node does not answer", Err: err}
	if errors.Is(err, context.DeadlineExceeded) {
		e.Msg = "the node takes too long to answer"
	}
	return e
}

// list asks which logs there are, and returns the number of the latest epoch of each. It
// is a hint: what counts is signed.
func (g fetcher) list(ctx context.Context) (map[genesis.Class]int, error) {
	b, err := g.get(ctx, "/logs", maxList)
	if err != nil {
		return nil, err
	}
	return parseList(b)
}

func parseList(b []byte) (map[genesis.Class]int, error) {
	var list genesis.LogList
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, wrong("/logs", "the answer is not a list of logs", err)
	}
	latest := map[genesis.Class]int{}
	for _, l := range list.Logs {
		for _, e := range l.Epochs {
			if e.Number < 1 || e.Number > maxEpochs {
				return nil, wrong("/logs", fmt.Sprintf("it has an epoch %d, and %d are followed at most", e.Number, maxEpochs), nil)
			}
			latest[l.Class] = max(latest[l.Class], e.Number)
		}
	}
	return latest, nil
}

// page asks what entries from a place on say.
func (g fetcher) page(ctx context.Context, class genesis.Class, from int64) ([]genesis.Stated, error) {
	path := fmt.Sprintf("/logs/%s/statements?from=%d&limit=%d", class, from, pageLimit)
	b, err := g.get(ctx, path, maxPage)
	if err != nil {
		return nil, err
	}
	all, err := parsePage(b, from)
	if err != nil {
		return nil, wrong(path, "the answer is not a page of statements", err)
	}
	return all, nil
}

// parsePage reads a page element by element: a body of empty ones would take many times
// its length in memory.
func parsePage(b []byte, from int64) ([]genesis.Stated, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	if err := delim(d, '{'); err != nil {
		return nil, err
	}
	var all []genesis.Stated
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		if key != "statements" || all != nil {
			var other json.RawMessage
			if err := d.Decode(&other); err != nil {
				return nil, err
			}
			continue
		}
		if all, err = parseStated(d, from); err != nil {
			return nil, err
		}
	}
	if err := delim(d, '}'); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("there is nothing where the log has entries")
	}
	return all, nil
}

func parseStated(d *json.Decoder, from int64) ([]genesis.Stated, error) {
	if err := delim(d, '['); err != nil {
		return nil, err
	}
	all := []genesis.Stated{}
	for d.More() {
		if len(all) == pageLimit {
			return nil, errors.New("it has more than was asked for")
		}
		var s genesis.Stated
		if err := d.Decode(&s); err != nil {
			return nil, err
		}
		switch {
		case s.Place != from+int64(len(all)):
			return nil, fmt.Errorf("place %d stands where %d should", s.Place, from+int64(len(all)))
		case len(s.Text) > maxStatement || len(s.Listing) > genesis.MaxListing:
			return nil, fmt.Errorf("what is at place %d is too long", s.Place)
		}
		all = append(all, s)
	}
	return all, delim(d, ']')
}

// delim reads a bracket.
func delim(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err == nil && t != want {
		err = fmt.Errorf("there is %v in place of %v", t, want)
	}
	return err
}

// tiles reads the tiles of one epoch of a log. It is of [tlog.TileReader]: what it reads
// is checked by who asks, and kept for a while once it was.
type tiles struct {
	ctx   context.Context
	get   fetcher
	dir   string // "/logs/public/1/"
	known map[tlog.Tile][]byte
}

func (l *log) tiles(ctx context.Context, epoch int) *tiles {
	return &tiles{ctx: ctx, get: l.get, dir: l.path(epoch), known: map[tlog.Tile][]byte{}}
}

// Height is of [tlog.TileReader].
func (t *tiles) Height() int { return 8 }

// ReadTiles is of [tlog.TileReader].
func (t *tiles) ReadTiles(all []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(all))
	for i, one := range all {
		if b, ok := t.known[one]; ok {
			data[i] = b
			continue
		}
		path := t.dir + tile.Path(one.L, one.N, one.W)
		b, err := t.get.get(t.ctx, path, tile.Width*tlog.HashSize)
		if err != nil {
			return nil, err
		}
		if len(b) != one.W*tlog.HashSize {
			return nil, wrong(path, fmt.Sprintf("the tile has %d bytes and not %d", len(b), one.W*tlog.HashSize), nil)
		}
		data[i] = b
	}
	return data, nil
}

// SaveTiles is of [tlog.TileReader].
func (t *tiles) SaveTiles(all []tlog.Tile, data [][]byte) {
	if len(t.known) > cachedTiles {
		clear(t.known)
	}
	for i, one := range all {
		t.known[one] = data[i]
	}
}
