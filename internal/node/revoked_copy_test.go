//go:build linux || darwin

package node

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// reads reports whether the owner of a home may read a copy that is there.
func (w *town) reads(name string) error {
	return w.works.Export(w.Context(), w.local, name, "", "csv", nil, io.Discard, nil)
}

// TestRevokedGrantsEndCopies: whomever a grant reaches, a person, a sector or a project of a third
// node, what was copied by it ends when it is taken back.
func TestRevokedGrantsEndCopies(t *testing.T) {
	c := newCluster(t, "nrel", "mit", "ornl")
	nrel, mit, ornl := c.towns["nrel"], c.towns["mit"], c.towns["ornl"]
	ornl.must(ornl.works.PutProject(t.Context(), ornl.local, "wind", genesis.ProjectRequest{Members: &[]genesis.PersonID{"mit/local"}}))
	c.eventually("mit hears of the project", func() bool {
		page, err := mit.works.Projects(t.Context(), mit.local, "", 0)
		all, err2 := mit.works.TokensOf(t.Context(), "mit/local")
		return err == nil && len(page.Projects) == 1 && err2 == nil && len(all) == 1
	})
	for name, to := range map[string]genesis.Grantee{"ofperson": "person:mit/local", "ofsector": "sector:university", "ofproject": "project:ornl/wind"} {
		nrel.publish(name, controlled())
		g, err := nrel.works.Grant(t.Context(), nrel.local, genesis.GrantRequest{Ref: name, To: to, Actions: []genesis.Action{genesis.Read}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := mit.works.Pull(t.Context(), mit.local, genesis.PullRequest{Ref: "nrel/" + name}, nil)
		if err != nil {
			t.Fatalf("%s: %v", to, err)
		}
		copied := string(got.Version.Name)
		if err := mit.reads(copied); err != nil {
			t.Fatalf("%s: %v", to, err)
		}
		nrel.must(nrel.works.Revoke(t.Context(), nrel.local, g.ID, "it is over"))
		began := time.Now()
		for mit.reads(copied) == nil {
			if time.Since(began) > 5*time.Second {
				t.Errorf("%s: what was copied by a grant that was revoked is read", to)
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// TestRevokedWhileCopied: a grant that is taken back when all bytes have come, and before there is a
// version, opens none.
func TestRevokedWhileCopied(t *testing.T) {
	c := newCluster(t, "nrel", "mit", "ornl")
	nrel, mit, ornl := c.towns["nrel"], c.towns["mit"], c.towns["ornl"]
	nrel.publish("turbines", controlled())
	grants := map[string]string{}
	for _, to := range []string{"mit", "ornl"} {
		g, err := nrel.works.Grant(t.Context(), nrel.local, genesis.GrantRequest{Ref: "turbines", To: genesis.Grantee("person:" + to + "/local"), Actions: []genesis.Action{genesis.Read}})
		if err != nil {
			t.Fatal(err)
		}
		grants[to] = g.ID
	}
	var asked atomic.Int64
	count := func(w http.ResponseWriter, r *http.Request, node http.Handler) {
		if strings.Contains(r.URL.Path, "/blobs/") {
			asked.Add(1)
		}
		node.ServeHTTP(w, r)
	}
	c.lies("nrel", count)
	ornl.must(ornl.works.Pull(t.Context(), ornl.local, genesis.PullRequest{Ref: "nrel/turbines"}, nil))
	last := asked.Swap(0)
	heard := make(chan struct{})
	c.lies("nrel", func(w http.ResponseWriter, r *http.Request, node http.Handler) {
		if !strings.Contains(r.URL.Path, "/blobs/") {
			node.ServeHTTP(w, r)
			return
		}
		told := httptest.NewRecorder()
		node.ServeHTTP(told, r)
		if asked.Add(1) == last {
			nrel.must(nrel.works.Revoke(t.Context(), nrel.local, grants["mit"], "it is over"))
			nrel.works.post.Wake()
			c.eventually("mit hears that it was revoked", func() bool {
				page, err := mit.works.Grants(t.Context(), mit.local, genesis.GrantQuery{Mine: true, Ended: true})
				return err == nil && len(page.Grants) == 1 && page.Grants[0].Revoked != nil
			})
			close(heard)
		}
		maps.Copy(w.Header(), told.Header())
		w.WriteHeader(told.Code)
		_, _ = w.Write(told.Body.Bytes())
	})
	got, err := mit.works.Pull(t.Context(), mit.local, genesis.PullRequest{Ref: "nrel/turbines"}, nil)
	<-heard
	t.Logf("pull: %v", err)
	if err == nil && mit.reads(string(got.Version.Name)) == nil {
		t.Error("what was revoked before it was a copy is read")
	}
}

// TestLeftProjectEndsCopies: what was copied by a grant to a project ends for who is put out
// of it, with the project, and when its time is over: whether its home is that of the owner,
// of the copy or a third node.
func TestLeftProjectEndsCopies(t *testing.T) {
	c := newCluster(t, "nrel", "mit", "ornl")
	nrel, mit := c.towns["nrel"], c.towns["mit"]
	mit.must(mit.works.CreateAccount(t.Context(), mit.local, genesis.AccountRequest{Subject: "eve", Service: true}))
	put := func(at *town, id string, req genesis.ProjectRequest) {
		t.Helper()
		at.must(at.works.PutProject(t.Context(), at.local, id, req))
	}
	ends := map[string]func(at *town){
		"out":  func(at *town) { put(at, "out", genesis.ProjectRequest{Members: &[]genesis.PersonID{}}) },
		"over": func(at *town) { at.must(at.works.EndProject(t.Context(), at.local, "over")) },
		"brief": func(at *town) {
			soon := time.Now().Add(2 * time.Second)
			put(at, "brief", genesis.ProjectRequest{Until: &soon})
		},
	}
	for home, at := range c.towns {
		lead := genesis.PersonID(home + "/local")
		if home == "mit" { // who copies is not its lead
			lead = "mit/eve"
		}
		for id := range ends {
			put(at, id, genesis.ProjectRequest{Lead: lead, Members: &[]genesis.PersonID{"mit/local"}})
		}
	}
	c.eventually("mit hears of the projects", func() bool {
		all, err := mit.works.TokensOf(t.Context(), "mit/local")
		return err == nil && len(all) == 2*len(ends)
	})
	for home, at := range c.towns {
		for id, end := range ends {
			name := string(home) + "-" + id
			nrel.publish(name, controlled())
			nrel.must(nrel.works.Grant(t.Context(), nrel.local, genesis.GrantRequest{Ref: name, To: genesis.Grantee("project:" + string(home) + "/" + id), Actions: []genesis.Action{genesis.Read}}))
			got, err := mit.works.Pull(t.Context(), mit.local, genesis.PullRequest{Ref: "nrel/" + name}, nil)
			if err != nil {
				t.Fatal(name, err)
			}
			copied := string(got.Version.Name)
			if err := mit.reads(copied); err != nil {
				t.Fatal(name, err)
			}
			end(at)
			c.eventually(name+" is not read any more", func() bool { return mit.reads(copied) != nil })
		}
	}
}
