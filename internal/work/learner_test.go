package work

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
)

// TestLearnersOfANode: another node's people are as many as it says. What all of them train
// on is compared, and who has a grant because of their node shares its trainings.
func TestLearnersOfANode(t *testing.T) {
	service, _ := OpenTest(t, func(c *Config) {
		c.Charter = access.Chartered(genesis.Member{ID: "here", Sector: genesis.Laboratory}, genesis.Member{ID: "mit", Sector: genesis.University},
			genesis.Member{ID: "mit0", Sector: genesis.University}, genesis.Member{ID: "acme", Sector: genesis.Industry})
	})
	s := &school{T: t, Service: service, me: access.Local("here")}
	s.publish("data", map[string]string{"rows": ward(0, 300)})
	s.publish("data", map[string]string{"rows": ward(0, 299)})
	s.publish("more", map[string]string{"rows": ward(2000, 2400)})
	for _, to := range []genesis.Grantee{"institution:mit", "sector:university", "institution:acme", "person:mit/ned"} {
		for _, ref := range []string{"data", "more"} {
			s.must(s.Grant(t.Context(), s.me, genesis.GrantRequest{Ref: ref, To: to, Actions: []genesis.Action{genesis.TrainOn}}))
		}
	}
	s.must(s.Publish(t.Context(), s.me, "more", genesis.PublishRequest{Training: &genesis.TrainingTerms{Targets: []string{"y"}, Features: []string{"a"}, Runs: 3}}))
	for i, c := range []struct {
		who  genesis.PersonID
		ref  string
		rule string // "" is allowed
		says string
	}{
		{"mit/p0", "data@1", "", ""},
		{"mit/p1", "data@2", "unread-difference", "people of mit have trained on"},
		{"mit/ned", "data@2", "unread-difference", "people of mit have trained on"},
		{"mit/p1", "data@1", "", ""},
		{"mit0/p0", "data@2", "", ""}, // no other node pays for it
		{"acme/p0", "data@2", "", ""},
		{"mit/p0", "more", "", ""},
		{"mit/p1", "more", "", ""},
		{"mit/p2", "more", "", ""},
		{"mit/p3", "more", "unread-budget", "people of mit have trained on this version 3 times"},
		{"mit/ned", "more", "", ""}, // a steward named him: he has his own
		{"mit/ned", "more", "", ""},
		{"mit/ned", "more", "", ""},
		{"mit/ned", "more", "unread-budget", "you have trained on this version 3 times"},
		{"mit0/p0", "more", "", ""},
	} {
		node, subject := c.who.Split("")
		who := genesis.Principal{Node: node, Subject: subject, Assurance: genesis.AssurancePassword}
		req := genesis.TrainRequest{Dataset: c.ref, Target: []string{"y"}, Name: genesis.Name(fmt.Sprintf("~%s+%s/net", subject, node))}
		err := s.allowTraining(t.Context(), who, req, &pinned{})
		var out *outOfBounds
		if errors.As(err, &out); err != nil && out == nil {
			t.Fatalf("%d: %v", i, err)
		}
		if (err != nil) != (c.rule != "") || err != nil && (out.rule != c.rule || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%d: %s trains on %s: %v, want %q", i, c.who, c.ref, err, c.rule)
		}
	}
}

// must stops the test when something cannot be done.
func (s *school) must(_ any, err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}
