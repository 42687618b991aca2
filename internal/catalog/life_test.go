package catalog

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
)

func TestPublishAsksForAnswers(t *testing.T) {
	h := open(t)
	in := commitOf("patients", dataset("a"))
	in.Records = map[genesis.RecordKind]any{genesis.RecordFindings: []genesis.Finding{
		{ID: "note", Severity: genesis.Note}, {ID: "person:name", Severity: genesis.Ask}, {ID: "said", Severity: genesis.Ask, Answer: "yes"}}}
	v := h.mustCommit(t, in)
	_, err := h.Publish(t.Context(), v, "local")
	e := new(genesis.Error)
	if !errors.As(err, &e) || e.Kind != genesis.Conflict || !strings.Contains(e.Msg, "1 of its findings wait for an answer: person:name") ||
		!strings.Contains(e.Hint, "genesis answer patients person:name") {
		t.Fatalf("a draft with a question is published: %v, hint %q", err, e.Hint)
	}
	published, err := h.inTx(t.Context(), func(tx *sql.Tx) (genesis.Version, error) {
		return h.PublishTx(t.Context(), tx, v, PublishOptions{By: "local", Force: true})
	})
	if err != nil || published.Number != 1 || published.State != genesis.Published {
		t.Errorf("forced: %+v, %v", published, err)
	}
	var event string
	err = h.db.Read().QueryRow("SELECT event FROM outbox ORDER BY place DESC LIMIT 1").Scan(&event)
	if err != nil || !strings.Contains(event, `"unanswered":["person:name"]`) {
		t.Errorf("the journal says %s, %v", event, err)
	}
}

func TestTransactionIsTheCallers(t *testing.T) {
	h := open(t)
	s, err := h.Stage(t.Context(), commitOf("x", dataset("a")))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	refusal := &genesis.Error{Op: "test", Kind: genesis.Permission}
	err = h.db.Tx(t.Context(), func(tx *sql.Tx) error {
		v, _, err := h.CommitTx(t.Context(), tx, s)
		if err != nil {
			return err
		}
		if _, err := h.PublishTx(t.Context(), tx, v, PublishOptions{By: "local"}); err != nil {
			return err
		}
		return refusal
	})
	if err != error(refusal) {
		t.Fatal(err)
	}
	if all, _, err := h.List(t.Context(), ListQuery{}); len(all) != 0 || err != nil {
		t.Errorf("a transaction that was rolled back left %v, %v", all, err)
	}
	if hits, err := h.lookup(t, "x", 0, nil); len(hits) != 0 || err != nil {
		t.Errorf("… and %v, %v in the index", hits, err)
	}
}

func TestWithdraw(t *testing.T) {
	h := open(t)
	in := commitOf("x", dataset("a"))
	in.Records = map[genesis.RecordKind]any{genesis.RecordCard: genesis.Card{Title: "kept"}}
	v := h.mustCommit(t, in)
	_, err := h.Withdraw(t.Context(), v, "local", "wrong")
	wantKind(t, err, genesis.Conflict) // a draft
	if v, err = h.Publish(t.Context(), v, "local"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it stays as it is
		w, err := h.Withdraw(t.Context(), v, "local", "wrong")
		if err != nil || w.State != genesis.Withdrawn || w.Number != 1 {
			t.Fatalf("withdrawn: %+v, %v", w, err)
		}
	}
	_, err = h.Resolve(t.Context(), genesis.Ref{Name: "x"}, nil)
	wantKind(t, err, genesis.NotFound)
	for _, ref := range []genesis.Ref{{Name: "x", Number: 1}, v.Ref()} {
		if w, err := h.Resolve(t.Context(), ref, nil); err != nil || w.State != genesis.Withdrawn {
			t.Errorf("%s means %+v, %v", ref, w, err)
		}
	}
	if d, err := h.Describe(t.Context(), v, nil); err != nil || d.Card.Title != "kept" || d.Version.State != genesis.Withdrawn {
		t.Errorf("described as %+v, %v", d, err)
	}
	if all, _, err := h.List(t.Context(), ListQuery{}); len(all) != 0 || err != nil {
		t.Errorf("listed: %+v, %v", all, err)
	}
	if hits, err := h.lookup(t, "kept", 0, nil); len(hits) != 0 || err != nil {
		t.Errorf("found: %+v, %v", hits, err)
	}
	if err := h.PutRecord(t.Context(), v, genesis.RecordCard, genesis.Card{Title: "changed"}, "local"); err != nil {
		t.Error(err)
	}
	if hits, _ := h.lookup(t, "changed", 0, nil); len(hits) != 0 {
		t.Errorf("a change of its card lets it be found: %+v", hits)
	}
	_, err = h.Publish(t.Context(), v, "local")
	wantKind(t, err, genesis.Conflict)
	_, _, err = h.Commit(t.Context(), in)
	wantKind(t, err, genesis.Conflict)
}

func TestErase(t *testing.T) {
	h := open(t)
	parent := h.mustCommit(t, commitOf("parent", dataset("a")))
	in := commitOf("x", dataset("b"))
	in.Parents = []genesis.Version{parent}
	in.Records = map[genesis.RecordKind]any{genesis.RecordCard: genesis.Card{Title: "Quicksilver"}}
	v := h.mustCommit(t, in)
	if _, err := h.Publish(t.Context(), v, "ann"); err != nil {
		t.Fatal(err)
	}
	erased, err := h.Erase(t.Context(), v, EraseOptions{By: "officer", Reason: "spill"})
	want := genesis.Version{Name: "x", Kind: genesis.Dataset, Digest: v.Digest, Number: 1, State: genesis.Erased, Created: v.Created, Creator: "local"}
	if err != nil || erased != want {
		t.Fatalf("the tombstone is %+v, %v, want %+v", erased, err, want)
	}
	d, err := h.Describe(t.Context(), v, nil)
	if d.End == nil || d.End.At.IsZero() {
		t.Fatalf("why it is gone: %+v", d.End)
	}
	end := &genesis.End{State: genesis.Erased, Reason: "spill", At: d.End.At}
	if diff := cmp.Diff(genesis.Description{Version: want, Versions: []genesis.Version{want}, End: end}, d); diff != "" || err != nil {
		t.Errorf("described (-want +got):\n%s%v", diff, err)
	}
	for _, ref := range []genesis.Ref{{Name: "x", Number: 1}, v.Ref()} {
		if got, err := h.Resolve(t.Context(), ref, nil); err != nil || got != want {
			t.Errorf("%s means %+v, %v", ref, got, err)
		}
	}
	_, err = h.Resolve(t.Context(), genesis.Ref{Name: "x"}, nil)
	wantKind(t, err, genesis.NotFound)
	if history, err := h.History(t.Context(), v, genesis.RecordCard); err != nil || len(history) != 0 {
		t.Errorf("its card has history %v, %v", history, err)
	}
	if parents, err := h.Parents(t.Context(), v); err != nil || len(parents) != 1 {
		t.Errorf("what it was made from is %v, %v", parents, err)
	}
	if damage, err := h.Verify(t.Context(), v); err != nil || damage != nil {
		t.Errorf("a tombstone is damaged: %v, %v", damage, err)
	}
	wantKind(t, h.PutRecord(t.Context(), v, genesis.RecordCard, genesis.Card{}, "local"), genesis.Conflict)
	_, err = h.Publish(t.Context(), v, "local")
	wantKind(t, err, genesis.Conflict)
	_, err = h.Withdraw(t.Context(), v, "local", "")
	wantKind(t, err, genesis.Conflict)
	_, _, err = h.Commit(t.Context(), in) // it had been published
	wantKind(t, err, genesis.Conflict)
	if again, err := h.Erase(t.Context(), v, EraseOptions{By: "officer"}); err != nil || again != want {
		t.Errorf("erased again: %+v, %v", again, err)
	}
}

// TestErasedDraftComesBack holds that a draft thrown away may be made again, but not
// one that was purged.
func TestErasedDraftComesBack(t *testing.T) {
	h := open(t)
	in := commitOf("x", dataset("a", genesis.Column{Name: "pressure"}))
	v := h.mustCommit(t, in)
	if _, err := h.Erase(t.Context(), v, EraseOptions{By: "ann"}); err != nil {
		t.Fatal(err)
	}
	in.By = "bob"
	again, unchanged, err := h.Commit(t.Context(), in)
	if err != nil || unchanged || again.State != genesis.Draft || again.Creator != "bob" {
		t.Errorf("%+v, unchanged %v, %v", again, unchanged, err)
	}
	if hits, err := h.lookup(t, "pressure", 0, nil); err != nil || len(hits) != 1 {
		t.Errorf("found %v, %v", hits, err)
	}
	if _, err := h.Erase(t.Context(), v, EraseOptions{By: "ann", Purge: true}); err != nil {
		t.Fatal(err)
	}
	_, _, err = h.Commit(t.Context(), in)
	wantKind(t, err, genesis.Conflict)
}

// secrets is a version full of words that occur nowhere else.
func secrets(t *testing.T, h home) (genesis.Version, []genesis.Blob) {
	t.Helper()
	in := commitOf("spilled", dataset("secret", genesis.Column{Name: "xylophone_secret", Unit: "kW"}))
	rows, split, old := h.put(t, strings.Repeat("secret rows ", 200_000)), h.put(t, "secret split"), h.put(t, "old secret")
	in.Layout.Tables = map[string][]genesis.LayoutFile{"data": {{Blob: old}}}
	in.Records = map[genesis.RecordKind]any{
		genesis.RecordCard:   genesis.Card{Title: "First secret", Description: strings.Repeat("A long secret text. ", 2000)},
		genesis.RecordSplits: []genesis.Split{{Name: "random", Seed: 1 << 60, Assignment: split}, {Name: "none"}},
		genesis.RecordRecipe: "steps: [secret]",
	}
	v := h.mustCommit(t, in)
	in.Layout.Tables = map[string][]genesis.LayoutFile{"data": {{Blob: rows}}}
	in.Records[genesis.RecordCard] = genesis.Card{Title: "Second secret"}
	h.mustCommit(t, in)
	return v, []genesis.Blob{rows, split, old}
}

// TestEraseLeavesNothing looks for the words of an erased version in every byte of
// the database's files.
func TestEraseLeavesNothing(t *testing.T) {
	h := open(t)
	for i := range 30 {
		in := commitOf(genesis.Name("other-"+string(rune('a'+i%26))), dataset(string(rune(i)), genesis.Column{Name: "ordinary"}))
		in.Records = map[genesis.RecordKind]any{genesis.RecordCard: genesis.Card{Title: "Ordinary"}}
		h.mustCommit(t, in)
	}
	v, _ := secrets(t, h)
	left := func() (n int) {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			b, err := os.ReadFile(filepath.Join(h.dir, "catalog.db"+suffix))
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range []string{"secret", "Secret", "xylophone"} {
				n += bytes.Count(b, []byte(word))
			}
		}
		return n
	}
	if left() == 0 {
		t.Fatal("the words are not in the files: the test shows nothing")
	}
	if _, err := h.Erase(t.Context(), v, EraseOptions{By: "officer", Reason: "spill"}); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{"secret", "xylophone", "spilled"} {
		if hits, err := h.lookup(t, query, 0, nil); err != nil || len(hits) != 0 {
			t.Errorf("%q finds %v, %v", query, hits, err)
		}
	}
	if err := h.db.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := left(); n != 0 {
		t.Errorf("after scrubbing the words are there %d times", n)
	}
	if damage, err := h.Check(t.Context()); err != nil || damage != nil {
		t.Errorf("damage: %v, %v", damage, err)
	}
}

func TestReferences(t *testing.T) {
	h := open(t)
	want := map[genesis.Digest]bool{}
	v, blobs := secrets(t, h)
	want[v.Digest], want[blobs[0].Digest], want[blobs[1].Digest] = true, true, true // not the old layout's
	wide := wide(9000)
	text, pages, err := EncodeManifest(wide)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range append(pages, text) {
		want[genesis.DigestOf(b)] = true
	}
	gone := h.mustCommit(t, commitOf("gone", dataset("gone")))
	withdrawn := h.mustCommit(t, commitOf("withdrawn", dataset("withdrawn")))
	want[withdrawn.Digest] = true
	h.mustCommit(t, commitOf("wide", wide))
	weights := h.put(t, "weights")
	in := commitOf("model", genesis.Manifest{Format: 1, Kind: genesis.Model, Parts: map[string]genesis.Digest{"w": weights.Digest}})
	in.Layout.Parts = map[string]genesis.Blob{"w": weights}
	want[h.mustCommit(t, in).Digest], want[weights.Digest] = true, true
	if _, err := h.Publish(t.Context(), withdrawn, "local"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Withdraw(t.Context(), withdrawn, "local", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Erase(t.Context(), gone, EraseOptions{By: "local"}); err != nil {
		t.Fatal(err)
	}
	got := map[genesis.Digest]bool{}
	collect := func(d genesis.Digest) error { got[d] = true; return nil }
	if err := h.References(t.Context(), collect); err != nil || !cmp.Equal(got, want) {
		t.Errorf("references (-want +got):\n%s%v", cmp.Diff(want, got), err)
	}

	time.Sleep(10 * time.Millisecond)
	swept, err := h.blobs.Sweep(t.Context(), blob.SweepOptions{Live: h.References})
	if err != nil || swept.Removed != 3 { // what is gone, the old layout, the empty blob
		t.Errorf("the sweep comes to %+v, %v", swept, err)
	}
	for _, v := range []genesis.Version{v, withdrawn} {
		if damage, err := h.Verify(t.Context(), v); err != nil || damage != nil {
			t.Errorf("%s: %v, %v", v.Ref(), damage, err)
		}
	}
	path := filepath.Join(h.dir, "blobs", v.Digest.Hex()[:2], v.Digest.Hex())
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, []byte("{}"), 0o600)); err != nil {
		t.Fatal(err)
	}
	wantKind(t, h.References(t.Context(), collect), genesis.Internal)
}

func TestPurge(t *testing.T) {
	h := open(t)
	v, blobs := secrets(t, h)
	rows, split, old := blobs[0], blobs[1], blobs[2]
	in := commitOf("innocent", dataset("other"))
	in.Records = map[genesis.RecordKind]any{genesis.RecordSplits: []genesis.Split{{Name: "s", Assignment: split}}}
	innocent := h.mustCommit(t, in)

	// Staged before the purge, committed after it began, and once more after it ended.
	in = commitOf("late", dataset("late"))
	in.Layout.Tables = map[string][]genesis.LayoutFile{"data": {{Blob: rows}}}
	late, err := h.Stage(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	commit := func(s *Staged) error {
		return h.db.Tx(t.Context(), func(tx *sql.Tx) error {
			_, _, err := h.CommitTx(t.Context(), tx, s)
			return err
		})
	}
	if _, err := h.Erase(t.Context(), v, EraseOptions{By: "officer", Purge: true}); err != nil {
		t.Fatal(err)
	}
	wantKind(t, commit(late), genesis.Conflict)
	during, err := h.Stage(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	defer during.Close()
	wantKind(t, commit(during), genesis.Conflict)
	refusal := &genesis.Error{Op: "test", Kind: genesis.Unavailable}
	manifest, err := h.blobs.Size(t.Context(), v.Digest)
	if err != nil || manifest == 0 {
		t.Fatal(manifest, err)
	}
	_, err = h.Purge(t.Context(), func(context.Context, func(genesis.Digest) error) error { return refusal })
	if err != error(refusal) {
		t.Errorf("although nobody knows what else is needed: %v", err)
	}
	got, err := h.Purge(t.Context(), func(_ context.Context, yield func(genesis.Digest) error) error { return yield(old.Digest) })
	if err != nil {
		t.Fatal(err)
	}
	want := Purged{Removed: []genesis.Digest{v.Digest, rows.Digest}, Bytes: manifest + rows.Size}
	slices.Sort(want.Removed)
	want.Kept = []Kept{{split.Digest, "version " + innocent.Ref().String() + " needs it, too"}, {old.Digest, "something outside the catalogue needs it, too"}}
	slices.SortFunc(want.Kept, func(a, b Kept) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("purged (-want +got):\n%s", diff)
	}
	for _, b := range blobs {
		ok, err := h.blobs.Has(t.Context(), b.Digest)
		if want := b.Digest != rows.Digest; ok != want || err != nil {
			t.Errorf("%s is there: %v, %v", b.Digest, ok, err)
		}
	}
	wantKind(t, commit(late), genesis.Conflict)
	wantKind(t, commit(during), genesis.Conflict)
	if again, err := h.Purge(t.Context(), nil); err != nil || again.Removed != nil || again.Kept != nil {
		t.Errorf("again: %+v, %v", again, err)
	}
}

// TestPurgeGoesOn breaks a purge off and has another catalogue, as after a crash,
// take it up.
func TestPurgeGoesOn(t *testing.T) {
	h := open(t)
	v, blobs := secrets(t, h)
	if _, err := h.Erase(t.Context(), v, EraseOptions{By: "officer", Purge: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.blobs.Purge(t.Context(), blobs[0].Digest); err != nil { // done, and not noted
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := h.Purge(ctx, func(context.Context, func(genesis.Digest) error) error { cancel(); return nil })
	wantKind(t, err, genesis.Canceled)
	got, err := New(h.db, h.blobs).Purge(t.Context(), nil)
	if err != nil || len(got.Kept) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, b := range append(blobs, genesis.Blob{Digest: v.Digest}) {
		if ok, err := h.blobs.Has(t.Context(), b.Digest); ok || err != nil {
			t.Errorf("%s is there: %v, %v", b.Digest, ok, err)
		}
	}
}

func TestCommitNeedsItsBytes(t *testing.T) {
	h := open(t)
	in := commitOf("x", dataset("a"))
	in.Layout.Parts = map[string]genesis.Blob{"w": {Digest: genesis.DigestOf([]byte("nowhere")), Size: 7, Merkle: genesis.DigestOf(nil)}}
	_, _, err := h.Commit(t.Context(), in)
	wantKind(t, err, genesis.Conflict)
	release, err := h.blobs.Pin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	kept := h.put(t, "here")
	in.Layout.Parts["w"] = kept
	s, err := h.Stage(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	swept, err := h.blobs.Sweep(t.Context(), blob.SweepOptions{Live: h.References})
	if err != nil || swept.Young < 2 {
		t.Errorf("a sweep beside a commit comes to %+v, %v", swept, err)
	}
	if ok, err := h.blobs.Has(t.Context(), kept.Digest); !ok || err != nil {
		t.Errorf("what a commit under way needs was swept: %v", err)
	}
}
