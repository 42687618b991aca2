package federation

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/charter"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/store"
)

const (
	invitationPrefix = "genesis-invitation."
	invitationFormat = 1
	invitationLasts  = 7 * 24 * time.Hour
	maxInvitation    = 4 << 10
	secretSize       = 32
	maxOpen          = 200 // invitations that wait
)

var invitationText = base64.RawURLEncoding.Strict()

// Invite writes an invitation. Only a hash of its secret is kept.
func (f *Federation) Invite(ctx context.Context, who genesis.Principal, req genesis.InviteRequest) (*genesis.NewInvitation, error) {
	if err := f.operates(ctx, who); err != nil {
		return nil, err
	}
	c, err := f.held("invite")
	if err != nil {
		return nil, err
	}
	if err := checkInvited(c, req); err != nil {
		return nil, err
	}
	inv := genesis.Invitation{Format: invitationFormat, Federation: c.Name(), Root: c.ID(), URL: f.Own().URL, Secret: make([]byte, secretSize),
		Institution: req.Institution, Sector: req.Sector, Node: req.Node, Expires: f.Now().UTC().Add(invitationLasts).Truncate(time.Second)}
	rand.Read(inv.Secret)
	if err := f.keepInvitation(ctx, who, inv); err != nil {
		return nil, err
	}
	text, err := json.Marshal(inv)
	if err != nil {
		return nil, err
	}
	return &genesis.NewInvitation{Invitation: invitationPrefix + invitationText.EncodeToString(text), Expires: inv.Expires}, nil
}

// checkInvited refuses early what the charter would refuse from whoever joins.
func checkInvited(c *charter.Charter, req genesis.InviteRequest) error {
	id := req.Node
	if _, ok := c.Member(id); ok {
		return refusal("invite", genesis.Exists, string(id), "it is a member", "")
	}
	if !slices.Contains(genesis.Sectors, req.Sector) {
		return refusal("invite", genesis.Invalid, string(req.Sector), "is not a sector", fmt.Sprintf("write one of %v", genesis.Sectors))
	}
	if id == "" {
		id = "any" // what is checked is the rest
	}
	return charter.CheckNamed(genesis.Member{ID: id, Institution: req.Institution, Sector: req.Sector})
}

func (f *Federation) keepInvitation(ctx context.Context, who genesis.Principal, inv genesis.Invitation) error {
	return f.DB.Tx(ctx, func(tx *sql.Tx) error {
		var waiting int
		err := tx.QueryRowContext(ctx, "SELECT count(*) FROM invitations WHERE used_by = '' AND expires > $1", f.Now().Unix()).Scan(&waiting)
		if err != nil {
			return store.Error("invite", inv.Institution, err)
		}
		if waiting >= maxOpen {
			return refusal("invite", genesis.Conflict, inv.Institution, "too many invitations wait for their answer", "each ends after seven days")
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO invitations (hash, institution, sector, node, made_by, made, expires) VALUES ($1, $2, $3, $4, $5, $6, $7)",
			hashOf(inv.Secret), inv.Institution, string(inv.Sector), string(inv.Node), string(who.Person()), f.Now().UTC().Format(time.RFC3339), inv.Expires.Unix())
		if err != nil {
			return store.Error("invite", inv.Institution, err)
		}
		detail, err := json.Marshal(map[string]any{"institution": inv.Institution, "sector": inv.Sector, "node": inv.Node, "expires": inv.Expires})
		if err != nil {
			return err
		}
		return journal.Record(ctx, tx, f.event(who, "invite", "federation "+inv.Federation, detail))
	})
}

func hashOf(secret []byte) string { return string(genesis.DigestOf(secret)) }

// readInvitation reads the line that an operator was sent. Errors: Invalid.
func readInvitation(text string) (genesis.Invitation, error) {
	var inv genesis.Invitation
	bad := func(msg string) (genesis.Invitation, error) {
		return inv, refusal("read invitation", genesis.Invalid, "", msg, "copy the whole line that genesis federation invite printed")
	}
	text = strings.TrimSpace(text)
	body, ok := strings.CutPrefix(text, invitationPrefix)
	if !ok || len(text) > maxInvitation || strings.ContainsAny(body, "\r\n") {
		return bad("it is not an invitation")
	}
	raw, err := invitationText.DecodeString(body)
	if err != nil {
		return bad("it is not whole")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&inv); err != nil || inv.Format != invitationFormat {
		return bad("it is not an invitation of format 1")
	}
	if _, err := genesis.ParseDigest(string(inv.Root)); err != nil || len(inv.Secret) != secretSize {
		return bad("it is not whole")
	}
	if err := charter.CheckURL(inv.URL); err != nil {
		return bad(err.Error())
	}
	return inv, nil
}

// invited is a row of the table.
type invited struct {
	hash        string
	institution string
	sector      genesis.Sector
	node        genesis.NodeID
	expires     int64
	usedBy      string
}

// find looks an invitation up for whoever wants to use it. One that they used already
// is found, so that an answer that was lost can be asked for again.
func (f *Federation) find(ctx context.Context, secret []byte, by string) (invited, error) {
	no := func(kind genesis.ErrorKind, msg string) (invited, error) {
		return invited{}, refusal("join", kind, "", msg, "ask the holder for a new invitation")
	}
	if len(secret) != secretSize {
		return no(genesis.Permission, "the invitation is not one of this node")
	}
	x := invited{hash: hashOf(secret)}
	err := f.DB.Read().QueryRowContext(ctx, "SELECT institution, sector, node, expires, used_by FROM invitations WHERE hash = $1", x.hash).
		Scan(&x.institution, &x.sector, &x.node, &x.expires, &x.usedBy)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return no(genesis.Permission, "the invitation is not one of this node")
	case err != nil:
		return x, store.Error("join", "", err)
	case x.usedBy == dropped:
		return no(genesis.Gone, "the holders did not agree, and the invitation is used up")
	case x.usedBy != "" && x.usedBy != by:
		return no(genesis.Gone, "the invitation was used by another node")
	case x.usedBy == "" && f.Now().Unix() >= x.expires:
		return no(genesis.Gone, "the invitation ended at "+time.Unix(x.expires, 0).UTC().Format(time.RFC3339))
	}
	return x, nil
}

const dropped = "-"

// use makes an invitation used, if it is not yet.
func (f *Federation) use(ctx context.Context, x invited, by string, e journal.Event) error {
	return f.DB.Tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, "UPDATE invitations SET used_by = $1 WHERE hash = $2 AND used_by IN ('', $1)", by, x.hash)
		if err != nil {
			return store.Error("join", "", err)
		}
		if n, err := done.RowsAffected(); err != nil || n != 1 {
			return refusal("join", genesis.Gone, "", "the invitation was used by another node", "ask the holder for a new invitation")
		}
		return journal.Record(ctx, tx, e)
	})
}

// spoil makes an invitation good for nothing, after the change it asked for was dropped.
func (f *Federation) spoil(ctx context.Context, hash string) error {
	return f.DB.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE invitations SET used_by = $1 WHERE hash = $2", dropped, hash)
		return store.Error("drop draft", "", err)
	})
}

// entryOf is the entry of the charter for a node that joins: who it is says the holder that
// invited it, what it is reached by and signs with, itself.
func entryOf(x invited, d genesis.Descriptor, now time.Time) genesis.Member {
	m := genesis.Member{ID: d.Node, Institution: x.institution, Sector: x.sector, URL: d.URL}
	for _, k := range d.Keys {
		k.From, k.Until = now.UTC().Truncate(time.Second), time.Time{}
		m.Keys = append(m.Keys, k)
	}
	slices.SortFunc(m.Keys, func(a, b genesis.NodeKey) int {
		return slices.Index(genesis.KeyUses, a.Use) - slices.Index(genesis.KeyUses, b.Use)
	})
	return m
}
