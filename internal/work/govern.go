package work

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/journal"
)

// maxAgreement bounds the text of an agreement.
const maxAgreement = 1 << 20

// Publish publishes a version under terms, or gives a published one new terms. A
// bare name means its newest draft, if that is newer than what is published.
func (s *Service) Publish(ctx context.Context, who genesis.Principal, ref string, req genesis.PublishRequest) (*genesis.PublishedVersion, error) {
	v, _, err := s.enter(ctx, who, genesis.Steward, ref)
	if err != nil {
		return nil, err
	}
	if v, err = s.newest(ctx, who, v, ref); err != nil {
		return nil, err
	}
	terms, err := s.newTerms(ctx, who, v, req)
	if err != nil {
		return nil, err
	}
	published := v
	err = s.act(ctx, who, "terms", func(tx *sql.Tx, e *journal.Event) error {
		if published, err = s.Catalog.PublishTx(ctx, tx, v, catalog.PublishOptions{By: s.by(who)}); err != nil {
			return err
		}
		e.Subject, e.Version, e.Detail = string(v.Name), v.Digest, detail(terms)
		if err := s.Access.CheckCopied(ctx, tx, v.Name, v.Digest, terms); err != nil {
			return err
		}
		if err := s.Access.SetTerms(ctx, tx, v.Name, v.Digest, terms); err != nil {
			return err
		}
		if err := s.heedCard(ctx, tx, v, terms); err != nil {
			return err
		}
		if err := s.enlist(ctx, tx, published); err != nil {
			return err
		}
		return s.moved(ctx, tx, v.Name, v.Digest)
	})
	if err != nil {
		return nil, err
	}
	return &genesis.PublishedVersion{Version: published, Terms: terms}, nil
}

// newest returns the draft that a bare name means to whoever publishes it, else v.
func (s *Service) newest(ctx context.Context, who genesis.Principal, v genesis.Version, ref string) (genesis.Version, error) {
	if r, err := genesis.ParseRef(ref); err != nil || r.Number != 0 || r.Digest != "" {
		return v, err
	}
	seen := s.sight(ctx, who)
	d, err := s.Catalog.Describe(ctx, v, seen.visible)
	if err = seen.or(err); err != nil || len(d.Versions) == 0 || d.Versions[0].State != genesis.Draft {
		return v, err
	}
	_, err = s.decide(ctx, who, genesis.Steward, resource(d.Versions[0]))
	return d.Versions[0], err
}

// newTerms are the terms a request asks for: what it leaves open is taken from the
// version's own terms, else from those last set for the name. A sensitivity that the
// card states stands for one that nobody says.
func (s *Service) newTerms(ctx context.Context, who genesis.Principal, v genesis.Version, req genesis.PublishRequest) (genesis.Terms, error) {
	var old *genesis.Terms
	t, err := s.Access.Terms(ctx, v.Name, v.Digest)
	if genesis.KindOf(err) == genesis.NotFound {
		t, err = s.Access.Latest(ctx, v.Name)
	}
	if err == nil {
		old = &t
	} else if genesis.KindOf(err) != genesis.NotFound {
		return t, err
	}
	if old == nil && req.Tier == "" {
		return t, &genesis.Error{Op: "publish", Kind: genesis.Invalid, Subject: string(v.Name), Msg: "it was never published: the terms must say its tier",
			Hint: "--tier public, registered, partner, controlled or restricted; docs/policy.md says what each permits"}
	}
	d, err := s.Catalog.Describe(ctx, v, nil)
	if err != nil {
		return t, err
	}
	if err := namesWrong(d, req.Training); err != nil {
		return t, err
	}
	if stated := genesis.Sensitivity(d.Card.Sensitivity); req.Sensitivity == "" && (old == nil || stated.Controlled()) {
		req.Sensitivity = stated
	}
	agreement, err := describedAgreement(req.Agreement)
	if err != nil {
		return t, err
	}
	terms := access.Merge(old, req, agreement, who.Person(), s.now().UTC())
	if err := access.CheckTerms(v.Name, v.Digest, terms); err != nil || agreement == nil {
		return terms, err
	}
	_, err = s.Blobs.Put(ctx, []byte(req.Agreement.Text)) // once nothing is wrong with the rest
	return terms, err
}

// heedCard holds terms to the card that they will stand beside.
func (s *Service) heedCard(ctx context.Context, tx *sql.Tx, v genesis.Version, terms genesis.Terms) error {
	var card genesis.Card
	err := s.Catalog.RecordTx(ctx, tx, v, genesis.RecordCard, &card)
	if err != nil && genesis.KindOf(err) != genesis.NotFound {
		return err
	}
	return access.CheckCard(v.Name, terms, card)
}

// namesWrong refuses to approve splits and columns that the version does not have:
// a mistyped name would be an approval of nothing.
func namesWrong(d genesis.Description, t *genesis.TrainingTerms) error {
	if t == nil {
		return nil
	}
	var splits, columns []string
	for _, s := range d.Splits {
		splits = append(splits, s.Name)
	}
	for _, table := range d.Manifest.Tables {
		for _, c := range table.Columns {
			columns = append(columns, c.Name)
		}
	}
	for _, x := range []struct {
		what         string
		named, known []string
	}{{"split", t.Splits, splits}, {"column", t.Features, columns}, {"column", t.Targets, columns}} {
		for _, name := range x.named {
			if !slices.Contains(x.known, name) {
				return &genesis.Error{Op: "publish", Kind: genesis.Invalid, Subject: name, Msg: fmt.Sprintf("is no %s of %s", x.what, d.Version.Name), Hint: "it has " + listed(x.known)}
			}
		}
	}
	return nil
}

// checkPeople refuses people of this node who have no account: what is granted to a
// mistyped name reaches nobody, and later somebody else. Who has an account is told to
// stewards of the node alone.
func (s *Service) checkPeople(ctx context.Context, who genesis.Principal, people ...genesis.PersonID) error {
	if !s.stewards(ctx, who) {
		return nil
	}
	for _, p := range people {
		node, subject := p.Split(s.Node)
		if node != s.Node || subject == access.LocalSubject || s.Identity == nil {
			continue
		}
		if _, err := s.Identity.Account(ctx, subject); genesis.KindOf(err) == genesis.NotFound {
			return &genesis.Error{Op: "find person", Kind: genesis.Invalid, Subject: string(p), Msg: "has no account at this node",
				Hint: "`genesis account list` shows those there are, `genesis account add " + subject + "` makes one"}
		} else if err != nil {
			return err
		}
	}
	return nil
}

func describedAgreement(a *genesis.AgreementText) (*genesis.Agreement, error) {
	if a == nil {
		return nil, nil
	}
	if a.Text == "" || len(a.Text) > maxAgreement {
		return nil, &genesis.Error{Op: "publish", Kind: genesis.Invalid, Subject: a.Title, Msg: "an agreement has a text of at most 1 MiB"}
	}
	text := []byte(a.Text)
	return &genesis.Agreement{Kind: a.Kind, Title: a.Title, Digest: genesis.DigestOf(text), Bytes: int64(len(text))}, nil
}

// detail is a value as the detail of a journal entry; what is too long for one is
// named by its digest.
func detail(v any) json.RawMessage {
	const most = 32 << 10
	b, err := json.Marshal(v)
	if err == nil && len(b) <= most {
		return b
	}
	b, _ = json.Marshal(map[string]genesis.Digest{"digest": genesis.DigestOf(b)})
	return b
}

// Withdraw withdraws a published version.
func (s *Service) Withdraw(ctx context.Context, who genesis.Principal, ref, reason string) (*genesis.Version, error) {
	return s.end(ctx, who, ref, func(tx *sql.Tx, v genesis.Version) (genesis.Version, error) {
		return s.Catalog.WithdrawTx(ctx, tx, v, s.by(who), reason)
	})
}

// Erase erases a version; a tombstone stays.
func (s *Service) Erase(ctx context.Context, who genesis.Principal, ref, reason string) (*genesis.Version, error) {
	v, err := s.end(ctx, who, ref, func(tx *sql.Tx, v genesis.Version) (genesis.Version, error) {
		return s.Catalog.EraseTx(ctx, tx, v, catalog.EraseOptions{By: s.by(who), Reason: reason})
	})
	if err != nil {
		return nil, err
	}
	return v, s.forgetStreams(*v)
}

// end ends a version's being open to others; the catalogue records it.
func (s *Service) end(ctx context.Context, who genesis.Principal, ref string, do func(*sql.Tx, genesis.Version) (genesis.Version, error)) (*genesis.Version, error) {
	v, _, err := s.enter(ctx, who, genesis.Steward, ref)
	if err != nil {
		return nil, err
	}
	var ended genesis.Version
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error {
		if ended, err = do(tx, v); err != nil {
			return err
		}
		return s.moved(ctx, tx, v.Name, v.Digest)
	})
	if err != nil {
		return nil, err
	}
	s.Access.Changed()
	return &ended, nil
}

// Conditions returns under which terms a version is open, what it owes to its
// inputs, and what who may do.
func (s *Service) Conditions(ctx context.Context, who genesis.Principal, ref string) (*genesis.Conditions, error) {
	v, _, err := s.enter(ctx, who, genesis.Discover, ref)
	if err != nil {
		return nil, err
	}
	c := &genesis.Conditions{Version: v, You: []genesis.Action{}}
	terms, err := s.Access.Terms(ctx, v.Name, v.Digest)
	if err == nil {
		c.Terms, c.Tier = &terms, terms.TierAt(s.now())
	} else if genesis.KindOf(err) != genesis.NotFound {
		return nil, err
	}
	if c.Constraints, err = s.Access.ConstraintsFor(ctx, who, v.Name, v.Digest); err != nil {
		return nil, err
	}
	if c.Projects, err = s.teamsFor(ctx, who, v); err != nil {
		return nil, err
	}
	for _, a := range genesis.Actions {
		_, err := s.Access.Decide(ctx, s.ask(who, a, resource(v)))
		if err != nil && !isRefusal(err) {
			return nil, err
		}
		if err == nil && a != genesis.Operate {
			c.You = append(c.You, a)
		}
	}
	return c, nil
}

// Agreement returns the text that whoever asks for access to a version accepts.
func (s *Service) Agreement(ctx context.Context, who genesis.Principal, ref string) (*genesis.AgreementText, error) {
	v, _, err := s.enter(ctx, who, genesis.Discover, ref)
	if err != nil {
		return nil, err
	}
	terms, err := s.Access.Terms(ctx, v.Name, v.Digest)
	if err != nil && genesis.KindOf(err) != genesis.NotFound {
		return nil, err
	}
	a := terms.Agreement
	if a == nil {
		return nil, &genesis.Error{Op: "read agreement", Kind: genesis.NotFound, Subject: ref, Msg: "it needs no agreement"}
	}
	text, err := s.Blobs.Bytes(ctx, a.Digest, maxAgreement)
	if err != nil {
		return nil, err
	}
	return &genesis.AgreementText{Kind: a.Kind, Title: a.Title, Text: string(text)}, nil
}

// Lower records the consent of the steward of an input.
func (s *Service) Lower(ctx context.Context, who genesis.Principal, ref string, req genesis.LowerRequest) (*genesis.Constraint, error) {
	v, _, err := s.enter(ctx, who, genesis.Discover, ref)
	if err != nil {
		return nil, err
	}
	if r, err := genesis.ParseRef(req.Source); err == nil && r.Node != "" && r.Node != s.Node {
		return nil, &genesis.Error{Op: "lower", Kind: genesis.Permission, Subject: req.Source, Msg: "what a copy owes is for " + string(r.Node) + " to lower",
			Hint: "once it is open more widely there, copy it again: genesis pull " + req.Source}
	}
	source, err := s.find(ctx, who, req.Source)
	if err != nil {
		return nil, err
	}
	k := &genesis.Constraint{Source: source.Ref()}
	err = s.act(ctx, who, "lower", func(tx *sql.Tx, e *journal.Event) error {
		e.Subject, e.Version, e.Detail = string(v.Name), v.Digest, detail(req)
		lowered, err := s.Access.Lower(ctx, tx, who, access.Lowering{Child: resource(v), Source: source.Ref(), Tier: req.Tier, Reason: req.Reason})
		if k.Lowered = &lowered; err != nil {
			return err
		}
		return s.moved(ctx, tx, v.Name, v.Digest)
	})
	if err != nil {
		return nil, err
	}
	k.Terms, err = s.Access.Terms(ctx, source.Name, source.Digest)
	if genesis.KindOf(err) == genesis.NotFound {
		err = nil // a draft has none
	}
	return k, err
}

// Grant lets somebody do something to an asset.
func (s *Service) Grant(ctx context.Context, who genesis.Principal, req genesis.GrantRequest) (*genesis.Grant, error) {
	v, _, err := s.enter(ctx, who, genesis.Steward, req.Ref)
	if err != nil {
		return nil, err
	}
	g := genesis.Grant{Name: v.Name, To: req.To, Actions: req.Actions, Until: req.Until, Condition: req.Condition,
		Licence: req.Licence, Purpose: req.Purpose, By: who.Person()}
	if r, err := genesis.ParseRef(req.Ref); err == nil && (r.Number != 0 || r.Digest != "") {
		g.Version = v.Digest
	}
	if g.Version == "" {
		if err := s.Access.Stewards(ctx, who, g.Name); err != nil {
			return nil, err
		}
	}
	if kind, id := g.To.Split(); kind == genesis.ToPerson {
		if err := s.checkPeople(ctx, who, genesis.PersonID(id)); err != nil {
			return nil, err
		}
	}
	err = s.act(ctx, who, "grant", func(tx *sql.Tx, e *journal.Event) error {
		var err error
		if g, err = s.Access.Grant(ctx, tx, g); err != nil {
			return err
		}
		e.Subject, e.Version, e.Project, e.Detail = string(v.Name), g.Version, projectOf(g), detail(g)
		return s.regranted(ctx, tx, g)
	})
	return &g, err
}

// Grants lists grants: all to stewards, to others those that reach them and those on
// what is theirs.
func (s *Service) Grants(ctx context.Context, who genesis.Principal, q genesis.GrantQuery) (*genesis.GrantPage, error) {
	page := &genesis.GrantPage{}
	var err error
	switch {
	case q.Mine || !s.stewards(ctx, who):
		if who.SignedIn() {
			page.Grants, err = s.grantsOf(ctx, who, q)
		}
		if err == nil && !q.Mine {
			err = s.addOwn(ctx, who, q, page)
		}
		if q.Expiring > 0 || q.To != "" {
			end := s.now().Add(days(q.Expiring))
			page.Grants = slices.DeleteFunc(page.Grants, func(g genesis.Grant) bool {
				return q.Expiring > 0 && (g.Until.IsZero() || g.Until.After(end)) || q.To != "" && g.To != q.To
			})
		}
		if err == nil {
			page.Grants, err = s.onKnown(ctx, who, page.Grants)
		}
		if err == nil && q.After == "" {
			err = s.addGrantsAbroad(ctx, who, q, page)
		}
	case q.Expiring > 0:
		page.Grants, err = s.Access.Expiring(ctx, days(q.Expiring))
		page.Grants = slices.DeleteFunc(page.Grants, func(g genesis.Grant) bool {
			return q.Name != "" && g.Name != q.Name || q.To != "" && g.To != q.To
		})
	default:
		page.Grants, page.Next, err = s.Access.Grants(ctx, access.GrantQuery{Name: q.Name, To: q.To, Active: !q.Ended, After: q.After, Limit: q.Limit})
	}
	return page, err
}

func days(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }

// grantsOf are the grants that reach who, and if asked for those that did by name and
// have ended.
func (s *Service) grantsOf(ctx context.Context, who genesis.Principal, q genesis.GrantQuery) ([]genesis.Grant, error) {
	all, err := s.Access.GrantsOf(ctx, who, q.Name)
	if err != nil || !q.Ended {
		return all, err
	}
	to := genesis.Grantee(string(genesis.ToPerson) + ":" + string(who.Person()))
	named, _, err := s.Access.Grants(ctx, access.GrantQuery{Name: q.Name, To: to, Limit: 1000})
	now := s.now()
	return append(all, slices.DeleteFunc(named, func(g genesis.Grant) bool { return g.Active(now) })...), err
}

// addOwn adds a page of the grants on what is somebody's own, which they steward; those
// that reach them stand before the first.
func (s *Service) addOwn(ctx context.Context, who genesis.Principal, q genesis.GrantQuery, page *genesis.GrantPage) error {
	if q.After != "" {
		page.Grants = nil
	}
	if !who.SignedIn() {
		return nil
	}
	own, next, err := s.Access.Grants(ctx, access.GrantQuery{Name: q.Name, Owner: who.Person(), Active: !q.Ended, After: q.After, Limit: q.Limit})
	page.Next = next
	for _, g := range own {
		there := slices.ContainsFunc(page.Grants, func(other genesis.Grant) bool { return other.ID == g.ID })
		if !there && who.InScope(genesis.Steward, g.Name) {
			page.Grants = append(page.Grants, g)
		}
	}
	return err
}

// onKnown returns the grants on what who may know of, a token narrowed to other things
// included.
func (s *Service) onKnown(ctx context.Context, who genesis.Principal, all []genesis.Grant) ([]genesis.Grant, error) {
	known := all[:0]
	for _, g := range all {
		if g.Origin != "" || strings.Contains(string(g.Name), "/") && !strings.HasPrefix(string(g.Name), "~") {
			if who.Scopes == nil { // on what is elsewhere, as a copy of theirs owes it
				known = append(known, g)
			}
			continue
		}
		_, err := s.find(ctx, who, string(g.Name))
		if err == nil {
			known = append(known, g)
		} else if genesis.KindOf(err) != genesis.NotFound && !isRefusal(err) {
			return nil, err
		}
	}
	return known, nil
}

// stewards reports whether who is a steward of the node.
func (s *Service) stewards(ctx context.Context, who genesis.Principal) bool {
	_, err := s.Access.Decide(ctx, s.ask(who, genesis.Steward, access.Resource{}))
	return err == nil
}

// Revoke takes a grant back. What runs under it ends within a second.
func (s *Service) Revoke(ctx context.Context, who genesis.Principal, id, reason string) (*genesis.Grant, error) {
	missing := &genesis.Error{Op: "revoke", Kind: genesis.NotFound, Subject: id, Msg: "there is no such grant", Hint: "`genesis grants` lists them"}
	g, err := s.Access.GrantByID(ctx, id)
	if genesis.KindOf(err) == genesis.NotFound {
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	if _, err := s.decide(ctx, who, genesis.Steward, access.Resource{Name: g.Name, Version: g.Version, State: genesis.Published}); isRefusal(err) {
		return nil, missing
	} else if err != nil {
		return nil, err
	}
	err = s.act(ctx, who, "revoke", func(tx *sql.Tx, e *journal.Event) error {
		if g, err = s.Access.Revoke(ctx, tx, id, who.Person(), reason); err != nil {
			return err
		}
		e.Subject, e.Version, e.Project, e.Detail = string(g.Name), g.Version, projectOf(g), detail(map[string]string{"grant": id, "to": string(g.To), "reason": reason, "request": g.Request})
		return s.regranted(ctx, tx, g)
	})
	return &g, err
}

// projectOf is the project to which a grant is made, "" if it is to somebody else.
func projectOf(g genesis.Grant) string {
	if kind, id := g.To.Split(); kind == genesis.ToProject {
		return id
	}
	return ""
}

// regranted tells those whom it reaches of a grant that was made or taken back, and states
// anew what it is on. Who may know of something without being asked who they are does not
// hang on grants to persons and projects.
func (s *Service) regranted(ctx context.Context, tx *sql.Tx, g genesis.Grant) error {
	if err := s.tellGrant(ctx, tx, g); err != nil {
		return err
	}
	if kind, _ := g.To.Split(); kind != genesis.ToInstitution && kind != genesis.ToSector {
		return nil
	}
	return s.moved(ctx, tx, g.Name, g.Version)
}

// RecordOpenings records the openings that became due since it was last called.
func (s *Service) RecordOpenings(ctx context.Context) error {
	for {
		var due []access.Opened
		err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
			var err error
			if due, err = s.Access.DueOpenings(ctx, tx, s.now()); err != nil {
				return err
			}
			for _, o := range due {
				e := journal.Event{Act: "open", Outcome: genesis.Done, Subject: string(o.Name), Version: o.Version, Detail: detail(o.Opening)}
				if err := journal.Record(ctx, tx, e); err != nil {
					return err
				}
				if err := s.moved(ctx, tx, o.Name, o.Version); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(due) == 0 {
			return err
		}
	}
}
