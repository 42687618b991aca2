package access_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

func day(n int) time.Time { return accesstest.Epoch.AddDate(0, 0, n) }

func opening(n int, t genesis.Tier) genesis.Opening { return genesis.Opening{At: day(n), Tier: t} }

func TestCheckTerms(t *testing.T) {
	digest := genesis.DigestOf([]byte("dua"))
	good := genesis.Terms{Format: 1, Tier: genesis.TierControlled, By: "nrel/ann", At: day(0)}
	tests := []struct {
		name string
		edit func(*genesis.Terms)
		want string // part of the message; "": good
	}{
		{"plain", func(*genesis.Terms) {}, ""},
		{"format", func(t *genesis.Terms) { t.Format = 2 }, "format 2"},
		{"nobody's", func(t *genesis.Terms) { t.By = "" }, "steward"},
		{"no tier", func(t *genesis.Terms) { t.Tier = "" }, "is not a tier"},
		{"odd tier", func(t *genesis.Terms) { t.Tier = "secret" }, `"secret" is not a tier: public, registered`},
		{"hidden", func(t *genesis.Terms) { t.Hidden = true }, ""},
		{"hidden and public", func(t *genesis.Terms) { t.Hidden, t.Tier = true, genesis.TierPublic }, "hidden"},
		{"partner without partners", func(t *genesis.Terms) { t.Tier = genesis.TierPartner }, "names partners"},
		{"partner", func(t *genesis.Terms) { t.Tier, t.Partners = genesis.TierPartner, []string{"university", "nrel"} }, ""},
		{"opening to partner without partners", func(t *genesis.Terms) { t.Openings = []genesis.Opening{opening(1, genesis.TierPartner)} }, "names partners"},
		{"odd partner", func(t *genesis.Terms) { t.Tier, t.Partners = genesis.TierPartner, []string{"Some University"} }, "neither a sector"},
		{"many partners", func(t *genesis.Terms) { t.Partners = strings.Split(strings.Repeat("nrel ", 1000)+"nrel", " ") }, "more than 1000"},
		{"most partners", func(t *genesis.Terms) { t.Partners = strings.Split(strings.Repeat("nrel ", 999)+"nrel", " ") }, ""},
		{"openings", func(t *genesis.Terms) {
			t.Openings = []genesis.Opening{opening(1, genesis.TierRegistered), opening(2, genesis.TierPublic)}
		}, ""},
		{"opening now", func(t *genesis.Terms) { t.Openings = []genesis.Opening{opening(0, genesis.TierPublic)} }, "lies in the past"},
		{"opening to an odd tier", func(t *genesis.Terms) { t.Openings = []genesis.Opening{opening(1, "secret")} }, "is not a tier"},
		{"opening that closes", func(t *genesis.Terms) { t.Openings = []genesis.Opening{opening(1, genesis.TierRestricted)} }, "not wider"},
		{"opening to the same", func(t *genesis.Terms) { t.Openings = []genesis.Opening{opening(1, genesis.TierControlled)} }, "not wider"},
		{"second opening that closes", func(t *genesis.Terms) {
			t.Openings = []genesis.Opening{opening(1, genesis.TierPublic), opening(2, genesis.TierRegistered)}
		}, "not wider than public"},
		{"openings out of order", func(t *genesis.Terms) {
			t.Openings = []genesis.Opening{opening(2, genesis.TierRegistered), opening(1, genesis.TierPublic)}
		}, "does not come after"},
		{"openings at once", func(t *genesis.Terms) {
			t.Openings = []genesis.Opening{opening(2, genesis.TierRegistered), opening(2, genesis.TierPublic)}
		}, "does not come after"},
		{"many openings", func(t *genesis.Terms) { t.Openings = make([]genesis.Opening, 101) }, "more than 100"},
		{"as many openings as may be", func(t *genesis.Terms) { t.Openings = make([]genesis.Opening, 100) }, "opening 1"},
		{"sensitivity", func(t *genesis.Terms) { t.Sensitivity = "Topsecret" }, "is not a sensitivity"},
		{"CUI", func(t *genesis.Terms) { t.Sensitivity = genesis.CUI }, ""},
		{"CUI to partners", func(t *genesis.Terms) {
			t.Sensitivity, t.Tier, t.Partners = genesis.CUI, genesis.TierPartner, []string{"nrel"}
		}, ""},
		{"CUI registered", func(t *genesis.Terms) { t.Sensitivity, t.Tier = genesis.CUI, genesis.TierRegistered }, "CUI is never public"},
		{"CUI public", func(t *genesis.Terms) { t.Sensitivity, t.Tier = genesis.CUI, genesis.TierPublic }, "CUI is never public"},
		{"CUI public one day", func(t *genesis.Terms) {
			t.Sensitivity, t.Openings = genesis.CUI, []genesis.Opening{opening(1, genesis.TierPublic)}
		}, "CUI is never public"},
		{"export", func(t *genesis.Terms) { t.ExportControl = "Yes" }, "is not an export control"},
		{"EAR", func(t *genesis.Terms) { t.ExportControl = genesis.EAR }, ""},
		{"train", func(t *genesis.Terms) { t.Uses.Train = "yes" }, "does not mark a use"},
		{"infer", func(t *genesis.Terms) { t.Uses.Infer = "maybe" }, "does not mark a use"},
		{"evaluate", func(t *genesis.Terms) { t.Uses.Evaluate = "-" }, "does not mark a use"},
		{"uses", func(t *genesis.Terms) {
			t.Uses = genesis.Uses{Train: genesis.UseYes, Infer: genesis.UseNo, Evaluate: genesis.UseConditional}
		}, ""},
		{"agreement", func(t *genesis.Terms) { t.Agreement = &genesis.Agreement{Kind: "DUA", Digest: digest} }, ""},
		{"kind of agreement", func(t *genesis.Terms) { t.Agreement = &genesis.Agreement{Kind: "dua", Digest: digest} }, "kind of agreement"},
		{"digest of agreement", func(t *genesis.Terms) { t.Agreement = &genesis.Agreement{Kind: "DUA", Digest: "sha256:1"} }, "malformed"},
		{"title of agreement", func(t *genesis.Terms) {
			t.Agreement = &genesis.Agreement{Kind: "DUA", Digest: digest, Title: strings.Repeat("x", 201)}
		}, "longer than 200"},
		{"longest title of agreement", func(t *genesis.Terms) {
			t.Agreement = &genesis.Agreement{Kind: "DUA", Digest: digest, Title: strings.Repeat("x", 200)}
		}, ""},
		{"rows", func(t *genesis.Terms) { t.Training.MinRows = -1 }, "not negative"},
		{"runs", func(t *genesis.Terms) { t.Training.Runs = -1 }, "not negative"},
		{"columns", func(t *genesis.Terms) { t.Training.Features = make([]string, 10_001) }, "more than 10000"},
		{"splits and columns", func(t *genesis.Terms) {
			t.Training.Splits, t.Training.Features, t.Training.Targets = make([]string, 1), make([]string, 2), make([]string, 9998)
		}, "more than 10000"},
		{"as many splits and columns as may be", func(t *genesis.Terms) {
			t.Training.Splits, t.Training.Features, t.Training.Targets = make([]string, 1), make([]string, 1), make([]string, 9998)
		}, ""},
	}
	for _, tt := range tests {
		terms := good
		tt.edit(&terms)
		err := access.CheckTerms("turbines", digest, terms)
		if (tt.want == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), tt.want) || genesis.KindOf(err) != genesis.Invalid) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	terms := good
	terms.Sensitivity = genesis.Classified
	if err := access.CheckTerms("turbines", digest, terms); genesis.KindOf(err) != genesis.Unsupported {
		t.Errorf("classified: %v", err)
	}
	if access.CheckTerms("Turbines", digest, good) == nil || access.CheckTerms("turbines", "1", good) == nil {
		t.Error("terms of what cannot be named are good")
	}
}

func TestTermsAreKept(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	if _, err := w.Terms(t.Context(), r.Name, r.Version); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("terms of a draft: %v", err)
	}
	if _, err := w.Latest(t.Context(), r.Name); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("latest terms of a draft: %v", err)
	}
	want := genesis.Terms{Format: 1, Tier: genesis.TierPartner, Partners: []string{"mit"}, Openings: []genesis.Opening{opening(3, genesis.TierPublic)},
		Uses: genesis.Uses{Train: genesis.UseConditional}, Sensitivity: genesis.Uncontrolled, ExportControl: genesis.EAR,
		Agreement: &genesis.Agreement{Kind: "DUA", Digest: r.Version, Bytes: 12}, Training: genesis.TrainingTerms{MinRows: 500}, By: "nrel/ann", At: day(0)}
	given := want
	given.Format, given.At = 0, time.Time{} // filled in
	w.Publish(r, given)
	if got, err := w.Terms(t.Context(), r.Name, r.Version); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("terms, the rest filled in: %v\n%s", err, cmp.Diff(want, got))
	}
	given.At = day(0).In(time.FixedZone("MST", -7*3600))
	w.Publish(r, given)
	got, err := w.Terms(t.Context(), r.Name, r.Version)
	if err != nil || cmp.Diff(want, got) != "" || got.At.Location() != time.UTC {
		t.Errorf("terms: %v\n%s%v", err, cmp.Diff(want, got), got.At)
	}
	second := r
	second.Version = genesis.DigestOf([]byte("second"))
	w.Publish(second, genesis.Terms{Tier: genesis.TierPublic})
	w.Publish(r, want)
	if got, err := w.Latest(t.Context(), r.Name); err != nil || got.Tier != genesis.TierPartner {
		t.Errorf("the terms set last are %+v, %v", got, err)
	}
	err = w.Tx(func(ctx context.Context, tx *sql.Tx) error {
		return w.SetTerms(ctx, tx, r.Name, r.Version, genesis.Terms{Tier: "odd", By: "nrel/ann"})
	})
	if genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("odd terms are set: %v", err)
	}
	w.DB.Close()
	if _, err := w.Terms(t.Context(), r.Name, r.Version); err == nil || genesis.KindOf(err) == genesis.NotFound {
		t.Errorf("without the database: %v", err)
	}
	if _, err := w.Latest(t.Context(), r.Name); err == nil || genesis.KindOf(err) == genesis.NotFound {
		t.Errorf("without the database: %v", err)
	}
}

// TestTxThatFailsChangesNothing rolls back after the terms were set.
func TestTxThatFailsChangesNothing(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierControlled})
	failed := w.Tx(func(ctx context.Context, tx *sql.Tx) error {
		if err := w.SetTerms(ctx, tx, r.Name, r.Version, genesis.Terms{Tier: genesis.TierPublic, By: "nrel/ann"}); err != nil {
			return err
		}
		if _, err := w.Grant(ctx, tx, genesis.Grant{Name: r.Name, To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}, By: "nrel/ann"}); err != nil {
			return err
		}
		return &genesis.Error{Kind: genesis.Conflict, Msg: "no"}
	})
	if failed == nil {
		t.Fatal("it did not fail")
	}
	rule(t, w, mia, genesis.Read, r, "no: default")
	w.Give(r.Name, "person:acme/eve", genesis.Read)
	rule(t, w, mia, genesis.Read, r, "no: default")
	rule(t, w, eve, genesis.Read, r, "grant")
}

// TestCheckCard holds that terms do not promise less care than the card asks for.
func TestCheckCard(t *testing.T) {
	open := genesis.Terms{Tier: genesis.TierRegistered}
	later := genesis.Terms{Tier: genesis.TierControlled, Openings: []genesis.Opening{opening(1, genesis.TierPublic)}}
	tests := []struct {
		name  string
		terms genesis.Terms
		card  genesis.Card
		want  genesis.ErrorKind
	}{
		{"nothing said", open, genesis.Card{}, ""},
		{"public", open, genesis.Card{Sensitivity: "Public", ExportControl: "No"}, ""},
		{"CUI on the card alone", open, genesis.Card{Sensitivity: "CUI"}, genesis.Conflict},
		{"CUI on both", genesis.Terms{Sensitivity: genesis.CUI}, genesis.Card{Sensitivity: "CUI"}, ""},
		{"another of the controlled", genesis.Terms{Sensitivity: genesis.UCNI}, genesis.Card{Sensitivity: "CUI"}, ""},
		{"more careful than the card", genesis.Terms{Sensitivity: genesis.CUI, ExportControl: genesis.EAR}, genesis.Card{Sensitivity: "Public", ExportControl: "No"}, ""},
		{"classified", genesis.Terms{Sensitivity: genesis.CUI}, genesis.Card{Sensitivity: "Classified"}, genesis.Unsupported},
		{"export control on the card alone", open, genesis.Card{ExportControl: "Yes"}, genesis.Conflict},
		{"not applicable in the terms", genesis.Terms{ExportControl: genesis.NoExportControl}, genesis.Card{ExportControl: "Yes"}, genesis.Conflict},
		{"export control on both", genesis.Terms{ExportControl: genesis.EAR}, genesis.Card{ExportControl: "Yes"}, ""},
		{"under review, and open", open, genesis.Card{ExportControl: "Pending_Review"}, genesis.Conflict},
		{"under review, and open later", later, genesis.Card{ExportControl: "Pending_Review"}, genesis.Conflict},
		{"under review, and controlled", genesis.Terms{Tier: genesis.TierControlled}, genesis.Card{ExportControl: "Pending_Review"}, ""},
	}
	for _, tt := range tests {
		if err := access.CheckCard("turbines", tt.terms, tt.card); genesis.KindOf(err) != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestMerge(t *testing.T) {
	yes := true
	old := genesis.Terms{Format: 1, Tier: genesis.TierControlled, Openings: []genesis.Opening{opening(1, genesis.TierRegistered), opening(10, genesis.TierPublic)},
		Uses: genesis.Uses{Train: genesis.UseNo}, Sensitivity: genesis.SensitivityPublic, ExportControl: genesis.EAR, By: "nrel/ann", At: day(0),
		Partners: []string{"mit"}, Training: genesis.TrainingTerms{Runs: 3}}
	agreement := &genesis.Agreement{Kind: "DUA", Digest: genesis.DigestOf(nil)}
	with := func(edit func(*genesis.Terms)) genesis.Terms {
		terms := old
		terms.By, terms.At = "nrel/bea", day(5)
		terms.Tier, terms.Openings = genesis.TierRegistered, []genesis.Opening{opening(10, genesis.TierPublic)}
		edit(&terms)
		return terms
	}
	tests := []struct {
		name string
		r    genesis.PublishRequest
		want genesis.Terms
	}{
		{"nothing new", genesis.PublishRequest{}, with(func(*genesis.Terms) {})},
		{"narrower", genesis.PublishRequest{Tier: genesis.TierRestricted}, with(func(t *genesis.Terms) { t.Tier = genesis.TierRestricted })},
		{"as wide as it would open", genesis.PublishRequest{Tier: genesis.TierPublic}, with(func(t *genesis.Terms) { t.Tier, t.Openings = genesis.TierPublic, []genesis.Opening{} })},
		{"openings withdrawn", genesis.PublishRequest{NoOpenings: true}, with(func(t *genesis.Terms) { t.Openings = nil })},
		{"other openings", genesis.PublishRequest{Openings: []genesis.Opening{opening(20, genesis.TierPublic)}}, with(func(t *genesis.Terms) { t.Openings = []genesis.Opening{opening(20, genesis.TierPublic)} })},
		{"everything", genesis.PublishRequest{Partners: []string{"acme"}, Hidden: &yes, Uses: &genesis.Uses{}, Sensitivity: genesis.CUI, ExportControl: genesis.ITAR, Training: &genesis.TrainingTerms{}},
			with(func(t *genesis.Terms) {
				t.Partners, t.Hidden, t.Uses, t.Sensitivity, t.ExportControl, t.Training = []string{"acme"}, true, genesis.Uses{}, genesis.CUI, genesis.ITAR, genesis.TrainingTerms{}
			})},
	}
	for _, tt := range tests {
		if got := access.Merge(&old, tt.r, nil, "nrel/bea", day(5)); cmp.Diff(tt.want, got) != "" {
			t.Errorf("%s: %s", tt.name, cmp.Diff(tt.want, got))
		}
	}
	if got := access.Merge(&old, genesis.PublishRequest{}, agreement, "nrel/bea", day(5)); got.Agreement != agreement {
		t.Errorf("with an agreement: %+v", got)
	}
	want := genesis.Terms{Format: 1, Tier: genesis.TierPublic, Sensitivity: genesis.Uncontrolled, ExportControl: genesis.NoExportControl, By: "nrel/bea", At: day(5)}
	if got := access.Merge(nil, genesis.PublishRequest{Tier: genesis.TierPublic}, nil, "nrel/bea", day(5)); cmp.Diff(want, got) != "" {
		t.Errorf("first terms: %s", cmp.Diff(want, got))
	}
	hidden := genesis.Terms{Tier: genesis.TierControlled, Hidden: true, Sensitivity: genesis.Uncontrolled, ExportControl: genesis.NoExportControl}
	if got := access.Merge(&hidden, genesis.PublishRequest{Tier: genesis.TierRegistered}, nil, "nrel/bea", day(5)); got.Hidden {
		t.Error("a wider tier stays hidden")
	}
	if len(old.Openings) != 2 || old.Openings[0].Tier != genesis.TierRegistered {
		t.Errorf("the old terms became %+v", old)
	}
}

// TestOpenings lets time pass: the decision follows, and each opening is recorded
// once.
func TestOpenings(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierControlled, Openings: []genesis.Opening{opening(1, genesis.TierRegistered), opening(3, genesis.TierPublic)}})
	if d := w.Answer(bob, genesis.Read, r); d.Allowed || !d.Until.Equal(day(1)) {
		t.Errorf("before it opens: %+v", d)
	}
	w.Pass(24*time.Hour - time.Nanosecond)
	rule(t, w, bob, genesis.Read, r, "no: default")
	w.Pass(time.Nanosecond)
	if d := w.Answer(bob, genesis.Read, r); !d.Allowed || d.Rule != "registered" || !d.Until.Equal(day(3)) {
		t.Errorf("at the opening: %+v", d)
	}
	w.Pass(72 * time.Hour)
	if d := w.Answer(genesis.Principal{}, genesis.Read, r); !d.Allowed || !d.Until.IsZero() {
		t.Errorf("after the last opening: %+v", d)
	}
	want := []access.Opened{{Name: r.Name, Version: r.Version, Opening: opening(1, genesis.TierRegistered)}, {Name: r.Name, Version: r.Version, Opening: opening(3, genesis.TierPublic)}}
	if got := due(t, w); cmp.Diff(want, got) != "" {
		t.Errorf("due: %s", cmp.Diff(want, got))
	}
	if got := due(t, w); got != nil {
		t.Errorf("due again: %v", got)
	}
}

func due(t *testing.T, w *accesstest.World) (all []access.Opened) {
	t.Helper()
	w.Do(func(ctx context.Context, tx *sql.Tx) (err error) {
		all, err = w.DueOpenings(ctx, tx, w.Now())
		return err
	})
	return all
}

// TestOpeningsWithdrawn also has one that came due before it was recorded: it
// happened, whatever the terms say later.
func TestOpeningsWithdrawn(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierControlled, Openings: []genesis.Opening{opening(1, genesis.TierRegistered), opening(3, genesis.TierPublic)}})
	w.Pass(36 * time.Hour)
	old, _ := w.Terms(t.Context(), r.Name, r.Version)
	w.Publish(r, access.Merge(&old, genesis.PublishRequest{NoOpenings: true}, nil, "nrel/ann", w.Now()))
	w.Pass(72 * time.Hour)
	rule(t, w, genesis.Principal{}, genesis.Read, r, "no: default")
	rule(t, w, bob, genesis.Read, r, "registered")
	if got := due(t, w); len(got) != 1 || got[0].Tier != genesis.TierRegistered {
		t.Errorf("due: %v", got)
	}
	w.Publish(r, genesis.Terms{Tier: genesis.TierRegistered, Openings: []genesis.Opening{opening(9, genesis.TierPublic)}})
	w.Publish(r, genesis.Terms{Tier: genesis.TierRegistered, Openings: []genesis.Opening{opening(9, genesis.TierPublic)}})
	w.Pass(10 * 24 * time.Hour)
	if got := due(t, w); len(got) != 1 {
		t.Errorf("planned twice, due: %v", got)
	}
}

// TestManyOpenings has more than are recorded at once.
func TestManyOpenings(t *testing.T) {
	w := accesstest.Open(t)
	w.Do(func(_ context.Context, tx *sql.Tx) error {
		_, err := tx.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001)
			INSERT INTO policy_openings (name, version, at, tier) SELECT 'turbines', 'v' || i, 0, 'public' FROM n`)
		return err
	})
	for _, want := range []int{1000, 1, 0} {
		if got := due(t, w); len(got) != want {
			t.Errorf("%d openings are due at once, want %d", len(got), want)
		}
	}
}

// TestAgreements lists the texts that terms refer to, for whoever keeps them.
func TestAgreements(t *testing.T) {
	w := accesstest.Open(t)
	w.Publish(accesstest.Dataset("plain"), genesis.Terms{Tier: genesis.TierPublic})
	w.Publish(accesstest.Dataset("named-agreement"), genesis.Terms{Tier: genesis.TierPublic, Training: genesis.TrainingTerms{Features: []string{"agreement"}}})
	var want []genesis.Digest
	for _, name := range []genesis.Name{"a", "b"} {
		digest := genesis.DigestOf([]byte("text of " + name))
		w.Publish(accesstest.Dataset(name), genesis.Terms{Tier: genesis.TierPublic, Agreement: &genesis.Agreement{Kind: "DUA", Digest: digest}})
		want = append(want, digest)
	}
	var got []genesis.Digest
	err := w.Agreements(t.Context(), func(d genesis.Digest) error { got = append(got, d); return nil })
	slices.Sort(got)
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("agreements %v, %v, want %v", got, err, want)
	}
	stop, n := errors.New("stop"), 0
	if err := w.Agreements(t.Context(), func(genesis.Digest) error { n++; return stop }); err != stop || n != 1 {
		t.Errorf("stopped at the first: %v after %d", err, n)
	}
}

func TestDecisionsAtAnotherTime(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierControlled, Openings: []genesis.Opening{opening(1, genesis.TierRegistered)}})
	for n, want := range []bool{false, true, true, false} {
		at := day([]int{0, 1, 7, 0}[n])
		d, _ := w.Decide(t.Context(), access.Ask{Principal: bob, Action: genesis.Read, Resource: r, At: at})
		if d.Allowed != want {
			t.Errorf("on %v reading is %v", at, d.Allowed)
		}
	}
	rule(t, w, bob, genesis.Read, r, "no: default")
}
