package work_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/work"
)

// twin reaches another service of the same process as a node of its own.
type twin struct {
	*work.Service
	lie  func(*genesis.Bundle) // changes what it says
	mute bool                  // it has no blobs
	sent atomic.Int64
}

func (w *twin) Get(ctx context.Context, who genesis.Principal, _ genesis.NodeID, path string, h http.Header) (*http.Response, error) {
	at, err := url.PathUnescape(strings.TrimPrefix(path, "/versions/"))
	if err != nil {
		return nil, err
	}
	who.Duties = nil
	ref, rest, _ := strings.Cut(at, "/")
	if rest == "bundle" {
		b, err := w.Bundle(ctx, who, ref)
		if err != nil {
			return nil, err
		}
		if w.lie != nil {
			w.lie(b)
		}
		text, err := json.Marshal(b)
		return &http.Response{StatusCode: 200, Body: io.NopCloser(bytes.NewReader(text))}, err
	}
	if w.mute {
		return nil, &genesis.Error{Kind: genesis.NotFound, Msg: "is no blob of it"}
	}
	digest, leaves := strings.CutSuffix(strings.TrimPrefix(rest, "blobs/"), "/leaves")
	if leaves {
		raw, err := w.BlobLeaves(ctx, who, ref, genesis.Digest(digest))
		return &http.Response{StatusCode: 200, Body: io.NopCloser(bytes.NewReader(raw))}, err
	}
	r, b, err := w.VersionBlob(ctx, who, ref, genesis.Digest(digest))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req.Header = h
	rec := httptest.NewRecorder()
	http.ServeContent(rec, req, "", time.Time{}, io.NewSectionReader(r.(io.ReaderAt), 0, b.Size))
	w.sent.Add(int64(rec.Body.Len()))
	return rec.Result(), nil
}

// twins are two nodes, of which "here" reaches "there".
func twins(t *testing.T) (here *work.Service, there *twin) {
	t.Helper()
	charter := access.Chartered(genesis.Member{ID: "here"}, genesis.Member{ID: "there"})
	owner, _ := work.OpenTest(t, func(c *work.Config) { c.Node, c.Charter = "there", charter })
	there = &twin{Service: owner}
	here, _ = work.OpenTest(t, func(c *work.Config) { c.Charter, c.Peers = charter, there })
	return here, there
}

var ada = genesis.Principal{Subject: "ada", Node: "here", Assurance: genesis.AssurancePassword}

func publishedThere(t *testing.T, there *twin, name string, tier genesis.Tier, rows int) {
	t.Helper()
	boss := access.Local("there")
	req := genesis.PrepareRequest{Name: genesis.Name(name), Options: genesis.PrepareOptions{Target: []string{"power"}, NoProof: true}}
	if _, err := there.Prepare(t.Context(), boss, req, raws(rows), nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := there.Answer(t.Context(), boss, name, "person:owner_e_mail", "invented"); err != nil {
		t.Fatal(err)
	}
	if _, err := there.Publish(t.Context(), boss, name, genesis.PublishRequest{Tier: tier}); err != nil {
		t.Fatal(err)
	}
}

// TestCopyIsWhole: a copy has the digest and says what the version says, and what it owes
// is in force; the second moves nothing.
func TestCopyIsWhole(t *testing.T) {
	here, there := twins(t)
	publishedThere(t, there, "turbines", genesis.TierRegistered, 300)
	got, err := here.Pull(t.Context(), ada, genesis.PullRequest{Ref: "there/turbines@1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Version.Name != "~ada/turbines" || got.Version.State != genesis.Draft || got.Unchanged || got.Copied.From.Node != "there" || got.Copied.Number != 1 || got.Copied.By != "here/ada" {
		t.Errorf("%+v", got)
	}
	a, err := there.Describe(t.Context(), access.Local("there"), "turbines")
	if err != nil {
		t.Fatal(err)
	}
	b, err := here.Describe(t.Context(), ada, "~ada/turbines")
	if err != nil {
		t.Fatal(err)
	}
	if b.Version.Digest != a.Version.Digest || b.Version.Rows != a.Version.Rows || b.Version.Bytes != a.Version.Bytes {
		t.Errorf("%+v for %+v", b.Version, a.Version)
	}
	for i := range a.Findings { // people of there are named so from here
		if f := &a.Findings[i]; f.By != "" {
			f.By = "there/" + f.By
		}
	}
	for what, pair := range map[string][2]any{"manifest": {a.Manifest, b.Manifest}, "recipe": {a.Recipe, b.Recipe}, "splits": {a.Splits, b.Splits},
		"profile": {a.Profile, b.Profile}, "findings": {a.Findings, b.Findings}, "card": {a.Card, b.Card}, "readiness": {a.Readiness, b.Readiness}, "sources": {a.Provenance.Sources, b.Provenance.Sources}} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	ids := map[string]bool{} // by which the entries of both nodes are known to be of one act
	for _, s := range []*work.Service{here, there.Service} {
		if err := s.Journal.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		page, err := s.Journal.Query(t.Context(), genesis.AuditQuery{Act: "pull"})
		if err != nil || len(page.Entries) != 1 || page.Entries[0].Version != a.Version.Digest {
			t.Fatalf("%+v, %v", page, err)
		}
		var d struct{ Pull string }
		if err := json.Unmarshal(page.Entries[0].Detail, &d); err != nil {
			t.Fatal(err)
		}
		ids[d.Pull] = true
	}
	if len(ids) != 1 || ids[""] {
		t.Errorf("the entries have the ids %v", ids)
	}
	if v, err := here.Verify(t.Context(), ada, "~ada/turbines", nil); err != nil || len(v.Damage) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
	c, err := here.Conditions(t.Context(), ada, "~ada/turbines")
	if err != nil || len(c.Constraints) != 1 || c.Constraints[0].Source.String() != "there/turbines@"+string(a.Version.Digest) {
		t.Errorf("%+v, %v", c, err)
	}
	sent := there.sent.Load()
	got, err = here.Pull(t.Context(), ada, genesis.PullRequest{Ref: "there/turbines"}, nil)
	if err != nil || !got.Unchanged || got.Moved != 0 || there.sent.Load() != sent {
		t.Errorf("again: %+v, %v; %d bytes", got, err, there.sent.Load()-sent)
	}
	if _, err := here.Pull(t.Context(), ada, genesis.PullRequest{Ref: "there/turbines", Name: "turbines"}, nil); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("ada, who is no steward, takes a name of the node: %v", err)
	}
	if _, err := here.Pull(t.Context(), genesis.Principal{Subject: "bob", Node: "there"}, genesis.PullRequest{Ref: "there/turbines"}, nil); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("a guest has the node copy: %v", err)
	}
}

// TestStewardsFindTheirCopies: a copy that its source keeps from stewards is found by the
// steward whose it is, and by the home's owner, and by no other steward.
func TestStewardsFindTheirCopies(t *testing.T) {
	here, there := twins(t)
	publishedThere(t, there, "secret", genesis.TierControlled, 200)
	sam := genesis.Principal{Subject: "sam", Node: "here", Assurance: genesis.AssurancePassword, Duties: []genesis.Duty{genesis.DutySteward}}
	pat := sam
	pat.Subject = "pat"
	hidden := true
	boss := access.Local("there")
	if _, err := there.Publish(t.Context(), boss, "secret", genesis.PublishRequest{Hidden: &hidden}); err != nil {
		t.Fatal(err)
	}
	if _, err := there.Grant(t.Context(), boss, genesis.GrantRequest{Ref: "secret", To: "person:here/sam", Actions: []genesis.Action{genesis.Read}}); err != nil {
		t.Fatal(err)
	}
	if _, err := here.Pull(t.Context(), sam, genesis.PullRequest{Ref: "there/secret"}, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		who  genesis.Principal
		want int
	}{{sam, 1}, {access.Local("here"), 1}, {pat, 0}, {ada, 0}} {
		listed, _, err := here.List(t.Context(), c.who, "", "", 10)
		if err != nil || len(listed) != c.want {
			t.Errorf("%s lists %v, %v", c.who.Person(), listed, err)
		}
		if found, err := here.Search(t.Context(), c.who, genesis.SearchQuery{}); err != nil || found.Total != c.want {
			t.Errorf("%s finds %d, want %d, %v", c.who.Person(), found.Total, c.want, err)
		}
	}
}

// TestOwnContentStaysOwn: what was made here owes nothing to a node that has the same.
func TestOwnContentStaysOwn(t *testing.T) {
	here, there := twins(t)
	publishedThere(t, there, "turbines", genesis.TierRegistered, 50)
	own := prepared(t, here, genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{Target: []string{"power"}, NoProof: true}}, raws(50)...)
	got, err := here.Pull(t.Context(), me, genesis.PullRequest{Ref: "there/turbines", Name: "turbines"}, nil)
	if err != nil || !got.Unchanged || got.Moved != 0 || len(got.Owes) != 0 || got.Version.Digest != own.Version.Digest {
		t.Errorf("%+v, %v", got, err)
	}
	if c, err := here.Conditions(t.Context(), me, "turbines"); err != nil || len(c.Constraints) != 0 {
		t.Errorf("%+v, %v", c.Constraints, err)
	}
}

// TestNobodyNamesBytesToHaveThem: that another node says so, and that the bytes are here, is
// no reason to give them to whoever pulls.
func TestNobodyNamesBytesToHaveThem(t *testing.T) {
	here, there := twins(t)
	secret := prepared(t, here, genesis.PrepareRequest{Name: "secret", Options: genesis.PrepareOptions{Target: []string{"power"}, NoProof: true}}, raws(60)...)
	publishedThere(t, there, "turbines", genesis.TierRegistered, 60) // it has it by heart: the same content
	there.mute = true                                                // but sends none of it
	if got, err := here.Pull(t.Context(), ada, genesis.PullRequest{Ref: "there/turbines"}, nil); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("ada has %+v, %v", got, err)
	}
	if _, err := here.Describe(t.Context(), ada, "~ada/turbines"); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("there is a copy: %v", err)
	}
	if got, err := here.Pull(t.Context(), me, genesis.PullRequest{Ref: "there/turbines"}, nil); err != nil || got.Version.Digest != secret.Version.Digest || got.Moved != 0 {
		t.Errorf("who may read it here does not get it: %+v, %v", got, err)
	}

	// Nor by a record that names them.
	there.mute = false
	publishedThere(t, there, "other", genesis.TierRegistered, 70)
	there.lie = func(b *genesis.Bundle) { b.Splits[0].Assignment = secret.Splits[0].Assignment }
	if _, err := here.Pull(t.Context(), ada, genesis.PullRequest{Ref: "there/other"}, nil); genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), "does not list") {
		t.Errorf("a record names them: %v", err)
	}
}

// TestCopiesThatAreNot: the values are those that the version is named by, or there is no
// copy, however well the bytes arrive.
func TestCopiesThatAreNot(t *testing.T) {
	_, there := twins(t)
	publishedThere(t, there, "turbines", genesis.TierRegistered, 80)
	publishedThere(t, there, "shifted", genesis.TierRegistered, -80)
	other, err := there.Bundle(t.Context(), ada, "shifted")
	if err != nil {
		t.Fatal(err)
	}
	there.lie = func(b *genesis.Bundle) {
		if b.Version.Name == "turbines" {
			b.Layout, b.Bytes = other.Layout, b.Bytes+other.Bytes
		}
	}
	liar := &lender{twin: there, blobs: other.Version.Ref().String(), of: other.Layout}
	here, _ := work.OpenTest(t, func(c *work.Config) {
		c.Charter, c.Peers = access.Chartered(genesis.Member{ID: "here"}, genesis.Member{ID: "there"}), liar
	})
	_, err = here.Pull(t.Context(), ada, genesis.PullRequest{Ref: "there/turbines"}, nil)
	if genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), "its values are not those the version was named by") {
		t.Errorf("%v", err)
	}
	if all, _, err := here.List(t.Context(), ada, "", "", 10); err != nil || len(all) != 0 {
		t.Errorf("there is %v, %v", all, err)
	}
}

// lender sends blobs of another version as those of the one that was asked for.
type lender struct {
	*twin
	blobs string
	of    genesis.Layout
}

func (l *lender) Get(ctx context.Context, who genesis.Principal, node genesis.NodeID, path string, h http.Header) (*http.Response, error) {
	for _, files := range l.of.Tables {
		for _, f := range files {
			if _, rest, ok := strings.Cut(path, "/blobs/"); ok && strings.HasPrefix(rest, string(f.Digest)) {
				path = "/versions/" + url.PathEscape(l.blobs) + "/blobs/" + rest
			}
		}
	}
	return l.twin.Get(ctx, who, node, path, h)
}

// TestWhatIsRestrictedStays: its node says why, and what to do instead.
func TestWhatIsRestrictedStays(t *testing.T) {
	here, there := twins(t)
	publishedThere(t, there, "secret", genesis.TierRestricted, 40)
	boss := access.Local("there")
	if _, err := here.Pull(t.Context(), ada, genesis.PullRequest{Ref: "there/secret"}, nil); genesis.KindOf(err) != genesis.NotFound && genesis.KindOf(err) != genesis.Private {
		t.Errorf("to who may not know of it: %v", err)
	}
	if _, err := there.Grant(t.Context(), boss, genesis.GrantRequest{Ref: "secret", To: "person:here/ada", Actions: []genesis.Action{genesis.TrainOn}}); err != nil {
		t.Fatal(err)
	}
	_, err := here.Pull(t.Context(), ada, genesis.PullRequest{Ref: "there/secret"}, nil)
	var e *genesis.Error
	if genesis.KindOf(err) != genesis.Permission || !strings.Contains(err.Error(), "never leave") || !errors.As(err, &e) || !strings.Contains(e.Hint, "genesis train") {
		t.Errorf("%v", err)
	}
}

// TestRevokedThereEndsHere: what a copy owes to a grant ends with it, once that is told.
func TestRevokedThereEndsHere(t *testing.T) {
	here, there := twins(t)
	publishedThere(t, there, "secret", genesis.TierControlled, 40)
	g, err := there.Grant(t.Context(), access.Local("there"), genesis.GrantRequest{Ref: "secret", To: "person:here/ada", Actions: []genesis.Action{genesis.Read}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := here.Pull(t.Context(), ada, genesis.PullRequest{Ref: "there/secret"}, nil); err != nil {
		t.Fatal(err)
	}
	read := func() error { return here.Export(t.Context(), ada, "~ada/secret", "", "csv", nil, io.Discard, nil) }
	if err := read(); err != nil {
		t.Fatal(err)
	}
	err = here.DB.Tx(t.Context(), func(tx *sql.Tx) error { return here.EndLeaves(t.Context(), tx, "there", g.ID, "a mistake") })
	here.Access.Changed()
	if err != nil || genesis.KindOf(read()) != genesis.Permission {
		t.Errorf("%v; she reads: %v", err, read())
	}
	if _, err := here.Describe(t.Context(), ada, "~ada/secret"); err != nil {
		t.Errorf("she does not know of her own copy: %v", err)
	}
	if _, err := here.Erase(t.Context(), ada, "~ada/secret", "it is over"); err != nil {
		t.Errorf("she cannot erase it: %v", err)
	}
}

// raws is a table of so many rows; below zero, of as many others.
func raws(rows int) []*format.Raw {
	if rows < 0 {
		return []*format.Raw{raw("turbines.csv", turbines(1000, -rows))}
	}
	return []*format.Raw{raw("turbines.csv", turbines(0, rows))}
}
