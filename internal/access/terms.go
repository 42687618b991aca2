package access

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Bounds of terms.
const (
	maxPartners = 1000
	maxOpenings = 100
	maxLists    = 10_000 // names of splits, features and targets
)

// Terms returns the terms of a published version. Errors: NotFound (it has none),
// Internal.
func (d *Decider) Terms(ctx context.Context, name genesis.Name, version genesis.Digest) (genesis.Terms, error) {
	t, err := readTerms(ctx, d.db.Read(), assetKey{name, version})
	return present(name, t, err)
}

// TermsTx is Terms in the caller's transaction.
func (d *Decider) TermsTx(ctx context.Context, tx *sql.Tx, name genesis.Name, version genesis.Digest) (genesis.Terms, error) {
	t, err := readTerms(ctx, tx, assetKey{name, version})
	return present(name, t, err)
}

// present is an error where there are no terms.
func present(name genesis.Name, t *genesis.Terms, err error) (genesis.Terms, error) {
	switch {
	case err != nil:
		return genesis.Terms{}, err
	case t == nil:
		return genesis.Terms{}, &genesis.Error{Op: "read terms", Kind: genesis.NotFound, Subject: string(name), Msg: "has no terms: it was not published"}
	}
	return *t, nil
}

// Latest returns the terms that were set last for any version of a name, which new
// terms take over where they say nothing. Errors: NotFound, Internal.
func (d *Decider) Latest(ctx context.Context, name genesis.Name) (genesis.Terms, error) {
	t, err := latestTerms(ctx, d.db.Read(), name)
	return present(name, t, err)
}

func latestTerms(ctx context.Context, q querier, name genesis.Name) (*genesis.Terms, error) {
	t, err := one[genesis.Terms](ctx, q, "SELECT format, body FROM policy_terms WHERE name = $1 ORDER BY turn DESC LIMIT 1", string(name))
	if genesis.KindOf(err) == genesis.NotFound {
		return nil, nil
	}
	return &t, err
}

// Settle returns terms as they are at a time: openings that are due have become
// the tier, so that what is written anew does not open by the past.
func Settle(t genesis.Terms, at time.Time) genesis.Terms {
	t.Tier = t.TierAt(at)
	t.Openings = slices.DeleteFunc(slices.Clone(t.Openings), func(o genesis.Opening) bool { return !o.At.After(at) })
	return t
}

// Merge returns the terms that a request to publish asks for: what it leaves open is
// taken from old, which may be nil. The text of an agreement is the caller's to
// store: agreement is what became of it, nil for none.
func Merge(old *genesis.Terms, r genesis.PublishRequest, agreement *genesis.Agreement, by genesis.PersonID, at time.Time) genesis.Terms {
	t := genesis.Terms{Sensitivity: genesis.Uncontrolled, ExportControl: genesis.NoExportControl}
	if old != nil {
		t = Settle(*old, at)
	}
	t.Format, t.By, t.At = genesis.TermsFormat, by, at
	if r.Tier != "" {
		t.Tier = r.Tier
		t.Openings = slices.DeleteFunc(t.Openings, func(o genesis.Opening) bool { return !o.Tier.Wider(t.Tier) })
	}
	if r.Partners != nil {
		t.Partners = r.Partners
	}
	if r.NoOpenings {
		t.Openings = nil
	}
	if r.Openings != nil {
		t.Openings = r.Openings
	}
	t.Hidden = t.Hidden && t.Tier == genesis.TierControlled // what opens is found
	if r.Hidden != nil {
		t.Hidden = *r.Hidden
	}
	if agreement != nil {
		t.Agreement = agreement
	}
	if r.Uses != nil {
		t.Uses = *r.Uses
	}
	if r.Sensitivity != "" {
		t.Sensitivity = r.Sensitivity
	}
	if r.ExportControl != "" {
		t.ExportControl = r.ExportControl
	}
	if r.Training != nil {
		t.Training = *r.Training
	}
	return t
}

// SetTerms gives a version its terms, in place of those it has. The caller has
// decided that the principal may. Errors: Invalid, Unsupported (Classified).
func (d *Decider) SetTerms(ctx context.Context, tx *sql.Tx, name genesis.Name, version genesis.Digest, t genesis.Terms) error {
	if t.Format == 0 {
		t.Format = genesis.TermsFormat
	}
	if t.At.IsZero() {
		t.At = d.now()
	}
	t.At = t.At.UTC()
	if err := CheckTerms(name, version, t); err != nil {
		return err
	}
	body, err := encode(t)
	if err != nil {
		return store.Error("set terms", string(name), err)
	}
	turn, err := note(ctx, tx, changeAsset, string(name), string(version))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO policy_terms (name, version, format, body, turn) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (name, version) DO UPDATE SET format = excluded.format, body = excluded.body, turn = excluded.turn`,
		string(name), string(version), format, body, turn)
	if err != nil {
		return store.Error("set terms", string(name), err)
	}
	return plan(ctx, tx, name, version, t)
}

// plan replaces the openings that lie ahead. One that is due stays until it was
// recorded: it has happened.
func plan(ctx context.Context, tx *sql.Tx, name genesis.Name, version genesis.Digest, t genesis.Terms) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM policy_openings WHERE name = $1 AND version = $2 AND recorded_at IS NULL AND at > $3",
		string(name), string(version), store.Time(t.At))
	for _, o := range t.Openings {
		if err == nil {
			_, err = tx.ExecContext(ctx, "INSERT INTO policy_openings (name, version, at, tier) VALUES ($1, $2, $3, $4)",
				string(name), string(version), store.Time(o.At), string(o.Tier))
		}
	}
	return store.Error("set terms", string(name), err)
}

// CheckTerms reports what is wrong with terms, or nil. Errors: Invalid, Unsupported
// (Classified).
func CheckTerms(name genesis.Name, version genesis.Digest, t genesis.Terms) error {
	if err := genesis.CheckName(name); err != nil {
		return err
	}
	if _, err := genesis.ParseDigest(string(version)); err != nil {
		return err
	}
	return checkTerms(name, t)
}

// checkTerms is CheckTerms of what may be another node's.
func checkTerms(name genesis.Name, t genesis.Terms) error {
	if t.Sensitivity == genesis.Classified {
		return classified(name)
	}
	for _, check := range []func(genesis.Terms) string{wordsWrong, tierWrong, openingsWrong, agreementWrong, trainingWrong} {
		if msg := check(t); msg != "" {
			return &genesis.Error{Op: "set terms", Kind: genesis.Invalid, Subject: string(name), Msg: msg, Hint: "docs/policy.md lists what terms may say"}
		}
	}
	return nil
}

// CheckCard reports where terms promise less care than the version's card says it
// needs, or nil: the card is what people read, the terms are what decides. Errors:
// Conflict, Unsupported (Classified).
func CheckCard(name genesis.Name, t genesis.Terms, c genesis.Card) error {
	sensitivity := genesis.Sensitivity(c.Sensitivity)
	msg, hint := "", ""
	switch {
	case sensitivity == genesis.Classified:
		return classified(name)
	case sensitivity.Controlled() && !t.Sensitivity.Controlled():
		msg, hint = fmt.Sprintf("its card says %s, its terms %s", sensitivity, cmp.Or(t.Sensitivity, genesis.Uncontrolled)), fmt.Sprintf("--sensitivity %s", sensitivity)
	case c.ExportControl == "Yes" && !t.ExportControl.Applies():
		msg, hint = "its card says that it is under export control, its terms do not", "--export-control and its basis ("+list(genesis.ExportControls[:len(genesis.ExportControls)-1])+")"
	case c.ExportControl == "Pending_Review" && tooWide(t):
		msg, hint = "its card says that export control is under review, and its terms open it to everybody registered", "--tier partner or controlled until then"
	default:
		return nil
	}
	return &genesis.Error{Op: "set terms", Kind: genesis.Conflict, Subject: string(name), Msg: msg,
		Hint: "publish it with " + hint + ", or correct the card: genesis card set"}
}

func classified(name genesis.Name) error {
	return &genesis.Error{Op: "set terms", Kind: genesis.Unsupported, Subject: string(name), Msg: "a node of this federation holds nothing classified",
		Hint: "call your security officer: genesis purge removes the bytes"}
}

// wordsWrong checks single words against their vocabularies.
func wordsWrong(t genesis.Terms) string {
	switch {
	case t.Format != genesis.TermsFormat:
		return fmt.Sprintf("terms of format %d are not known", t.Format)
	case t.By == "":
		return "terms name the steward who set them"
	case !slices.Contains(genesis.Tiers, t.Tier):
		return fmt.Sprintf("%q is not a tier: %s", t.Tier, list(genesis.Tiers))
	case t.Sensitivity != "" && !slices.Contains(genesis.Sensitivities, t.Sensitivity):
		return fmt.Sprintf("%q is not a sensitivity: %s", t.Sensitivity, list(genesis.Sensitivities))
	case t.ExportControl != "" && !slices.Contains(genesis.ExportControls, t.ExportControl):
		return fmt.Sprintf("%q is not an export control: %s", t.ExportControl, list(genesis.ExportControls))
	}
	for _, u := range []genesis.Use{t.Uses.Train, t.Uses.Infer, t.Uses.Evaluate} {
		if !slices.Contains([]genesis.Use{"", genesis.UseYes, genesis.UseNo, genesis.UseConditional}, u) {
			return fmt.Sprintf("%q does not mark a use: Yes, No, Conditional", u)
		}
	}
	return ""
}

// tierWrong checks what goes with a tier, now and later.
func tierWrong(t genesis.Terms) string {
	partner := t.Tier == genesis.TierPartner || slices.ContainsFunc(t.Openings, func(o genesis.Opening) bool { return o.Tier == genesis.TierPartner })
	switch {
	case partner && len(t.Partners) == 0:
		return "tier partner names partners: sectors or members"
	case len(t.Partners) > maxPartners:
		return fmt.Sprintf("more than %d partners", maxPartners)
	case t.Hidden && t.Tier != genesis.TierControlled:
		return "only what is controlled can be hidden: wider tiers are found, and restricted is not"
	case t.Sensitivity.Controlled() && tooWide(t):
		return fmt.Sprintf("what is %s is never public or registered, now or later", t.Sensitivity)
	}
	for _, p := range t.Partners {
		if !slices.Contains(genesis.Sectors, genesis.Sector(p)) && genesis.CheckGrantee(grantee(genesis.ToInstitution, p)) != nil {
			return fmt.Sprintf("%q is neither a sector (%s) nor the id of a member", p, list(genesis.Sectors))
		}
	}
	return ""
}

// tooWide reports whether terms are, or will be, open to everyone registered.
func tooWide(t genesis.Terms) bool {
	return t.Tier.Wider(genesis.TierPartner) || slices.ContainsFunc(t.Openings, func(o genesis.Opening) bool { return o.Tier.Wider(genesis.TierPartner) })
}

// openingsWrong checks that openings lie ahead, in order, each wider than the one
// before.
func openingsWrong(t genesis.Terms) string {
	if len(t.Openings) > maxOpenings {
		return fmt.Sprintf("more than %d openings", maxOpenings)
	}
	at, tier := t.At, t.Tier
	for i, o := range t.Openings {
		switch {
		case !slices.Contains(genesis.Tiers, o.Tier):
			return fmt.Sprintf("opening %d: %q is not a tier: %s", i+1, o.Tier, list(genesis.Tiers))
		case !o.At.After(at) && i == 0:
			return fmt.Sprintf("opening %s lies in the past: give the tier itself", o.At.Format(time.DateOnly))
		case !o.At.After(at):
			return fmt.Sprintf("opening %s does not come after the one before it", o.At.Format(time.DateOnly))
		case !o.Tier.Wider(tier):
			return fmt.Sprintf("opening %s to %s is not wider than %s before it", o.At.Format(time.DateOnly), o.Tier, tier)
		}
		at, tier = o.At, o.Tier
	}
	return ""
}

func agreementWrong(t genesis.Terms) string {
	a := t.Agreement
	switch {
	case a == nil:
		return ""
	case !slices.Contains(genesis.AgreementKinds, a.Kind):
		return fmt.Sprintf("%q is not a kind of agreement: %s", a.Kind, list(genesis.AgreementKinds))
	case len(a.Title) > 200:
		return "the title of the agreement is longer than 200 bytes"
	}
	if _, err := genesis.ParseDigest(string(a.Digest)); err != nil {
		return "the digest of the agreement is malformed"
	}
	return ""
}

func trainingWrong(t genesis.Terms) string {
	switch {
	case t.Training.MinRows < 0 || t.Training.Runs < 0:
		return "limits of training are not negative"
	case len(t.Training.Splits)+len(t.Training.Features)+len(t.Training.Targets) > maxLists:
		return fmt.Sprintf("training names more than %d splits and columns", maxLists)
	}
	return ""
}

func list[S ~string](all []S) string {
	words := make([]string, len(all))
	for i, s := range all {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}

// Opened is an opening that came due.
type Opened struct {
	Name    genesis.Name
	Version genesis.Digest
	genesis.Opening
}

// openingsAtOnce is how many openings DueOpenings returns at most.
const openingsAtOnce = 1000

// DueOpenings returns openings that are due and were not recorded yet, in order of
// time, and marks them as recorded: whoever commits tx with a journal entry for
// each logs each exactly once. Call it again while it returns some. Decisions do not
// wait for it.
func (d *Decider) DueOpenings(ctx context.Context, tx *sql.Tx, now time.Time) ([]Opened, error) {
	due, err := dueOpenings(ctx, tx, now)
	for _, o := range due {
		if err == nil {
			_, err = tx.ExecContext(ctx, "UPDATE policy_openings SET recorded_at = $1 WHERE name = $2 AND version = $3 AND at = $4",
				store.Time(now), string(o.Name), string(o.Version), store.Time(o.At))
		}
	}
	if err != nil {
		return nil, store.Error("record openings", "", err)
	}
	return due, nil
}

func dueOpenings(ctx context.Context, tx *sql.Tx, now time.Time) ([]Opened, error) {
	rows, err := tx.QueryContext(ctx, `SELECT name, version, at, tier FROM policy_openings
		WHERE recorded_at IS NULL AND at <= $1 ORDER BY at, name, version LIMIT $2`, store.Time(now), openingsAtOnce)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var due []Opened
	for rows.Next() {
		var o Opened
		var at int64
		if err := rows.Scan(&o.Name, &o.Version, &at, &o.Tier); err != nil {
			return nil, err
		}
		o.At = store.TimeAt(at)
		due = append(due, o)
	}
	return due, rows.Err()
}

// Agreements yields the digest of every text that terms refer to. It stops at the
// first error of yield, which it returns.
func (d *Decider) Agreements(ctx context.Context, yield func(genesis.Digest) error) error {
	rows, err := d.db.Read().QueryContext(ctx, "SELECT format, body FROM policy_terms WHERE body LIKE '%\"agreement\"%'")
	if err != nil {
		return store.Error("read terms", "", err)
	}
	var all []genesis.Digest
	err = each(rows, func(t genesis.Terms) {
		if t.Agreement != nil {
			all = append(all, t.Agreement.Digest)
		}
	})
	if err != nil {
		return store.Error("read terms", "", err)
	}
	for _, digest := range all {
		if err := yield(digest); err != nil {
			return err
		}
	}
	return nil
}
