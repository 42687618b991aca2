package access_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

// desk asks and answers requests.
type desk struct {
	*accesstest.World
	t *testing.T
}

func (k desk) ask(r genesis.AccessRequest) (made genesis.AccessRequest, err error) {
	err = k.Tx(func(ctx context.Context, tx *sql.Tx) (err error) {
		made, err = k.Decider.Ask(ctx, tx, r)
		return err
	})
	return made, err
}

func (k desk) approve(who genesis.Principal, id string, a genesis.Approval) (r genesis.AccessRequest, g genesis.Grant, err error) {
	err = k.Tx(func(ctx context.Context, tx *sql.Tx) (err error) {
		r, g, err = k.Approve(ctx, tx, who, id, a)
		return err
	})
	return r, g, err
}

func (k desk) message(who genesis.Principal, id, words string) error {
	return k.Tx(func(ctx context.Context, tx *sql.Tx) error { _, err := k.Message(ctx, tx, who, id, words); return err })
}

func (k desk) deny(who genesis.Principal, id, reason string) error {
	return k.Tx(func(ctx context.Context, tx *sql.Tx) error { _, err := k.Deny(ctx, tx, who, id, reason); return err })
}

func (k desk) withdraw(who genesis.Principal, id string) error {
	return k.Tx(func(ctx context.Context, tx *sql.Tx) error { _, err := k.Withdraw(ctx, tx, who, id); return err })
}

func (k desk) want(err error, want genesis.ErrorKind, what string) {
	k.t.Helper()
	if genesis.KindOf(err) != want {
		k.t.Errorf("%s: %v, want %q", what, err, want)
	}
}

// TestRequestIsApproved goes the whole way: ask, talk, approve, use, renew, revoke.
func TestRequestIsApproved(t *testing.T) {
	k := desk{accesstest.Open(t), t}
	r := accesstest.Dataset("turbines")
	agreement := genesis.DigestOf([]byte("be kind"))
	k.Publish(r, genesis.Terms{Tier: genesis.TierControlled, Agreement: &genesis.Agreement{Kind: "DUA", Digest: agreement}})
	rule(t, k.World, mia, genesis.Request, r, "controlled")
	ask := genesis.AccessRequest{Name: r.Name, Version: r.Version, By: mia, Purpose: "to learn", ID: "mine", State: genesis.RequestApproved, Grant: "mine", Reason: "mine", Messages: make([]genesis.Message, 3)}
	_, err := k.ask(ask)
	k.want(err, genesis.Invalid, "the agreement is not accepted")
	if hint := err.(*genesis.Error).Hint; !strings.Contains(hint, string(agreement)) || !strings.Contains(hint, "terms nrel/"+string(r.Name)+" ") {
		t.Errorf("how to accept is not said: %v", err)
	}
	ask.Agreement = genesis.DigestOf([]byte("older"))
	_, err = k.ask(ask)
	k.want(err, genesis.Conflict, "another agreement is accepted")
	ask.Agreement = agreement
	asked, err := k.ask(ask)
	want := genesis.AccessRequest{ID: asked.ID, Name: r.Name, Version: r.Version, By: mia, Actions: []genesis.Action{genesis.Read}, Purpose: "to learn",
		Agreement: agreement, State: genesis.RequestOpen, At: k.Now()}
	if err != nil || asked.ID == "mine" || cmp.Diff(want, asked) != "" {
		t.Fatalf("%v\n%s", err, cmp.Diff(want, asked))
	}
	_, err = k.ask(ask)
	k.want(err, genesis.Conflict, "asked twice")
	ask.Actions = []genesis.Action{genesis.TrainOn}
	second, err := k.ask(ask)
	k.want(err, "", "asked for something else")
	k.want(k.withdraw(mia, second.ID), "", "withdrawn")
	third := ask
	third.Version, third.Actions = genesis.DigestOf([]byte("another")), []genesis.Action{genesis.Infer, genesis.Read, genesis.Infer}
	other, err := k.ask(third)
	if err != nil || !slices.Equal(other.Actions, []genesis.Action{genesis.Read, genesis.Infer}) {
		t.Errorf("asked for another version: %+v, %v", other, err)
	}
	third.Actions = []genesis.Action{genesis.Read, genesis.Infer}
	_, err = k.ask(third)
	k.want(err, genesis.Conflict, "asked for the same in another order")
	third.Version = ""
	_, err = k.ask(third)
	k.want(err, "", "asked for all versions")
	rule(t, k.World, mia, genesis.Read, r, "no: default")

	k.want(k.message(ann, asked.ID, "what for?"), "", "a steward writes")
	k.want(k.message(mia, asked.ID, "for a thesis"), "", "the asker writes")
	k.want(k.message(eve, asked.ID, "me too"), genesis.NotFound, "somebody else writes")
	k.want(k.message(mia, asked.ID, " "), genesis.Invalid, "nothing is written")
	k.want(k.message(mia, asked.ID, strings.Repeat("x", 4001)), genesis.Invalid, "too much is written")
	k.want(k.message(mia, asked.ID, "\xff"), genesis.Invalid, "what is written cannot be read")
	_, _, err = k.approve(mia, asked.ID, genesis.Approval{})
	k.want(err, genesis.Permission, "the asker approves")
	_, _, err = k.approve(eve, asked.ID, genesis.Approval{})
	k.want(err, genesis.NotFound, "somebody else approves")
	_, _, err = k.approve(ann, asked.ID, genesis.Approval{Condition: "odd"})
	k.want(err, genesis.Invalid, "approved with a condition that is none")
	if got, err := k.RequestByID(t.Context(), mia, asked.ID); err != nil || got.State != genesis.RequestOpen || len(got.Messages) != 2 || got.Messages[0].By != "nrel/ann" || got.Messages[1].Text != "for a thesis" {
		t.Errorf("%+v, %v", got, err)
	}
	k.Pass(time.Hour)
	done, g, err := k.approve(ann, asked.ID, genesis.Approval{Until: day(30), Condition: "!principal.student", Licence: "D1"})
	wantGrant := genesis.Grant{ID: g.ID, Name: r.Name, Version: r.Version, To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}, Until: day(30), Condition: "!principal.student",
		Licence: "D1", Purpose: "to learn", Agreement: agreement, Request: asked.ID, By: "nrel/ann", At: k.Now()}
	if err != nil || cmp.Diff(wantGrant, g) != "" {
		t.Fatalf("%v\n%s", err, cmp.Diff(wantGrant, g))
	}
	if done.State != genesis.RequestApproved || done.Grant != g.ID || done.Decided == nil || !done.Decided.Equal(k.Now()) || done.DecidedBy != "nrel/ann" ||
		!slices.Equal(done.Granted, g.Actions) || !done.Until.Equal(g.Until) || done.Condition != g.Condition {
		t.Errorf("%+v", done)
	}
	rule(t, k.World, mia, genesis.Read, r, "grant")
	_, _, err = k.approve(ann, asked.ID, genesis.Approval{})
	k.want(err, genesis.Conflict, "approved twice")
	k.want(k.deny(ann, asked.ID, "no"), genesis.Conflict, "denied afterwards")
	k.want(k.withdraw(mia, asked.ID), genesis.Conflict, "withdrawn afterwards")
	k.want(k.message(mia, asked.ID, "thanks"), genesis.Conflict, "written afterwards")

	k.Pass(25 * 24 * time.Hour)
	soon, err := k.Expiring(t.Context(), 7*24*time.Hour)
	if err != nil || len(soon) != 1 || soon[0].ID != g.ID {
		t.Errorf("notice: %+v, %v", soon, err)
	}
	renew := genesis.AccessRequest{Name: r.Name, Version: r.Version, By: mia, Purpose: "to go on", Agreement: agreement, Renews: g.ID}
	for what, odd := range map[string]func(*genesis.AccessRequest){
		"a grant that is not there": func(r *genesis.AccessRequest) { r.Renews = "absent" },
		"somebody else's grant":     func(r *genesis.AccessRequest) { r.By = eve },
		"a grant on another name":   func(r *genesis.AccessRequest) { r.Name, r.Version = "other", "" },
	} {
		r := renew
		odd(&r)
		_, err := k.ask(r)
		k.want(err, genesis.NotFound, "renews "+what)
	}
	odd := renew
	odd.By = eve
	_, theirs := k.ask(odd)
	odd.Renews = "absent"
	_, absent := k.ask(odd)
	if strings.ReplaceAll(theirs.Error(), g.ID, "absent") != absent.Error() {
		t.Errorf("who holds no grant is told whether there is one: %v; %v", theirs, absent)
	}
	renew.Actions = []genesis.Action{genesis.Evaluate, genesis.Read}
	again, err := k.ask(renew)
	k.want(err, "", "renewed")
	_, _, err = k.approve(access.Local("nrel"), again.ID, genesis.Approval{Actions: []genesis.Action{genesis.Read, genesis.TrainOn}})
	k.want(err, genesis.Invalid, "approved for more than was asked")
	_, longer, err := k.approve(access.Local("nrel"), again.ID, genesis.Approval{Until: day(60)})
	if err != nil || len(longer.Actions) != 2 {
		t.Fatal(longer, err)
	}
	k.Pass(10 * 24 * time.Hour)
	rule(t, k.World, mia, genesis.Read, r, "grant")
	k.Take(longer.ID)
	if over, err := k.RequestByID(t.Context(), mia, again.ID); err != nil || over.State != genesis.RequestEnded || over.Ended == nil || !over.Ended.Equal(k.Now()) {
		t.Errorf("a request whose grant was revoked: %+v, %v", over, err)
	}
	rule(t, k.World, mia, genesis.Read, r, "no: default")
	_, err = k.ask(genesis.AccessRequest{Name: r.Name, Version: r.Version, By: mia, Purpose: "again", Agreement: agreement, Renews: longer.ID})
	k.want(err, genesis.NotFound, "renews a revoked grant")
}

func TestRequestIsDeniedOrWithdrawn(t *testing.T) {
	k := desk{accesstest.Open(t), t}
	r := accesstest.Dataset("turbines")
	k.Publish(r, genesis.Terms{Tier: genesis.TierControlled})
	ask := genesis.AccessRequest{Name: r.Name, By: mia, Purpose: "to learn"}
	first, err := k.ask(ask)
	k.want(err, "", "asked")
	k.want(k.deny(mia, first.ID, "no"), genesis.Permission, "the asker denies")
	k.want(k.deny(eve, first.ID, "no"), genesis.NotFound, "somebody else denies")
	k.want(k.deny(ann, first.ID, ""), genesis.Invalid, "denied without a reason")
	k.want(k.withdraw(ann, first.ID), genesis.Permission, "a steward withdraws")
	k.want(k.deny(ann, first.ID, "not now"), "", "denied")
	got, err := k.RequestByID(t.Context(), ann, first.ID)
	if err != nil || got.State != genesis.RequestDenied || got.Reason != "not now" || got.DecidedBy != "nrel/ann" {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = k.RequestByID(t.Context(), eve, first.ID)
	k.want(err, genesis.NotFound, "somebody else reads")
	_, err = k.RequestByID(t.Context(), genesis.Principal{}, first.ID)
	k.want(err, genesis.NotFound, "nobody reads")
	_, err = k.RequestByID(t.Context(), ann, "absent")
	k.want(err, genesis.NotFound, "one that is not there is read")
	second, err := k.ask(ask)
	k.want(err, "", "asked again")
	k.want(k.withdraw(eve, second.ID), genesis.NotFound, "somebody else withdraws")
	k.want(k.withdraw(mia, second.ID), "", "withdrawn")
	if got, _ := k.RequestByID(t.Context(), mia, second.ID); got.State != genesis.RequestWithdrawn {
		t.Errorf("%+v", got)
	}
	// Whoever may not steward because of how they signed in decides nothing.
	k.Publish(r, genesis.Terms{Tier: genesis.TierControlled, Sensitivity: genesis.CUI})
	for _, version := range []genesis.Digest{"", r.Version} {
		third, err := k.ask(genesis.AccessRequest{Name: r.Name, Version: version, By: mia, Purpose: "to learn"})
		k.want(err, "", "asked for what is sensitive")
		k.want(k.deny(ann, third.ID, "no"), genesis.NotFound, "denied with one factor")
		k.want(k.deny(edit(ann, mfa), third.ID, "no"), "", "denied with two")
	}
}

func TestRequestChecks(t *testing.T) {
	k := desk{accesstest.Open(t), t}
	good := genesis.AccessRequest{Name: "turbines", By: mia, Purpose: "to learn"}
	for _, tt := range []struct {
		name string
		edit func(*genesis.AccessRequest)
		want genesis.ErrorKind
	}{
		{"name", func(r *genesis.AccessRequest) { r.Name = "Turbines" }, genesis.Invalid},
		{"nobody", func(r *genesis.AccessRequest) { r.By = genesis.Principal{} }, genesis.Invalid},
		{"no purpose", func(r *genesis.AccessRequest) { r.Purpose = "\n " }, genesis.Invalid},
		{"long purpose", func(r *genesis.AccessRequest) { r.Purpose = strings.Repeat("x", 4001) }, genesis.Invalid},
		{"steward", func(r *genesis.AccessRequest) { r.Actions = []genesis.Action{genesis.Steward} }, genesis.Invalid},
		{"project", func(r *genesis.AccessRequest) { r.Project = "absent" }, genesis.NotFound},
		{"good", func(r *genesis.AccessRequest) { r.Purpose = strings.Repeat("x", 4000) }, ""},
	} {
		r := good
		tt.edit(&r)
		_, err := k.ask(r)
		k.want(err, tt.want, tt.name)
	}
	for i := range 99 {
		r := good
		r.Name = genesis.Name(fmt.Sprintf("other-%d", i))
		_, err := k.ask(r)
		k.want(err, "", "one of many")
	}
	r := good
	r.Name = "one-more"
	_, err := k.ask(r)
	k.want(err, genesis.Conflict, "the 101st open request")
	r.By = eve
	_, err = k.ask(r)
	k.want(err, "", "somebody else's first")
}

func TestRequestForProject(t *testing.T) {
	k := desk{accesstest.Open(t), t}
	r := accesstest.Dataset("turbines")
	k.Publish(r, genesis.Terms{Tier: genesis.TierControlled})
	k.Do(func(ctx context.Context, tx *sql.Tx) error {
		return k.PutProject(ctx, tx, genesis.Project{ID: "wind", Lead: "mit/mia", Members: []genesis.PersonID{"nrel/bob"}, By: "nrel/ann", Until: day(5)})
	})
	ask := genesis.AccessRequest{Name: r.Name, By: bob, Purpose: "to learn", Project: "wind", Actions: []genesis.Action{genesis.TrainOn}}
	asked, err := k.ask(ask)
	k.want(err, "", "a member asks")
	_, err = k.ask(genesis.AccessRequest{Name: r.Name, By: bob, Purpose: "to learn", Actions: ask.Actions})
	k.want(err, "", "the member asks for themselves")
	ask.By = eve
	_, theirs := k.ask(ask)
	k.want(theirs, genesis.NotFound, "somebody else asks")
	ask.Project = "sun"
	_, absent := k.ask(ask)
	if strings.ReplaceAll(theirs.Error(), "wind", "sun") != absent.Error() {
		t.Errorf("who is in no project is told whether there is one: %v; %v", theirs, absent)
	}
	ask.Project = "wind"
	_, g, err := k.approve(ann, asked.ID, genesis.Approval{})
	if err != nil || g.To != "project:wind" {
		t.Fatal(g, err)
	}
	rule(t, k.World, mia, genesis.TrainOn, r, "grant")
	ask.By, ask.Renews = mia, g.ID
	_, err = k.ask(ask)
	k.want(err, "", "another member renews")
	k.Pass(5 * 24 * time.Hour)
	ask.Renews = ""
	ask.By = bob
	_, err = k.ask(ask)
	k.want(err, genesis.NotFound, "asked after the project's end")
}

// TestRequestOfOwnNames has the owner of ~dee/… answer requests for it.
func TestRequestOfOwnNames(t *testing.T) {
	k := desk{accesstest.Open(t), t}
	dee := accesstest.Person("nrel", "dee")
	r := accesstest.Dataset("~dee/data")
	k.Publish(r, genesis.Terms{Tier: genesis.TierControlled, By: "nrel/dee"})
	asked, err := k.ask(genesis.AccessRequest{Name: r.Name, By: mia, Purpose: "to learn"})
	k.want(err, "", "asked")
	_, _, err = k.approve(accesstest.Person("acme", "dee"), asked.ID, genesis.Approval{})
	k.want(err, genesis.NotFound, "a namesake approves")
	_, _, err = k.approve(dee, asked.ID, genesis.Approval{})
	k.want(err, "", "the owner approves")
	rule(t, k.World, mia, genesis.Read, r, "grant")
	less, err := k.ask(genesis.AccessRequest{Name: r.Name, By: eve, Purpose: "to learn", Actions: []genesis.Action{genesis.Read, genesis.TrainOn}})
	k.want(err, "", "asked for two actions")
	if _, g, err := k.approve(dee, less.ID, genesis.Approval{Actions: []genesis.Action{genesis.TrainOn}}); err != nil || !slices.Equal(g.Actions, []genesis.Action{genesis.TrainOn}) {
		t.Errorf("one of two is granted: %+v, %v", g, err)
	}
	r2 := accesstest.Dataset("own")
	k.Publish(r2, genesis.Terms{Tier: genesis.TierControlled})
	mine, err := k.ask(genesis.AccessRequest{Name: r2.Name, By: ann, Purpose: "to learn"})
	k.want(err, "", "a steward asks")
	_, _, err = k.approve(ann, mine.ID, genesis.Approval{})
	k.want(err, genesis.Permission, "a steward approves what they ask for")
	k.want(k.deny(ann, mine.ID, "no"), genesis.Permission, "a steward denies what they ask for")
	local, err := k.ask(genesis.AccessRequest{Name: r2.Name, By: access.Local("nrel"), Purpose: "to learn"})
	k.want(err, "", "the owner of the home asks")
	_, _, err = k.approve(access.Local(""), local.ID, genesis.Approval{})
	k.want(err, "", "the owner of the home approves")
	namesake := accesstest.Person("mit", "local", genesis.Duties...)
	other, err := k.ask(genesis.AccessRequest{Name: r2.Name, By: namesake, Purpose: "to learn"})
	k.want(err, "", "the owner of another home asks")
	_, _, err = k.approve(namesake, other.ID, genesis.Approval{})
	k.want(err, genesis.Permission, "the owner of another home approves what they ask for here")
}

// TestRequestByToken reads one's own request with narrowed tokens.
func TestRequestByToken(t *testing.T) {
	k := desk{accesstest.Open(t), t}
	r := accesstest.Dataset("turbines")
	k.Publish(r, genesis.Terms{Tier: genesis.TierControlled})
	asked, err := k.ask(genesis.AccessRequest{Name: r.Name, By: mia, Purpose: "to learn"})
	k.want(err, "", "asked")
	for scope, want := range map[genesis.Scope]genesis.ErrorKind{
		"request": "", "request:turbines": "", "steward": "", "request:other": genesis.NotFound, "read": genesis.NotFound, "discover": genesis.NotFound,
	} {
		narrowed := edit(mia, func(p *genesis.Principal) { p.Scopes = []genesis.Scope{scope} })
		_, err := k.RequestByID(t.Context(), narrowed, asked.ID)
		k.want(err, want, "read with a token of scope "+string(scope))
	}
}

func TestListRequests(t *testing.T) {
	k := desk{accesstest.Open(t), t}
	var ids []string
	for i := range 5 {
		r, err := k.ask(genesis.AccessRequest{Name: []genesis.Name{"a", "~dee/b"}[i%2], By: accesstest.Person("mit", fmt.Sprintf("p%d", i)), Purpose: "to learn"})
		k.want(err, "", "asked")
		ids = append([]string{r.ID}, ids...)
	}
	k.want(k.withdraw(accesstest.Person("mit", "p0"), ids[4]), "", "withdrawn")
	for _, tt := range []struct {
		q    access.RequestQuery
		want []string
		next string
	}{
		{access.RequestQuery{}, ids, ""},
		{access.RequestQuery{Limit: 2}, ids[:2], ids[1]},
		{access.RequestQuery{Limit: 2, After: ids[1]}, ids[2:4], ids[3]},
		{access.RequestQuery{Limit: 2, After: ids[3]}, ids[4:], ""},
		{access.RequestQuery{State: genesis.RequestOpen}, ids[:4], ""},
		{access.RequestQuery{Name: "a", State: genesis.RequestOpen}, []string{ids[0], ids[2]}, ""},
		{access.RequestQuery{Of: "dee"}, []string{ids[1], ids[3]}, ""},
		{access.RequestQuery{Of: "mit/dee"}, nil, ""},
		{access.RequestQuery{Of: "mit/p3"}, ids[1:2], ""},
		{access.RequestQuery{Of: "nrel/dee", State: genesis.RequestOpen, Name: "~dee/b"}, []string{ids[1], ids[3]}, ""},
		{access.RequestQuery{By: "mit/p3"}, ids[1:2], ""},
		{access.RequestQuery{By: "nrel/p3"}, nil, ""},
	} {
		page, next, err := k.Requests(t.Context(), tt.q)
		var got []string
		for _, r := range page {
			got = append(got, r.ID)
		}
		if err != nil || cmp.Diff(tt.want, got) != "" || next != tt.next {
			t.Errorf("%+v gives %v, %q, %v, want %v, %q", tt.q, got, next, err, tt.want, tt.next)
		}
	}
	_, _, err := k.Requests(t.Context(), access.RequestQuery{After: "absent"})
	k.want(err, genesis.Invalid, "a made-up cursor")
}

func TestManyMessages(t *testing.T) {
	k := desk{accesstest.Open(t), t}
	r, err := k.ask(genesis.AccessRequest{Name: "a", By: mia, Purpose: "to learn"})
	k.want(err, "", "asked")
	for range 200 {
		k.want(k.message(mia, r.ID, "please"), "", "one of many")
	}
	k.want(k.message(mia, r.ID, "please"), genesis.Conflict, "the 201st message")
}
