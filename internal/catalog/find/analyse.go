package find

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
)

// What a document is found by is bounded, so that one that a stranger wrote does not
// swamp the index: what matters most comes first.
const (
	maxWords     = 20_000 // of one document
	maxText      = 1 << 20
	maxVariables = 10_000
	maxValues    = 64  // of a facet other than variables and units
	maxValue     = 200 // bytes
	maxInputs    = 1_000
	maxClasses   = 2_100
)

// level says where in a document a word stands, and so how much it counts.
type level uint8

const (
	inName level = iota
	inTitle
	inKeywords
	inColumn
	inUnit
	inText
	levels
)

// weights are what a whole word counts by its level; the beginning of one counts half.
var weights = [levels]int{16, 12, 10, 6, 4, 2}

// line is a part of what a document is found by.
type line struct {
	label string
	text  string
	level level
}

// eachLine calls act for the parts of a listing, what matters most first.
func eachLine(l *genesis.Listing, act func(line)) {
	put := func(label, text string, at level) {
		if text != "" {
			act(line{label, text, at})
		}
	}
	put("name", string(l.Name), inName)
	put("title", l.Title, inTitle)
	put("keywords", strings.Join(l.Keywords, ", "), inKeywords)
	put("field", l.Field, inKeywords)
	put("challenge", l.Challenge, inKeywords)
	put("description", l.Description, inText)
	put("institution", l.Institution, inText)
	put("creators", strings.Join(l.Creators, ", "), inText)
	put("tasks", strings.Join(l.Tasks, ", "), inText)
	put("formats", strings.Join(l.Formats, ", "), inText)
	table := ""
	for i, v := range l.Variables {
		if i == maxVariables {
			break
		}
		if v.Table != table {
			table = v.Table
			put("table", table, inColumn)
		}
		put("column", v.Name, inColumn)
		put("unit of "+v.Name, v.Unit, inUnit)
		put("meaning of "+v.Name, v.Semantic, inText)
	}
}

// eachTerm calls act for the words of a listing as far as there is room. Words
// whose seq is set follow each other in the text; one without a term is the end of
// a line.
func eachTerm(l *genesis.Listing, act func(term string, at level, seq bool)) {
	words, bytes := 0, 0
	eachLine(l, func(line line) {
		if words >= maxWords || bytes+len(line.text) > maxText {
			return // something shorter may still fit
		}
		bytes += len(line.text)
		eachToken(line.text, func(t token) {
			if words++; words <= maxWords {
				act(t.term, line.level, !t.whole)
			}
		})
		if line.level == inUnit {
			if term := listedUnit(line.text); term != "" {
				act(term, line.level, false)
			}
		}
		act("", line.level, true)
	})
}

// values returns the values of a facet that a listing has, without the variables.
func values(l *genesis.Listing, f Facet) []string {
	switch f {
	case Node:
		return []string{string(l.Node)}
	case Institution:
		return []string{l.Institution}
	case Field:
		return []string{l.Field}
	case Kind:
		return []string{string(l.Kind)}
	case Tier:
		return []string{string(l.Tier)}
	case License:
		return []string{l.License}
	case Readiness:
		return []string{Band(l.Ready)}
	case Challenge:
		return []string{l.Challenge}
	case Format:
		return l.Formats
	case Task:
		return l.Tasks
	}
	return nil
}

// eachValue calls act for the values of a facet that a document has; some may come
// more than once.
func eachValue(l *genesis.Listing, f Facet, act func(string)) {
	if f == Variable || f == Unit {
		for i, v := range l.Variables {
			if i == maxVariables {
				return
			}
			if f == Unit {
				act(cutValue(v.Unit))
			} else {
				act(foldValue(v.Name))
			}
		}
		return
	}
	for i, v := range values(l, f) {
		if i < maxValues {
			act(cutValue(v))
		}
	}
}

// foldValue is by what variables of one name are known to be.
func foldValue(s string) string { return cutValue(fold(s)) }

func cutValue(s string) string {
	if len(s) <= maxValue && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == utf8.RuneError }) {
		return strings.TrimSpace(s)
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if s = strings.TrimSpace(s); len(s) <= maxValue {
		return s
	}
	end := maxValue
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// Band says in a word how many of the readiness checks passed: "ready" is all of
// them, "nearly" four of five, "partly" half of them; "" where none were made.
func Band(r *genesis.Ready) string {
	if r == nil || r.Passed < 0 || r.Failed < 0 || r.Passed == 0 && r.Failed == 0 {
		return ""
	}
	switch passed, failed := float64(r.Passed), float64(r.Failed); {
	case failed == 0:
		return "ready"
	case passed >= 4*failed:
		return "nearly"
	case passed >= failed:
		return "partly"
	}
	return "hardly"
}

// maxQuality is the most that quality returns: less than the least word counts.
const maxQuality = 15

// quality says how well a version is described. It puts in order what matches
// alike, and depends on the listing alone.
func quality(l *genesis.Listing) int {
	q := 0
	for _, has := range []bool{l.Title != "", len(l.Description) >= 80, len(l.Keywords) > 0, l.License != "", l.Institution != "", len(l.Tasks) > 0} {
		if has {
			q++
		}
	}
	with := 0
	for _, v := range l.Variables {
		if v.Unit != "" || v.Semantic != "" {
			with++
		}
	}
	if n := len(l.Variables); n > 0 {
		q += 3 * with / n
	}
	if r := l.Ready; Band(r) != "" {
		q += int(6 * float64(r.Passed) / (float64(r.Passed) + float64(r.Failed)))
	}
	return min(q, maxQuality)
}

// inputKey is the key of the asset that a model's input names: without a node it is
// one of the model's own.
func inputKey(l *genesis.Listing, ref string) (string, bool) {
	r, err := genesis.ParseRef(ref)
	if err != nil {
		return "", false
	}
	if r.Node == "" {
		r.Node = l.Node
	}
	return keyOf(r.Node, r.Name), true
}

// keyOf is what an asset is known by. Keys are in the order of nodes and names.
func keyOf(node genesis.NodeID, name genesis.Name) string {
	return string(node) + "\x00" + string(name)
}

func splitKey(key string) (genesis.NodeID, genesis.Name) {
	node, name, _ := strings.Cut(key, "\x00")
	return genesis.NodeID(node), genesis.Name(name)
}

// rawDigest is a digest as its 32 bytes.
type rawDigest [32]byte

func parseDigest(d genesis.Digest) (rawDigest, error) {
	var raw rawDigest
	if _, err := genesis.ParseDigest(string(d)); err != nil {
		return raw, err
	}
	_, err := hex.Decode(raw[:], []byte(string(d)[len(d)-64:]))
	return raw, err
}

func (d rawDigest) String() string { return "sha256:" + hex.EncodeToString(d[:]) }

// Check reports why a document cannot be in an index, or nil. Errors: Invalid.
func (d *Document) Check() error {
	if err := d.check(); err != nil {
		return err
	}
	_, err := d.text()
	return err
}

// text is the listing as it is kept.
func (d *Document) text() ([]byte, error) {
	text, err := json.Marshal(d.Listing)
	if err != nil || len(text) > maxListing {
		return nil, &genesis.Error{Op: "index listing", Kind: genesis.Invalid, Subject: string(d.Node) + "/" + string(d.Name), Msg: "is too large or cannot be written as JSON", Err: err}
	}
	return text, nil
}

// check reports why a document cannot be indexed.
func (d *Document) check() error {
	bad := func(msg string) error {
		return &genesis.Error{Op: "index listing", Kind: genesis.Invalid, Subject: string(d.Node) + "/" + string(d.Name), Msg: msg,
			Hint: "listings of peers are checked before they are indexed"}
	}
	if err := genesis.CheckName(genesis.Name(d.Node)); err != nil || strings.HasPrefix(string(d.Node), "~") {
		return bad("has a malformed node id")
	}
	if err := genesis.CheckName(d.Name); err != nil {
		return bad("has a malformed name")
	}
	if _, err := parseDigest(d.Version); err != nil {
		return bad("has a version that is no digest")
	}
	if len(d.Classes) > maxClasses {
		return bad(fmt.Sprintf("is in %d classes, and at most %d are possible", len(d.Classes), maxClasses))
	}
	for _, c := range d.Classes {
		if c == genesis.ClassNone || len(c) > maxValue || strings.ContainsFunc(string(c), func(r rune) bool { return r < ' ' }) {
			return bad("is in a class without a proper name")
		}
	}
	return nil
}

// seconds is a time in a column; none is the time zero.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return noTime
	}
	return t.Unix()
}

const noTime = -1 << 63

// period is when what a listing is about happened; an end that is open lies beyond all times.
func period(l *genesis.Listing) (start, end int64) {
	start, end = seconds(l.Start), seconds(l.End)
	switch {
	case start == noTime && end != noTime:
		start++
	case end == noTime && start != noTime:
		end = math.MaxInt64
	}
	return start, end
}
