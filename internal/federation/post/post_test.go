package post

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/jws"
	"github.com/opengenesis/genesis/internal/store"
)

// charter is one that tests change.
type charter struct {
	mu      sync.Mutex
	members map[genesis.NodeID]genesis.Member
}

func (c *charter) Member(id genesis.NodeID) (genesis.Member, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.members[id]
	return m, ok
}

func (c *charter) put(m genesis.Member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members[m.ID] = m
}

func (c *charter) remove(id genesis.NodeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.members, id)
}

// end is one node of a world, whose messages say what they are: "n", or "refuse n".
type end struct {
	*Post
	w    *world
	dir  string
	db   *store.DB
	key  ed25519.PrivateKey
	now  func() time.Time
	lost []string // what was given up, with why
}

// world is two nodes and the line between them, which tests cut.
type world struct {
	t       *testing.T
	charter *charter
	mu      sync.Mutex
	ends    map[genesis.NodeID]*end
	fault   func(text []byte) (before, after error) // of the line: before it arrives, after it was taken
}

var begin = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	w := &world{t: t, charter: &charter{members: map[genesis.NodeID]genesis.Member{}}, ends: map[genesis.NodeID]*end{}}
	for _, id := range []genesis.NodeID{"mit", "nrel"} {
		_, key, _ := ed25519.GenerateKey(nil)
		w.ends[id] = &end{w: w, dir: t.TempDir(), key: key, now: func() time.Time { return begin }}
		w.charter.put(member(id, key))
		w.open(id)
	}
	return w
}

func member(id genesis.NodeID, keys ...ed25519.PrivateKey) genesis.Member {
	m := genesis.Member{ID: id, Institution: "Institution " + string(id), Sector: genesis.University}
	for _, k := range keys {
		public := k.Public().(ed25519.PublicKey)
		m.Keys = append(m.Keys, genesis.NodeKey{ID: genesis.KeyID(public), Use: genesis.KeyMessage, Public: public, From: begin.Add(-time.Hour)})
	}
	return m
}

// open starts a node over what it has on disk.
func (w *world) open(id genesis.NodeID) {
	w.t.Helper()
	e := w.ends[id]
	var err error
	if e.db, err = store.Open(w.t.Context(), filepath.Join(e.dir, "db")); err != nil {
		w.t.Fatal(err)
	}
	act := func(ctx context.Context, tx *sql.Tx, m Message) error {
		var what string
		if err := json.Unmarshal(m.Body, &what); err != nil {
			return bad("no text")
		}
		if strings.HasPrefix(what, "later") {
			return &genesis.Error{Op: "ask", Kind: genesis.Unavailable, Subject: what, Msg: "not now"}
		}
		if strings.HasPrefix(what, "refuse") {
			return &genesis.Error{Op: "ask", Kind: genesis.Permission, Subject: what, Msg: "not for you"}
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO post_in (peer, id, kind, about, digest, received) VALUES ('acts', $1, '', $2, '', 0)", m.ID, what)
		return err
	}
	e.Post = New(Config{DB: e.db, Node: id, Charter: w.charter, Now: func() time.Time { return e.now() }, Pauses: Pauses{time.Millisecond, 5 * time.Millisecond},
		Key:    func() (ed25519.PrivateKey, error) { return e.key, nil },
		Handle: map[string]Handler{"note": act},
		Undelivered: func(_ context.Context, _ *sql.Tx, m Message, why error) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			e.lost = append(e.lost, string(m.Body)+": "+why.Error())
			return nil
		},
		Send: w.carry})
	w.t.Cleanup(func() { e.Close(); e.db.Close() })
}

// carry is the line.
func (w *world) carry(ctx context.Context, to genesis.Member, text []byte) ([]byte, error) {
	w.mu.Lock()
	e, fault := w.ends[to.ID], w.fault
	w.mu.Unlock()
	var before, after error
	if fault != nil {
		before, after = fault(text)
	}
	if before != nil {
		return nil, before
	}
	receipt, err := e.Receive(ctx, text)
	if after != nil {
		return nil, after
	}
	return receipt, err
}

func (w *world) breaks(f func([]byte) (error, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

// put puts a message of mit's for nrel.
func (w *world) put(what string) {
	w.t.Helper()
	e := w.ends["mit"]
	err := e.db.Tx(w.t.Context(), func(tx *sql.Tx) error {
		_, err := e.Put(w.t.Context(), tx, "nrel", "note", what, what)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	e.Wake()
}

// acted are what nrel acted upon, in order.
func (w *world) acted() []string {
	w.t.Helper()
	rows, err := w.ends["nrel"].db.Read().QueryContext(w.t.Context(), "SELECT about FROM post_in WHERE peer = 'acts' ORDER BY rowid")
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		rows.Scan(&s)
		all = append(all, s)
	}
	return all
}

// settle waits until nothing waits at mit.
func (w *world) settle() {
	w.t.Helper()
	for range 2000 {
		s, err := w.ends["mit"].Status(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if len(s) == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.t.Fatal("messages still wait")
}

var errDown = &genesis.Error{Op: "reach node", Kind: genesis.Unavailable, Msg: "nobody listens there", Err: ErrAway}

// TestMessagesArriveOnceInOrder: over a line that loses messages and receipts, and with
// either side stopping at any time, each is acted upon once, in the order of the acts.
func TestMessagesArriveOnceInOrder(t *testing.T) {
	w := newWorld(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	var mu sync.Mutex
	w.breaks(func([]byte) (error, error) {
		mu.Lock()
		defer mu.Unlock()
		switch r.IntN(4) {
		case 0:
			return errDown, nil
		case 1:
			return nil, errDown
		}
		return nil, nil
	})
	w.ends["mit"].Start(t.Context())
	var want []string
	for k := range 60 {
		what := fmt.Sprint(k)
		want = append(want, what)
		w.put(what)
		if k%20 == 7 { // stops, and begins anew with what is on disk
			e := w.ends["mit"]
			e.Close()
			e.db.Close()
			w.open("mit")
			w.ends["mit"].Start(t.Context())
		}
	}
	w.settle()
	if got := w.acted(); !slices.Equal(got, want) {
		t.Errorf("acted upon %v", got)
	}
}

// TestRefusedMessagesDoNotHoldUpOthers: what is refused for good is told and not sent
// again; what is behind it arrives.
func TestRefusedMessagesDoNotHoldUpOthers(t *testing.T) {
	w := newWorld(t)
	w.put("1")
	w.put("refuse 2")
	w.put("3")
	w.ends["mit"].Start(t.Context())
	w.settle()
	if got := w.acted(); !slices.Equal(got, []string{"1", "3"}) {
		t.Errorf("acted upon %v", got)
	}
	if e := w.ends["mit"]; len(e.lost) != 1 || !strings.Contains(e.lost[0], "not for you") {
		t.Errorf("given up: %v", e.lost)
	}
	for _, of := range []struct {
		node genesis.NodeID
		act  string
		want int
	}{{"mit", "send-message", 3}, {"nrel", "take-message", 3}} {
		if n := w.events(of.node, of.act); n != of.want {
			t.Errorf("%s has %d events %s, want %d", of.node, n, of.act, of.want)
		}
	}
}

// TestWhatWaitsHoldsUpItsOwnMatter: a message that cannot be taken now holds up those about
// the same, and no others.
func TestWhatWaitsHoldsUpItsOwnMatter(t *testing.T) {
	w := newWorld(t)
	e := w.ends["mit"]
	for _, m := range []struct{ about, what string }{{"a", "1"}, {"b", "later 2"}, {"b", "3"}, {"c", "4"}} {
		err := e.db.Tx(t.Context(), func(tx *sql.Tx) error {
			_, err := e.Put(t.Context(), tx, "nrel", "note", m.about, m.what)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	e.Start(t.Context())
	for range 200 {
		if len(w.acted()) >= 2 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // in which 3 must not pass 2
	if got := w.acted(); !slices.Equal(got, []string{"1", "4"}) {
		t.Errorf("acted upon %v", got)
	}
	if s, err := e.Status(t.Context()); err != nil || len(s) != 1 || s[0].Waiting != 2 || !strings.Contains(s[0].Why, "not now") {
		t.Errorf("status %+v, %v", s, err)
	}
}

// TestRefusalsDoNotFillTheLog: a member whose messages are all refused has so many of them
// in the log, and waits with the others.
func TestRefusalsDoNotFillTheLog(t *testing.T) {
	w := newWorld(t)
	e := w.ends["nrel"]
	var last error
	for k := range refusalsAtOnce + 100 {
		if _, last = e.Receive(t.Context(), w.written("mit", fmt.Sprint(k), "refuse")); last == nil {
			t.Fatal("taken")
		}
	}
	if n := w.events("nrel", "take-message"); n != refusalsAtOnce || genesis.KindOf(last) != genesis.Unavailable {
		t.Errorf("%d events, then %v", n, last)
	}
}

// TestMessagesDoNotFillTheDisk: a member has its messages taken as fast as an honest one
// has any, and beyond that it comes again; others do not wait for it.
func TestMessagesDoNotFillTheDisk(t *testing.T) {
	w := newWorld(t)
	e, now, changed := w.ends["nrel"], begin, 0
	_, key, _ := ed25519.GenerateKey(nil)
	w.ends["acme"] = &end{key: key}
	w.charter.put(member("acme", key))
	e.now = func() time.Time { return now }
	e.Changed = func(kind string) {
		if changed++; kind != "note" {
			t.Errorf("changed by %q", kind)
		}
	}
	take := func(from genesis.NodeID, id, what string) error {
		_, err := e.Receive(t.Context(), w.written(from, id, what))
		return err
	}
	if err := take("mit", "first", "a"); err != nil {
		t.Fatal(err)
	}
	e.room(e.taking, "mit", takesEach, takesAtOnce)
	if got := e.taking["mit"].Burst(); got < mostWaiting {
		t.Errorf("what may wait for a peer is %d, and %d are taken at once", mostWaiting, got)
	}
	e.taking["mit"].AllowN(now, takesAtOnce-2) // as that many messages would
	before := w.events("nrel", "take-message")
	for i, what := range []string{"a", "refuse"} {
		if err := take("mit", fmt.Sprint("more", i), what); genesis.KindOf(err) != genesis.Unavailable || !strings.Contains(err.Error(), "too many messages") {
			t.Errorf("one more: %v", err)
		}
	}
	if n := w.events("nrel", "take-message"); n != before || changed != 1 {
		t.Errorf("%d events of what was not looked at, %d changes", n-before, changed)
	}
	if err := take("acme", "theirs", "a"); err != nil {
		t.Errorf("another member's: %v", err)
	}
	now = now.Add(takesEach)
	if err := take("mit", "more0", "a"); err != nil {
		t.Errorf("the same, come again: %v", err)
	}
}

// written is a note of a node to nrel, as it travels.
func (w *world) written(from genesis.NodeID, id, what string) []byte {
	w.t.Helper()
	body, err := json.Marshal(what)
	if err != nil {
		w.t.Fatal(err)
	}
	payload, err := genesis.CanonicalJSON(Message{Format: Format, ID: id, From: from, To: "nrel", Kind: "note", About: "x", At: begin, Body: body})
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := jws.Sign(typeMessage, w.ends[from].key, payload)
	if err != nil {
		w.t.Fatal(err)
	}
	return []byte(text)
}

// events counts those of an act that wait for a node's journal.
func (w *world) events(node genesis.NodeID, act string) (n int) {
	w.t.Helper()
	err := w.ends[node].db.Read().QueryRowContext(w.t.Context(), `SELECT count(*) FROM outbox WHERE CAST(event AS TEXT) LIKE '%"act":"' || $1 || '"%'`, act).Scan(&n)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// TestPatience: a peer that is away for a month is given up on, and that is told.
func TestPatience(t *testing.T) {
	w := newWorld(t)
	w.breaks(func([]byte) (error, error) { return errDown, nil })
	w.put("1")
	e := w.ends["mit"]
	e.Start(t.Context())
	time.Sleep(30 * time.Millisecond)
	if s, err := e.Status(t.Context()); err != nil || len(s) != 1 || s[0].Waiting != 1 || s[0].Failing.IsZero() || !strings.Contains(s[0].Why, "nobody listens") {
		t.Errorf("status %+v, %v", s, err)
	}
	e.Close()
	e.now = func() time.Time { return begin.Add(lasts + time.Minute) }
	e.Start(t.Context())
	w.settle()
	if len(e.lost) != 1 || len(w.acted()) != 0 {
		t.Errorf("given up: %v", e.lost)
	}
}

// TestKeysChangeWhileMessagesWait: they are signed when they are sent. A peer that does
// not know the new key yet is asked again.
func TestKeysChangeWhileMessagesWait(t *testing.T) {
	w := newWorld(t)
	w.put("1")
	_, key, _ := ed25519.GenerateKey(nil)
	e := w.ends["mit"]
	e.key = key
	e.Start(t.Context())
	time.Sleep(30 * time.Millisecond)
	if got := w.acted(); len(got) != 0 {
		t.Fatalf("acted upon %v, signed with a key that is not known", got)
	}
	w.charter.put(member("mit", key))
	w.settle()
	if got := w.acted(); len(got) != 1 || len(e.lost) != 0 {
		t.Errorf("acted upon %v, given up %v", got, e.lost)
	}
}

// signedBy is a message signed with a key.
func signedBy(t testing.TB, key ed25519.PrivateKey, typ string, change func(*Message)) []byte {
	t.Helper()
	m := Message{Format: Format, ID: "one", From: "mit", To: "nrel", Kind: "note", At: begin, Body: json.RawMessage(`"x"`)}
	if change != nil {
		change(&m)
	}
	payload, err := genesis.CanonicalJSON(m)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.Sign(typ, key, payload)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(text)
}

// TestLies: nothing follows from a message that is not a member's, is for somebody else,
// of another time, or was changed on the way; and the refusal says which.
func TestLies(t *testing.T) {
	w := newWorld(t)
	nrel, key := w.ends["nrel"], w.ends["mit"].key
	_, strange, _ := ed25519.GenerateKey(nil)
	good := signedBy(t, key, typeMessage, nil)
	changed := slices.Clone(good)
	dot := strings.IndexByte(string(good), '.')
	changed[dot+20] ^= 1
	if _, err := nrel.Receive(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		text []byte
		kind genesis.ErrorKind
		says string
	}{
		{"no signature", []byte(`{"format":1}`), genesis.Invalid, "not a JWS"},
		{"too long", slices.Repeat([]byte("a"), MaxBytes+1), genesis.Invalid, "longer"},
		{"changed", changed, "", ""},
		{"a stranger's key", signedBy(t, strange, typeMessage, nil), genesis.Unavailable, "is not a key"},
		{"a receipt", signedBy(t, key, typeReceipt, nil), genesis.Invalid, "header"},
		{"for somebody else", signedBy(t, key, typeMessage, func(m *Message) { m.To = "ornl" }), genesis.Invalid, "is for"},
		{"of a stranger", signedBy(t, key, typeMessage, func(m *Message) { m.From = "evil" }), genesis.Unavailable, "no other member"},
		{"of oneself", signedBy(t, nrel.key, typeMessage, func(m *Message) { m.From = "nrel" }), genesis.Unavailable, "no other member"},
		{"of tomorrow's tomorrow", signedBy(t, key, typeMessage, func(m *Message) { m.At = begin.Add(48 * time.Hour) }), genesis.Invalid, "clocks"},
		{"of long ago", signedBy(t, key, typeMessage, func(m *Message) { m.At = begin.Add(-oldest - time.Hour) }), genesis.Invalid, "too long ago"},
		{"of another kind", signedBy(t, key, typeMessage, func(m *Message) { m.ID, m.Kind = "two", "dance" }), genesis.Unsupported, "of that kind"},
		{"newer", signedBy(t, key, typeMessage, func(m *Message) { m.Format = 2 }), genesis.Unsupported, "format 2"},
		{"another of the same id", signedBy(t, key, typeMessage, func(m *Message) { m.Body = json.RawMessage(`"y"`) }), genesis.Conflict, "had this id"},
	} {
		_, err := nrel.Receive(t.Context(), tt.text)
		if err == nil || tt.kind != "" && genesis.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if got := w.acted(); len(got) != 1 {
		t.Errorf("acted upon %v", got)
	}
	// A clock that is a day ahead or behind is borne.
	for k, skew := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
		if _, err := nrel.Receive(t.Context(), signedBy(t, key, typeMessage, func(m *Message) { m.ID, m.At = fmt.Sprint("skew", k), begin.Add(skew) })); err != nil {
			t.Error(err)
		}
	}
	// One that is expelled is not listened to any more.
	w.charter.remove("mit")
	if _, err := nrel.Receive(t.Context(), signedBy(t, key, typeMessage, func(m *Message) { m.ID = "late" })); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("who was expelled: %v", err)
	}
}

// TestFalseReceipts: a receipt of somebody else, or of another message, is none.
func TestFalseReceipts(t *testing.T) {
	w := newWorld(t)
	e := w.ends["mit"]
	digest := genesis.DigestOf([]byte("payload"))
	m := Message{Format: Format, ID: "one", From: "mit", To: "nrel"}
	receipt := func(key ed25519.PrivateKey, r Receipt) []byte {
		payload, err := genesis.CanonicalJSON(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := jws.Sign(typeReceipt, key, payload)
		if err != nil {
			t.Fatal(err)
		}
		return []byte(text)
	}
	nrel, _ := w.charter.Member("nrel")
	right := Receipt{Format: Format, ID: "one", From: "mit", To: "nrel", Digest: digest, At: begin}
	if err := e.checkReceipt(nrel, m, digest, receipt(w.ends["nrel"].key, right)); err != nil {
		t.Error(err)
	}
	other, wrong, unread := right, right, right
	unread.Format = 7
	other.ID, wrong.Digest = "two", genesis.DigestOf(nil)
	for name, text := range map[string][]byte{"mine": receipt(e.key, right), "of another": receipt(w.ends["nrel"].key, other), "of another text": receipt(w.ends["nrel"].key, wrong), "of another format": receipt(w.ends["nrel"].key, unread), "none": nil} {
		if err := e.checkReceipt(nrel, m, digest, text); genesis.KindOf(err) != genesis.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFalseReceiptsEndNothing: a message is sent until its receipt comes, whatever else is
// answered.
func TestFalseReceiptsEndNothing(t *testing.T) {
	w := newWorld(t)
	e := w.ends["mit"]
	var sent [][]byte
	e.Send = func(ctx context.Context, to genesis.Member, text []byte) ([]byte, error) {
		receipt, err := w.carry(ctx, to, text)
		if sent = append(sent, text); err == nil && len(sent) < 5 {
			receipt[len(receipt)-20] ^= 1
		}
		return receipt, err
	}
	e.Start(t.Context())
	w.put("one")
	w.settle()
	if e.Close(); len(sent) != 5 {
		t.Errorf("it was sent %d times, and the fifth answer was a receipt", len(sent))
	}
	if got := w.acted(); !slices.Equal(got, []string{"one"}) {
		t.Errorf("acted upon %v", got)
	}
}

// TestActAndMessageAreOne: of an act that is undone no message goes out.
func TestActAndMessageAreOne(t *testing.T) {
	w := newWorld(t)
	e := w.ends["mit"]
	undone := errors.New("undone")
	err := e.db.Tx(t.Context(), func(tx *sql.Tx) error {
		if _, err := e.Put(t.Context(), tx, "nrel", "note", "", "1"); err != nil {
			return err
		}
		return undone
	})
	if !errors.Is(err, undone) {
		t.Fatal(err)
	}
	e.Start(t.Context())
	w.settle()
	if got := w.acted(); len(got) != 0 {
		t.Errorf("acted upon %v", got)
	}
	err = e.db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := e.Put(t.Context(), tx, "nrel", "note", "", strings.Repeat("x", MaxBytes))
		return err
	})
	if genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("what is too long: %v", err)
	}
}

// FuzzReceive: whatever arrives is refused with an error of the sender's making, or is
// a message.
func FuzzReceive(f *testing.F) {
	_, key, _ := ed25519.GenerateKey(nil)
	f.Add(signedBy(f, key, typeMessage, nil))
	f.Add([]byte("e30.e30.e30"))
	f.Add([]byte(`{"payload":"e30","signatures":[{}]}`))
	c := &charter{members: map[genesis.NodeID]genesis.Member{"mit": member("mit", key)}}
	p := New(Config{Node: "nrel", Charter: c, Now: func() time.Time { return begin }})
	f.Fuzz(func(t *testing.T, text []byte) {
		m, _, err := p.read(text)
		switch genesis.KindOf(err) {
		case "":
			if m.From != "mit" || m.To != "nrel" {
				t.Errorf("took %+v", m)
			}
		case genesis.Invalid, genesis.Unsupported, genesis.Unavailable, genesis.Permission:
		default:
			t.Errorf("%v", err)
		}
	})
}

// FuzzReceipt: whatever a member answers to a message, it is refused, or is its receipt.
func FuzzReceipt(f *testing.F) {
	_, key, _ := ed25519.GenerateKey(nil)
	digest := genesis.DigestOf([]byte("payload"))
	right := Receipt{Format: Format, ID: "one", From: "mit", To: "nrel", Digest: digest, At: begin}
	other := right
	other.ID = "two"
	var signed string
	for i, r := range []Receipt{right, other} {
		payload, err := genesis.CanonicalJSON(r)
		if err != nil {
			f.Fatal(err)
		}
		text, err := jws.Sign(typeReceipt, key, payload)
		if err != nil {
			f.Fatal(err)
		}
		if f.Add([]byte(text)); i == 0 {
			signed = text
		}
	}
	f.Add([]byte("e30.e30.e30"))
	nrel := member("nrel", key)
	p := New(Config{Node: "mit", Now: func() time.Time { return begin }})
	f.Fuzz(func(t *testing.T, text []byte) {
		err := p.checkReceipt(nrel, Message{Format: Format, ID: "one", From: "mit", To: "nrel"}, digest, text)
		if k := genesis.KindOf(err); k != "" && k != genesis.Unavailable {
			t.Errorf("%v", err)
		}
		if (err == nil) != (string(text) == signed) { // nobody else signs, and a text is written in one way
			t.Errorf("%q: %v", text, err)
		}
	})
}
