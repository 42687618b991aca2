package abroad

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

var noon = time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T) (Store, func(func(*sql.Tx) error)) {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := Store{DB: db, Node: "mit", Now: func() time.Time { return noon }}
	return s, func(act func(*sql.Tx) error) {
		t.Helper()
		if err := db.Tx(context.Background(), act); err != nil {
			t.Fatal(err)
		}
	}
}

// asked is a request of ada's at nrel, sent at noon.
func asked() genesis.AccessRequest {
	return genesis.AccessRequest{ID: NewID(), Node: "nrel", Name: "turbines", By: genesis.Principal{Subject: "ada", Node: "mit"}, Actions: []genesis.Action{genesis.Read},
		Purpose: "wakes", State: genesis.RequestPending, At: noon}
}

// TestStates walks requests through what either side may do, in whatever order it comes.
func TestStates(t *testing.T) {
	type step = func(Store, *sql.Tx, genesis.AccessRequest) error
	says := func(turn int64, state genesis.RequestState) step {
		return func(s Store, tx *sql.Tx, r genesis.AccessRequest) error {
			r.State = state
			_, err := s.Hear(t.Context(), tx, "nrel", Word{Turn: turn, Request: &r})
			return err
		}
	}
	withdraws := func(s Store, tx *sql.Tx, r genesis.AccessRequest) error {
		_, err := s.Withdraw(t.Context(), tx, "ada", r.ID)
		return err
	}
	refused := func(kind string) step {
		return func(s Store, tx *sql.Tx, r genesis.AccessRequest) error {
			_, err := s.Undelivered(t.Context(), tx, genesis.PeerMessage{To: "nrel", Kind: kind, About: r.ID}, "no")
			return err
		}
	}
	for what, c := range map[string]struct {
		steps []step
		want  genesis.RequestState
	}{
		"sent":                              {nil, genesis.RequestPending},
		"arrived":                           {[]step{says(1, genesis.RequestOpen)}, genesis.RequestOpen},
		"approved":                          {[]step{says(1, genesis.RequestOpen), says(2, genesis.RequestApproved)}, genesis.RequestApproved},
		"taken back before it arrived":      {[]step{withdraws, says(1, genesis.RequestOpen)}, genesis.RequestWithdrawn},
		"taken back, and withdrawn there":   {[]step{withdraws, says(1, genesis.RequestOpen), says(2, genesis.RequestWithdrawn)}, genesis.RequestWithdrawn},
		"taken back, and approved before":   {[]step{says(1, genesis.RequestOpen), withdraws, says(2, genesis.RequestApproved)}, genesis.RequestApproved},
		"taken back, which was not taken":   {[]step{says(1, genesis.RequestOpen), withdraws, refused(KindWithdrawn)}, genesis.RequestOpen},
		"not taken":                         {[]step{refused(KindRequest)}, genesis.RequestRefused},
		"not taken, and taken back":         {[]step{withdraws, refused(KindRequest), refused(KindWithdrawn)}, genesis.RequestRefused},
		"taken, but the receipt never came": {[]step{says(1, genesis.RequestOpen), refused(KindRequest)}, genesis.RequestOpen},
	} {
		s, do := open(t)
		r := asked()
		do(func(tx *sql.Tx) error { return s.Ask(t.Context(), tx, r) })
		for _, act := range c.steps {
			do(func(tx *sql.Tx) error { return act(s, tx, r) })
		}
		if got, err := s.Request(t.Context(), "ada", r.ID); err != nil || got.State != c.want || got.Purpose != "wakes" {
			t.Errorf("%s: %+v %v, want %s", what, got, err, c.want)
		}
	}
}

// TestDecidedRequestsStay: what is decided is not withdrawn, nor spoken about.
func TestDecidedRequestsStay(t *testing.T) {
	s, do := open(t)
	r := asked()
	do(func(tx *sql.Tx) error {
		if err := s.Ask(t.Context(), tx, r); err != nil {
			return err
		}
		denied := r
		denied.State = genesis.RequestDenied
		_, err := s.Hear(t.Context(), tx, "nrel", Word{Turn: 1, Request: &denied})
		return err
	})
	do(func(tx *sql.Tx) error {
		if _, err := s.Withdraw(t.Context(), tx, "ada", r.ID); genesis.KindOf(err) != genesis.Conflict {
			t.Errorf("withdrawn: %v", err)
		}
		if _, err := s.Say(t.Context(), tx, "ada", r.ID, genesis.Message{Text: "please"}); genesis.KindOf(err) != genesis.Conflict {
			t.Errorf("said: %v", err)
		}
		if _, err := s.Withdraw(t.Context(), tx, "bob", r.ID); genesis.KindOf(err) != genesis.NotFound {
			t.Errorf("by somebody else: %v", err)
		}
		return nil
	})
}

// TestPagesOfRequests: every request is on one page, newest first.
func TestPagesOfRequests(t *testing.T) {
	s, do := open(t)
	var ids []string
	for range 7 {
		r := asked()
		ids = append([]string{r.ID}, ids...)
		do(func(tx *sql.Tx) error { return s.Ask(t.Context(), tx, r) })
	}
	var got []string
	for q := (Query{Subject: "ada", Limit: 3}); ; {
		page, last, more, err := s.Requests(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			got = append(got, r.ID)
		}
		if q.After = last; !more {
			break
		}
	}
	if len(got) != 7 || got[0] != ids[0] || got[6] != ids[6] {
		t.Errorf("%v, want %v", got, ids)
	}
	if page, _, _, err := s.Requests(t.Context(), Query{Subject: "bob", Limit: 3}); err != nil || len(page) != 0 {
		t.Errorf("somebody else's: %v %v", page, err)
	}
}

// TestTurns: each word has a greater turn than the one before, also when the clock or the
// database goes back.
func TestTurns(t *testing.T) {
	s, do := open(t)
	now := noon
	s.Now = func() time.Time { return now }
	var last int64
	next := func() {
		t.Helper()
		do(func(tx *sql.Tx) error {
			turn, err := s.Next(t.Context(), tx, "nrel", OfGrant+"g", time.Time{})
			if turn <= last {
				t.Errorf("%d after %d", turn, last)
			}
			last = turn
			return err
		})
	}
	next()
	next()
	now = noon.Add(-time.Hour)
	next()
	now = noon.Add(time.Second)
	do(func(tx *sql.Tx) error { // a backup that knows nothing of it
		_, err := tx.Exec("DELETE FROM abroad_told")
		return err
	})
	next()
}

// TestGrantsEndOnce: what is over is listed until it is told.
func TestGrantsEndOnce(t *testing.T) {
	s, do := open(t)
	do(func(tx *sql.Tx) error {
		_, err := s.Next(t.Context(), tx, "nrel", OfRequest+"r", noon.Add(time.Hour))
		return err
	})
	over := func() (all []Told) {
		do(func(tx *sql.Tx) (err error) { all, err = s.Over(t.Context(), tx, 10); return err })
		return all
	}
	if got := over(); len(got) != 0 {
		t.Errorf("before its time: %v", got)
	}
	s.Now = func() time.Time { return noon.Add(time.Hour) }
	if got := over(); len(got) != 1 || got[0] != (Told{"nrel", "request r"}) {
		t.Errorf("%v", got)
	}
	do(func(tx *sql.Tx) error {
		_, err := s.Next(t.Context(), tx, "nrel", OfRequest+"r", time.Time{})
		return err
	})
	if got := over(); len(got) != 0 {
		t.Errorf("twice: %v", got)
	}
}

// TestOneNodeKeepsNobodyFromAnother: what one node makes up about a person takes nothing of
// what they may do at others.
func TestOneNodeKeepsNobodyFromAnother(t *testing.T) {
	s, do := open(t)
	for range maxOpen {
		r := asked()
		r.Node, r.State = "eve", genesis.RequestOpen
		do(func(tx *sql.Tx) error {
			_, err := s.Hear(t.Context(), tx, "eve", Word{Turn: 1, Request: &r})
			return err
		})
	}
	do(func(tx *sql.Tx) error { return s.Ask(t.Context(), tx, asked()) })

	hour := store.Time(noon.Add(time.Hour))
	do(func(tx *sql.Tx) error {
		for _, of := range []struct {
			peer  string
			n     int
			token string
		}{{"eve", 100, "short"}, {"fat", 1, strings.Repeat("x", MaxToken+1)}, {"nrel", 1, "wind"}} {
			for i := range of.n {
				if _, err := tx.Exec("INSERT INTO abroad_members (subject, peer, project, token, until) VALUES ('ada', $1, $2, $3, $4)", of.peer, fmt.Sprint("p", i), of.token, hour); err != nil {
					return err
				}
			}
		}
		return nil
	})
	all, err := s.Tokens(t.Context(), "ada")
	if err != nil || len(all) != mostTokens || !slices.Contains(all, "wind") || slices.ContainsFunc(all, func(s string) bool { return len(s) > MaxToken }) {
		t.Errorf("%d tokens, %v", len(all), err)
	}
}

// TestProjectsComeInPages: many projects of many nodes, read a page at a time, are each
// listed once, in order, also where a page is short because they are large.
func TestProjectsComeInPages(t *testing.T) {
	s, do := open(t)
	var want []string
	for i := range 60 {
		peer := genesis.NodeID([]string{"eve", "nrel"}[i%2])
		p := genesis.Project{ID: fmt.Sprintf("%s/p%02d", peer, i), Lead: genesis.PersonOf(peer, "sam"), Members: []genesis.PersonID{"mit/ada"}}
		if i%3 == 0 {
			p.Members = []genesis.PersonID{"mit/bob"}
		}
		for k := range 3500 * (i / 40) { // the last are of 250 kB, which makes short pages
			p.Members = append(p.Members, genesis.PersonID(fmt.Sprintf("mit/u%060d", k)))
		}
		if i%3 != 0 {
			want = append(want, p.ID)
		}
		do(func(tx *sql.Tx) error {
			_, err := s.HearProject(t.Context(), tx, peer, Word{Turn: 1, Project: &p})
			return err
		})
	}
	slices.Sort(want)
	var got []string
	for after, more := "", true; more; {
		var page []genesis.Project
		var err error
		if page, more, err = s.Projects(t.Context(), "ada", after, 25); err != nil || more && len(page) == 0 {
			t.Fatal(len(page), err)
		}
		for _, p := range page {
			got = append(got, p.ID)
			after = p.ID
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d of %d: %v", len(got), len(want), got)
	}
	listed := func() (all []string) {
		grants, err := s.Grants(t.Context(), "ada", nil, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range grants {
			_, id := g.To.Split()
			all = append(all, id)
		}
		return all
	}
	for _, id := range []string{"eve/p02", "nrel/p01", "nrel/p03"} { // in the last of these ada is not
		peer, _, _ := strings.Cut(id, "/")
		do(func(tx *sql.Tx) error {
			_, err := s.HearGrant(t.Context(), tx, genesis.NodeID(peer), Word{Turn: 1, Grant: granted(genesis.Grantee("project:" + id))})
			return err
		})
	}
	if got := listed(); !slices.Equal(got, []string{"eve/p02", "nrel/p01"}) {
		t.Errorf("grants to the projects %v", got)
	}
	do(func(tx *sql.Tx) error {
		_, err := s.HearProject(t.Context(), tx, "eve", Word{Turn: 2, Project: &genesis.Project{ID: "eve/p02", Lead: "eve/sam", Members: []genesis.PersonID{"mit/ada"}, Ended: true}})
		return err
	})
	all, _, err := s.Projects(t.Context(), "ada", "", 1)
	if got := listed(); !slices.Equal(got, []string{"nrel/p01"}) || err != nil || len(all) != 1 || !all[0].Ended {
		t.Errorf("an ended project: grants to %v; %v; %+v", got, err, all)
	}
}

// granted is a grant to somebody, of turbines.
func granted(to genesis.Grantee) *genesis.Grant {
	return &genesis.Grant{ID: NewID(), Name: "turbines", To: to, Actions: []genesis.Action{genesis.Read}}
}

// TestGrantsOfOneNodeKeepOutNoOthers: however many grants one node makes up, and to whomever
// of those that somebody is, those of others are listed.
func TestGrantsOfOneNodeKeepOutNoOthers(t *testing.T) {
	s, do := open(t)
	hear := func(peer genesis.NodeID, turn int64, to genesis.Grantee) {
		do(func(tx *sql.Tx) error {
			_, err := s.HearGrant(t.Context(), tx, peer, Word{Turn: turn, Grant: granted(to)})
			return err
		})
	}
	hear("nrel", 1, "institution:mit")
	for range mostGrants {
		hear("eve", maxTurn-1, "person:mit/ada")
		hear("eve", maxTurn-1, "institution:mit")
	}
	all, err := s.Grants(t.Context(), "ada", []string{"wind"}, false)
	if err != nil || len(all) != mostGrants || !slices.ContainsFunc(all, func(g genesis.Grant) bool { return g.Node == "nrel" }) {
		t.Errorf("%d grants, none of them of nrel; %v", len(all), err)
	}
}

// TestMembershipsAreBounded: one node has so many people of this one in its projects, and
// whoever it takes out of one is out of it all the same.
func TestMembershipsAreBounded(t *testing.T) {
	s, _ := open(t)
	say := func(turn int64, id string, people int) error {
		p := genesis.Project{ID: "eve/" + id, Lead: "eve/sam"}
		for i := range people {
			p.Members = append(p.Members, genesis.PersonID(fmt.Sprint("mit/u", i)))
		}
		return s.DB.Tx(t.Context(), func(tx *sql.Tx) error {
			_, err := s.HearProject(t.Context(), tx, "eve", Word{Turn: turn, Project: &p})
			return err
		})
	}
	for i := range maxIn / maxMembers {
		if err := say(1, fmt.Sprint("p", i), maxMembers); err != nil {
			t.Fatal(err)
		}
	}
	if err := say(1, "more", 1); genesis.KindOf(err) != genesis.Conflict {
		t.Errorf("one more: %v", err)
	}
	if err := say(2, "p0", maxMembers-1); err != nil {
		t.Errorf("one less: %v", err)
	}
}

// TestNoTokenOfAnEndedProject: a token that was asked for before a project ended, and comes
// after, counts for nothing.
func TestNoTokenOfAnEndedProject(t *testing.T) {
	s, do := open(t)
	for turn, ended := range []bool{false, true} {
		do(func(tx *sql.Tx) error {
			p := genesis.Project{ID: "nrel/wind", Lead: "nrel/sam", Members: []genesis.PersonID{"mit/ada"}, Ended: ended}
			_, err := s.HearProject(t.Context(), tx, "nrel", Word{Turn: int64(turn + 1), Project: &p})
			return err
		})
	}
	do(func(tx *sql.Tx) error {
		return s.SetToken(t.Context(), tx, "ada", "nrel", "wind", "late", noon.Add(time.Hour))
	})
	if all, err := s.Tokens(t.Context(), "ada"); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}
