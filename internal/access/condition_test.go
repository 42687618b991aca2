package access_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

func TestConditions(t *testing.T) {
	p := genesis.Principal{Subject: "mia", Node: "mit", Institution: "MIT", Sector: genesis.University, Assurance: genesis.AssuranceMFA,
		Vetting: genesis.Vetted, Citizenship: genesis.USPerson, Student: true, Projects: []string{"wind"}, Purpose: "Wind farms"}
	now := time.Date(2027, 3, 4, 5, 6, 7, 0, time.UTC)
	for text, want := range map[string]bool{
		`true`:  true,
		`false`: false,
		`principal.subject == "mia" && principal.node == "mit" && principal.institution == "MIT" && principal.sector == "university"`: true,
		`principal.assurance == "mfa" && principal.vetting == "vetted" && principal.citizenship == "us-person" && principal.student`:  true,
		`"wind" in principal.projects && principal.projects.exists(p, p.startsWith("wi"))`:                                            true,
		`purpose.lowerAscii().contains("wind")`:                  true,
		`purpose.matches("^Wind")`:                               true,
		`now == timestamp("2027-03-04T05:06:07Z")`:               true,
		`now < timestamp("2027-01-01T00:00:00Z")`:                false,
		`now.getHours() < 12`:                                    true,
		`1 / 0 == 1`:                                             false, // no answer
		`principal.projects[7] == "x"`:                           false,
		`principal.subject != "mia"`:                             false,
		`"a".replace("", "bbbbbbbbbbbbbbbbbbbbbbbb").size() > 0`: true,
		`[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, a+b+c+d > 0))))`: false, // costs too much
	} {
		got, err := access.EvalCondition(text, p, now)
		if err != nil || got != want {
			t.Errorf("%s is %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		``, `1`, `"yes"`, `principal`, `principal.name == "x"`, `subject == "mia"`, `principal.subject == 1`, `purpose ==`, `now < "2027"`,
		`principal.projects`, nested(50), `"` + strings.Repeat("x", 993) + `" != ""`, `"` + strings.Repeat("é", 500) + `" != ""`,
		"true && true\nprincipal.sectr == 'x'",
	} {
		if _, err := access.EvalCondition(text, p, now); genesis.KindOf(err) != genesis.Invalid || strings.Contains(err.Error(), "\n\n") {
			t.Errorf("%.60s is taken: %v", text, err)
		}
	}
}

// nested is a condition in brackets.
func nested(n int) string { return strings.Repeat("(", n) + "true" + strings.Repeat(")", n) }

// TestConditionsAreBounded has the longest and the deepest that are taken.
func TestConditionsAreBounded(t *testing.T) {
	for _, text := range []string{nested(49), `"` + strings.Repeat("x", 992) + `" != ""`} {
		if got, err := access.EvalCondition(text, mia, accesstest.Epoch); err != nil || !got {
			t.Errorf("%d bytes, %.9s…: %v, %v", len(text), text, got, err)
		}
	}
}

// TestConditionsOnTime has a condition turn by itself.
func TestConditionsOnTime(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierControlled})
	w.GiveThis(genesis.Grant{Name: r.Name, To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}, Condition: `now < timestamp("2027-01-01T01:00:00Z")`})
	d := w.Answer(mia, genesis.Read, r)
	if !d.Allowed || d.Until.IsZero() || d.Until.After(w.Now().Add(time.Second)) {
		t.Errorf("%+v", d)
	}
	w.Pass(time.Hour - 1)
	rule(t, w, mia, genesis.Read, r, "grant")
	w.Pass(time.Second)
	rule(t, w, mia, genesis.Read, r, "no: default")
	rule(t, w, mia, genesis.Discover, r, "controlled")
}

// TestPurposeIsNotKeptForAnother asks for two purposes in turn, with and without a
// condition that looks at them.
func TestPurposeIsNotKeptForAnother(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierControlled})
	wind := edit(mia, func(p *genesis.Principal) { p.Purpose = "wind" })
	sun := edit(mia, func(p *genesis.Principal) { p.Purpose = "sun" })
	both := func(first, second string) {
		t.Helper()
		for range 3 {
			rule(t, w, wind, genesis.Read, r, first)
			rule(t, w, sun, genesis.Read, r, second)
		}
	}
	both("no: default", "no: default")
	if n := w.Stats().Kept; n != 1 {
		t.Errorf("%d answers are kept for one question", n)
	}
	w.Take(w.GiveThis(genesis.Grant{Name: "other", To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}, Condition: `true`}))
	both("no: default", "no: default")
	if n := w.Stats().Kept; n != 1 {
		t.Errorf("%d answers are kept after a condition that looks at no purpose", n)
	}
	id := w.GiveThis(genesis.Grant{Name: r.Name, To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}, Condition: `purpose == "wind"`})
	rule(t, w, wind, genesis.Read, r, "grant")
	if n := w.Stats().Kept; n != 1 {
		t.Errorf("the first answer for a purpose is kept for all")
	}
	both("grant", "no: default")
	w.Take(id)
	both("no: default", "no: default")
	w.GiveThis(genesis.Grant{Name: r.Name, To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}, Condition: `purpose == "sun"`})
	both("no: default", "grant")
}

// TestConditionOfAnotherProgram has a grant in the database whose condition this
// program cannot compile: it is there, and never holds.
func TestConditionOfAnotherProgram(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierRestricted})
	w.Do(func(ctx context.Context, tx *sql.Tx) error {
		g, err := w.Grant(ctx, tx, genesis.Grant{Name: r.Name, To: "person:mit/mia", Actions: []genesis.Action{genesis.Infer}, Condition: "true", By: "nrel/ann"})
		if err == nil {
			_, err = tx.Exec(`UPDATE policy_grants SET body = replace(body, '"condition":"true"', '"condition":"principal.mood == 1"') WHERE id = $1`, g.ID)
		}
		return err
	})
	rule(t, w, mia, genesis.Infer, r, "no: default")
	rule(t, w, mia, genesis.Discover, r, "grant-holder")
}
