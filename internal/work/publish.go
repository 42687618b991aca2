package work

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

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
