package catalog

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/zeebo/xxh3"
)

// The postings of a term say which versions have it. Those of span versions whose
// keys follow each other share a row, a chunk: its body is a checksum and then, in
// order, for each version that has the term its place in the chunk and the term's
// weight, in 16 bits. So a common term of 200,000 versions is 200 short rows, and a
// version touches one row per term of its own.
const (
	span       = 1024
	weightBits = 4 // a weight is at most 15
	sumLen     = 8
)

// posting is one version in a chunk: its place, and how much the term counts there.
type posting struct {
	place  uint16
	weight uint8
}

// chunkSum is the checksum of a chunk over all that its row holds.
func chunkSum(term string, chunk int64, entries []byte) uint64 {
	h := xxh3.New()
	h.WriteString(term)
	h.Write(binary.LittleEndian.AppendUint64([]byte{0}, uint64(chunk)))
	h.Write(entries)
	return h.Sum64()
}

func encodeChunk(term string, chunk int64, postings []posting) []byte {
	b := make([]byte, sumLen, sumLen+2*len(postings))
	for _, p := range postings {
		b = binary.LittleEndian.AppendUint16(b, p.place<<weightBits|uint16(p.weight))
	}
	binary.LittleEndian.PutUint64(b, chunkSum(term, chunk, b[sumLen:]))
	return b
}

// eachPosting calls act for the postings of a chunk, in order of their places.
// Errors: Internal (the row is damaged).
func eachPosting(term string, chunk int64, body []byte, act func(posting)) error {
	if len(body) < sumLen || len(body)%2 != 0 || binary.LittleEndian.Uint64(body) != chunkSum(term, chunk, body[sumLen:]) {
		return &genesis.Error{Op: "read search index", Kind: genesis.Internal, Subject: fmt.Sprintf("chunk %d of a term", chunk),
			Msg: "is damaged: it no longer matches its sum", Hint: "the index follows from the catalogue and can be built again"}
	}
	for b := body[sumLen:]; len(b) > 0; b = b[2:] {
		v := binary.LittleEndian.Uint16(b)
		act(posting{v >> weightBits, uint8(v & (1<<weightBits - 1))})
	}
	return nil
}

// repost changes the postings of a version from those of the terms it had to those
// of the terms it has.
func (w writer) repost(version int64, had, has map[string]int) error {
	chunk, place := version/span, uint16(version%span)
	for _, term := range slices.Sorted(maps.Keys(had)) {
		if _, ok := has[term]; ok {
			continue
		}
		if err := w.post(term, chunk, []posting{{place, 0}}); err != nil {
			return err
		}
	}
	for _, term := range slices.Sorted(maps.Keys(has)) {
		if had[term] == has[term] {
			continue
		}
		if err := w.post(term, chunk, []posting{{place, uint8(has[term])}}); err != nil {
			return err
		}
	}
	return nil
}

// post puts postings into a chunk, in order of their places, each in place of what
// its version has there; weight 0 removes.
func (w writer) post(term string, chunk int64, add []posting) error {
	var body []byte
	err := w.tx.QueryRowContext(w.ctx, "SELECT body FROM search_postings WHERE term = $1 AND chunk = $2", term, chunk).Scan(&body)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	var old []posting
	if err == nil {
		if err := eachPosting(term, chunk, body, func(p posting) { old = append(old, p) }); err != nil {
			return err
		}
	}
	all := merge(old, add)
	if len(all) == 0 {
		return w.exec("DELETE FROM search_postings WHERE term = $1 AND chunk = $2", term, chunk)
	}
	return w.exec(`INSERT INTO search_postings (term, chunk, body) VALUES ($1, $2, $3)
		ON CONFLICT (term, chunk) DO UPDATE SET body = $3`, term, chunk, encodeChunk(term, chunk, all))
}

// merge returns old with add put in; both are in order of their places.
func merge(old, add []posting) []posting {
	all := make([]posting, 0, len(old)+len(add))
	for _, p := range add {
		for len(old) > 0 && old[0].place < p.place {
			all, old = append(all, old[0]), old[1:]
		}
		if len(old) > 0 && old[0].place == p.place {
			old = old[1:]
		}
		if p.weight > 0 {
			all = append(all, p)
		}
	}
	return append(all, old...)
}

// tally holds how well versions match, by chunk and place; 0 is not at all.
type tally map[int64]*[span]uint16

// matches returns the versions that have a term which begins with word, each with
// the highest weight of such a term; the whole word counts double. Words of fewer
// than three bytes match whole words alone: too many begin with them. No term holds
// U+10FFFF, so that what begins with word lies before word and that.
func matches(ctx context.Context, q queryer, word string) (tally, error) {
	end := word + "\U0010FFFF"
	if len(word) < 3 {
		end = word + "\x00"
	}
	rows, err := q.QueryContext(ctx, "SELECT term, chunk, body FROM search_postings WHERE term >= $1 AND term < $2", word, end)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := tally{}
	for rows.Next() {
		var term string
		var chunk int64
		var body sql.RawBytes
		if err := rows.Scan(&term, &chunk, &body); err != nil {
			return nil, err
		}
		factor := uint16(1)
		if term == word {
			factor = 2
		}
		if err := found.add(term, chunk, body, factor); err != nil {
			return nil, err
		}
	}
	return found, rows.Err()
}

// add takes over the postings of a chunk, where they count more than what is there.
func (t tally) add(term string, chunk int64, body []byte, factor uint16) error {
	scores := t[chunk]
	if scores == nil {
		scores = new([span]uint16)
		t[chunk] = scores
	}
	return eachPosting(term, chunk, body, func(p posting) {
		if place := p.place % span; scores[place] < factor*uint16(p.weight) {
			scores[place] = factor * uint16(p.weight)
		}
	})
}

// and adds the scores of other to those of t, and drops what either lacks.
func (t tally) and(other tally) {
	for chunk, scores := range t {
		more := other[chunk]
		if more == nil {
			delete(t, chunk)
			continue
		}
		left := false
		for i := range scores {
			if scores[i] == 0 || more[i] == 0 {
				scores[i] = 0
				continue
			}
			scores[i] += more[i]
			left = true
		}
		if !left {
			delete(t, chunk)
		}
	}
}

// best returns the versions by their scores, highest first; those of one score in
// the order in which they were added.
func (t tally) best() []scored {
	byScore := map[uint16][]int64{}
	for _, chunk := range slices.Sorted(maps.Keys(t)) {
		for place, score := range t[chunk] {
			if score > 0 {
				byScore[score] = append(byScore[score], chunk*span+int64(place))
			}
		}
	}
	var all []scored
	for _, score := range slices.Backward(slices.Sorted(maps.Keys(byScore))) {
		all = append(all, scored{score, byScore[score]})
	}
	return all
}

// scored are the versions of one score.
type scored struct {
	score    uint16
	versions []int64
}

// checkIndex looks for chunks of the search index that are damaged, and texts.
func checkIndex(ctx context.Context, q queryer) ([]genesis.Damage, error) {
	found, err := eachRow(ctx, q, "SELECT term, chunk, body FROM search_postings", func(rows *sql.Rows) (string, error) {
		var term string
		var chunk int64
		var body sql.RawBytes
		if err := rows.Scan(&term, &chunk, &body); err != nil {
			return "", err
		}
		if eachPosting(term, chunk, body, func(posting) {}) == nil {
			return "", nil
		}
		return fmt.Sprintf("search index: chunk %d of term %q no longer matches its sum", chunk, term), nil
	})
	if err != nil {
		return found, err
	}
	texts, err := eachRow(ctx, q, "SELECT version_id, body, sum FROM search_texts", func(rows *sql.Rows) (string, error) {
		var id int64
		var text, sum string
		err := rows.Scan(&id, &text, &sum)
		if err != nil || textSum(id, text) == sum {
			return "", err
		}
		return fmt.Sprintf("search index: the text of version row %d no longer matches its sum", id), nil
	})
	return append(found, texts...), err
}
