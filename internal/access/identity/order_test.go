package identity

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
)

// TestStand: whom a home vouched for in a message stands here for seven days, as it said,
// for as long as it is a member; nobody else comes by that message.
func TestStand(t *testing.T) {
	l := newLeague(t, func(c *Config) {
		c.Projects = func(context.Context, genesis.PersonID) ([]string, error) { return []string{"wind"}, nil }
	})
	ada, _ := l.nrel.signIn(t, "ada")
	ada.Purpose = "wakes"
	said, err := l.nrel.Vouched(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	m := genesis.PeerMessage{ID: "m-1", From: "nrel", To: "ornl", Kind: "run"}
	var who genesis.Principal
	stand := func(m genesis.PeerMessage, v genesis.Vouched) error {
		return l.ornl.db.Tx(t.Context(), func(tx *sql.Tx) error {
			p, err := l.ornl.Stand(t.Context(), tx, m, v)
			if err == nil {
				who = p
			}
			return err
		})
	}
	if err := stand(m, said); err != nil {
		t.Fatal(err)
	}
	want := genesis.Principal{Subject: "ada", Node: "nrel", Institution: "Institute nrel", Sector: genesis.University, Credential: "message:m-1", Assurance: said.Assurance,
		Vetting: said.Vetting, Projects: []string{"nrel/wind"}, Purpose: "wakes"}
	if diff := cmp.Diff(want, who); diff != "" {
		t.Error(diff)
	}
	now, err := l.ornl.Current(t.Context(), who)
	if diff := cmp.Diff(want, now); err != nil || diff != "" {
		t.Error(err, diff)
	}
	bob, other, foreign := who, who, who
	bob.Subject, other.Credential, foreign.Node = "bob", "message:m-2", "mit"
	for _, p := range []genesis.Principal{bob, other, foreign} {
		_, err := l.ornl.Current(t.Context(), p)
		l.wants("another's message", err, genesis.CodeUnknown)
	}
	if err := stand(genesis.PeerMessage{ID: "m-3", From: "nrel"}, genesis.Vouched{Subject: "node"}); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("a node passes for a person: %v", err)
	}
	if err := stand(genesis.PeerMessage{ID: "m-4", From: "nrel"}, genesis.Vouched{Subject: "ada", Scopes: []genesis.Scope{"rule"}}); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("a scope that is none: %v", err)
	}
	back := l.roll.without("nrel")
	_, err = l.ornl.Lasting(t.Context(), who)
	l.wants("its home is no member", err, genesis.CodeBadIssuer)
	back()

	l.ornl.clock.add(OrderLasts - time.Second)
	if now, err := l.ornl.Lasting(t.Context(), who); err != nil || len(now.Projects) != 1 {
		t.Errorf("before its end: %+v %v", now, err)
	}
	l.ornl.clock.add(time.Second)
	_, err = l.ornl.Lasting(t.Context(), who)
	l.wants("after seven days", err, genesis.CodeExpired)
}

// TestVouchedNarrow: a token that is narrowed to some actions is so at the other node, and
// one that is narrowed to things of this one is good for nothing there.
func TestVouchedNarrow(t *testing.T) {
	l := newLeague(t)
	ada, _ := l.nrel.signIn(t, "ada")
	for scope, want := range map[genesis.Scope]bool{"train": true, "train:turbines": false} {
		made, err := l.nrel.CreateToken(t.Context(), ada, genesis.TokenRequest{Name: string(scope), Scopes: []genesis.Scope{scope}})
		if err != nil {
			t.Fatal(err)
		}
		said, err := l.nrel.Vouched(t.Context(), l.nrel.who(t, made.Secret))
		if (err == nil) != want || want && !cmp.Equal(said.Scopes, []genesis.Scope{scope}) {
			t.Errorf("%s: %+v %v", scope, said.Scopes, err)
		}
	}
}
