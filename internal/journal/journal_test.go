package journal

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

func open(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func record(t *testing.T, db *store.DB, e Event) error {
	t.Helper()
	return db.Tx(t.Context(), func(tx *sql.Tx) error { return Record(t.Context(), tx, e) })
}

func event(i int) Event {
	return Event{Actor: "local", Action: "commit", Subject: []string{"a", "b"}[i%2], Version: genesis.DigestOf([]byte{byte(i)}),
		Detail: json.RawMessage(fmt.Sprintf(`{"n": %d, "a": "é"}`, i))}
}

// TestVector computes the hashes of two entries by hand, from the format in the
// package's documentation.
func TestVector(t *testing.T) {
	db := open(t)
	at := time.Date(2027, 1, 31, 13, 0, 0, 1999, time.FixedZone("", 3600))
	for _, e := range []Event{
		{Time: at, Actor: "local", Action: "commit", Subject: "turbines", Version: "sha256:00", Detail: json.RawMessage(`{"b": 1.0, "a": "x"}`)},
		{Time: at, Actor: "local", Action: "look"},
	} {
		if err := record(t, db, e); err != nil {
			t.Fatal(err)
		}
	}
	first := genesis.DigestOf([]byte(`{"action":"commit","actor":"local","detail":{"a":"x","b":1},"format":1,"previous":"","seq":1,` +
		`"subject":"turbines","time":"2027-01-31T12:00:00.000001Z","version":"sha256:00"}`))
	second := genesis.DigestOf([]byte(`{"action":"look","actor":"local","detail":null,"format":1,"previous":"` + string(first) + `","seq":2,` +
		`"subject":"","time":"2027-01-31T12:00:00.000001Z","version":""}`))
	got, err := List(t.Context(), db, Query{})
	if err != nil || len(got) != 2 || got[1].Hash != first || got[0].Hash != second {
		t.Errorf("entries are %+v, %v, want hashes %s and %s", got, err, first, second)
	}
	seq, hash, err := Head(t.Context(), db)
	if seq != 2 || hash != second || err != nil {
		t.Errorf("head is %d, %s, %v", seq, hash, err)
	}
}

func TestVerifyNamesTheFirstBrokenEntry(t *testing.T) {
	for _, tt := range []struct {
		name, change string
		entry        int // 0: none
		kind         genesis.ErrorKind
	}{
		{"sound", "SELECT 1", 0, ""},
		{"actor", "UPDATE journal SET actor = 'somebody' WHERE seq = 4", 4, genesis.Internal},
		{"time", "UPDATE journal SET at = at + 1 WHERE seq = 4", 4, genesis.Internal},
		{"action", "UPDATE journal SET action = 'publish' WHERE seq = 4", 4, genesis.Internal},
		{"subject", "UPDATE journal SET subject = 'c' WHERE seq = 4", 4, genesis.Internal},
		{"version", "UPDATE journal SET version = '' WHERE seq = 4", 4, genesis.Internal},
		{"detail", `UPDATE journal SET detail = '{"n":0}' WHERE seq = 4`, 4, genesis.Internal},
		{"detail is no JSON", `UPDATE journal SET detail = '{' WHERE seq = 4`, 4, genesis.Internal},
		{"hash", "UPDATE journal SET hash = 'sha256:' WHERE seq = 4", 4, genesis.Internal},
		{"two", "UPDATE journal SET actor = 'somebody' WHERE seq IN (6, 3)", 3, genesis.Internal},
		{"removed", "DELETE FROM journal WHERE seq = 4", 4, genesis.Internal},
		{"first removed", "DELETE FROM journal WHERE seq = 1", 1, genesis.Internal},
		{"swapped", "UPDATE journal SET seq = CASE seq WHEN 4 THEN -5 ELSE -4 END WHERE seq IN (4, 5); UPDATE journal SET seq = -seq WHERE seq < 0", 4, genesis.Internal},
		{"newer format", "UPDATE journal SET format = 2 WHERE seq = 7", 7, genesis.Unsupported},
	} {
		db := open(t)
		for i := range 8 {
			if err := record(t, db, event(i)); err != nil {
				t.Fatal(err)
			}
		}
		err := db.Tx(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.Exec(tt.change)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		n, err := Verify(t.Context(), db)
		var e *genesis.Error
		switch {
		case tt.entry == 0:
			if n != 8 || err != nil {
				t.Errorf("%s: %d entries, %v", tt.name, n, err)
			}
		case !errors.As(err, &e) || e.Kind != tt.kind || e.Subject != fmt.Sprintf("entry %d", tt.entry):
			t.Errorf("%s: error is %v, want one of kind %s that names entry %d", tt.name, err, tt.kind, tt.entry)
		}
	}
}

func TestList(t *testing.T) {
	db := open(t)
	for i := range 10 {
		if err := record(t, db, event(i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		query Query
		want  []int64
	}{
		{Query{Limit: 3}, []int64{10, 9, 8}},
		{Query{Limit: 3, Before: 8}, []int64{7, 6, 5}},
		{Query{Subject: "a"}, []int64{9, 7, 5, 3, 1}},
		{Query{Subject: "b", Before: 5, Limit: 1}, []int64{4}},
		{Query{Subject: "c"}, nil},
	} {
		events, err := List(t.Context(), db, tt.query)
		var got []int64
		for _, e := range events {
			got = append(got, e.Seq)
			if e.Actor != "local" || time.Since(e.Time) > time.Minute || !json.Valid(e.Detail) {
				t.Errorf("entry is %+v", e)
			}
		}
		if err != nil || fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%+v lists %v, %v, want %v", tt.query, got, err, tt.want)
		}
	}
}

func TestRecordRefuses(t *testing.T) {
	db := open(t)
	for name, change := range map[string]func(*Event){
		"no actor":       func(e *Event) { e.Actor = "" },
		"no action":      func(e *Event) { e.Action = "" },
		"broken detail":  func(e *Event) { e.Detail = json.RawMessage(`{"a":`) },
		"long detail":    func(e *Event) { e.Detail = json.RawMessage(`"` + strings.Repeat("x", maxDetail) + `"`) },
		"text not UTF-8": func(e *Event) { e.Subject = "\xff" },
	} {
		e := event(0)
		change(&e)
		if err := record(t, db, e); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%s: error is %v, want kind invalid", name, err)
		}
	}
	if n, err := Verify(t.Context(), db); n != 0 || err != nil {
		t.Errorf("refused events left %d entries, %v", n, err)
	}
}

// TestGoesWithTheAct shows that what is rolled back is not recorded, and that
// entries recorded at once make one chain.
func TestGoesWithTheAct(t *testing.T) {
	db := open(t)
	refusal := errors.New("no")
	err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		if err := Record(t.Context(), tx, event(0)); err != nil {
			t.Fatal(err)
		}
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Errorf("error is %v", err)
	}
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			if err := record(t, db, event(i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n, err := Verify(t.Context(), db); n != 10 || err != nil {
		t.Errorf("%d entries, %v, want 10", n, err)
	}
}
