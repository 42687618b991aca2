package identity

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access/identity/vouch"
	"github.com/opengenesis/genesis/internal/store"
)

// guest is a session of somebody whose home is another node.
type guest struct {
	node             genesis.NodeID
	subject          string
	jti              string // of the token that it was given for
	line             string // see lineOf
	proof            string // sealed; "": a bearer
	said             said
	created, expires time.Time
}

// sealedFor binds the sealed secret to its session.
func (g *guest) sealedFor() string { return "guest " + string(g.node) + " " + g.jti }

// IsGuest reports whether a bearer is of a session of somebody of another node: it counts
// with a request alone.
func IsGuest(bearer string) bool { return strings.HasPrefix(bearer, secretPrefix+"g_") }

// AuthenticateRequest returns who makes a request with a bearer: somebody of this node,
// as Authenticate says, or of another, whose requests are signed. Errors: as of
// Authenticate; Permission with a Code.
func (i *Identity) AuthenticateRequest(r *http.Request, bearer string) (genesis.Principal, error) {
	if !IsGuest(bearer) {
		return i.Authenticate(r.Context(), bearer)
	}
	if !wellFormed(bearer) {
		return genesis.Principal{}, guestRefusal(genesis.CodeUnknown, "session", "this session is unknown here")
	}
	hash, now := sha256.Sum256([]byte(bearer)), i.now()
	g, err := i.guestWhere(r.Context(), "hash = $1", hex.EncodeToString(hash[:]))
	if err != nil {
		return genesis.Principal{}, err
	}
	if g == nil {
		return genesis.Principal{}, guestRefusal(genesis.CodeUnknown, "session", "this session is unknown here, or was kept no longer")
	}
	if err := i.proves(r, g, hash, now); err != nil {
		return genesis.Principal{}, i.refusedProof(r.Context(), g, err)
	}
	return i.guestPrincipal(g, now)
}

// proves reports whether a request is signed with the session's secret. A session that
// has ended is not told from one that was never signed for: its secret is asked first.
func (i *Identity) proves(r *http.Request, g *guest, hash [sha256.Size]byte, now time.Time) error {
	if g.proof == "" {
		return nil
	}
	p, err := vouch.ReadProof(r)
	if err != nil {
		return err
	}
	secret, err := i.sealer.open(g.proof, g.sealedFor())
	if err != nil {
		return fault("sign in", string(g.node), err)
	}
	if err := p.Check([]byte(secret), now); err != nil {
		return err
	}
	return i.nonces.Use(g.node, hash, g.created, p, now)
}

// refusedProof records, now and then, that a session was brought by somebody who does not
// have its secret.
func (i *Identity) refusedProof(ctx context.Context, g *guest, why error) error {
	var e *genesis.Error
	if !errors.As(why, &e) || e.Code != genesis.CodeBadProof && e.Code != genesis.CodeReplayed {
		return why
	}
	return i.refusedGuest(ctx, vouch.Word{Issuer: g.node, Subject: g.subject, ID: g.jti, Key: g.said.Key}, "session "+g.line, why)
}

// guestPrincipal is who comes with a session, now. It is over when its time is, and when
// the charter has its node or the key no more.
func (i *Identity) guestPrincipal(g *guest, now time.Time) (genesis.Principal, error) {
	if !now.Before(g.expires) {
		return genesis.Principal{}, guestRefusal(genesis.CodeExpired, "session", "the session ended at %s, and here it is %s", g.expires.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	m, ok := i.member(g.node)
	if !ok {
		return genesis.Principal{}, guestRefusal(genesis.CodeBadIssuer, "session", "%s is no member of the federation any more", g.node)
	}
	if _, ok := m.Key(genesis.KeyToken, g.said.Key, now); !ok && g.said.Key != "" { // a message was signed when it was sent
		return genesis.Principal{}, guestRefusal(genesis.CodeBadKey, "session", "key %s, with which %s vouched, counts no more", g.said.Key, g.node)
	}
	p := genesis.Principal{Subject: g.subject, Node: g.node, Institution: m.Institution, Sector: m.Sector, Credential: g.jti, Assurance: g.said.Assurance, Vetting: g.said.Vetting,
		Citizenship: g.said.Citizenship, Student: g.said.Student, Scopes: g.said.Scopes}
	for _, in := range g.said.Projects {
		if now.Before(in.Until.Add(vouch.Skew)) {
			p.Projects = append(p.Projects, in.Project)
		}
	}
	return p, nil
}

// currentGuest is who somebody of another node is now, for what goes on after the request
// that began it: by the session in which it began, or the latest of those that renewed
// it, for a day. What the home says of them is what it said last. Errors: Permission.
func (i *Identity) currentGuest(ctx context.Context, who genesis.Principal) (genesis.Principal, error) {
	if p, is, err := i.currentOrder(ctx, who); is {
		return p, err
	}
	now := i.now()
	began, err := i.guestWhere(ctx, "node = $1 AND jti = $2", who.Node, who.Credential)
	switch {
	case err != nil:
		return genesis.Principal{}, err
	case began == nil || began.subject != who.Subject:
		return genesis.Principal{}, guestRefusal(genesis.CodeUnknown, "session", "the session in which this began is kept no longer")
	case now.Sub(began.created) >= guestsKept:
		return genesis.Principal{}, guestRefusal(genesis.CodeExpired, "session", "this began more than %s ago", guestsKept)
	}
	last, err := i.guestWhere(ctx, "line = $1 AND expires_at > $2 ORDER BY created_at DESC, hash LIMIT 1", began.line, store.Time(now))
	if err != nil {
		return genesis.Principal{}, err
	}
	if last == nil {
		last = began // which has expired, and says so
	}
	p, err := i.guestPrincipal(last, now)
	p.Credential, p.Purpose = who.Credential, who.Purpose
	return p, err
}

// signOutGuest ends the session in which somebody came, and those that it renewed.
func (i *Identity) signOutGuest(ctx context.Context, op string, who genesis.Principal) error {
	defer i.changed()
	return i.db.Tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE guests SET expires_at = $1 WHERE expires_at > $1 AND line IN (SELECT line FROM guests WHERE node = $2 AND subject = $3 AND jti = $4)`,
			store.Time(i.now()), who.Node, who.Subject, who.Credential)
		if err != nil {
			return store.Error(op, string(who.Person()), err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return store.Error(op, string(who.Person()), err) // ended before
		}
		return i.event(ctx, tx, who.Person(), "sign-out", genesis.Done, string(who.Person()), map[string]any{"jti": who.Credential})
	})
}

const guestColumns = "node, subject, jti, line, proof, format, said, created_at, expires_at"

// guestWhere returns the one session that matches, or nil.
func (i *Identity) guestWhere(ctx context.Context, where string, args ...any) (*guest, error) {
	var g guest
	var format int
	var text string
	var created, expires int64
	err := i.db.Read().QueryRowContext(ctx, "SELECT "+guestColumns+" FROM guests WHERE "+where, args...).
		Scan(&g.node, &g.subject, &g.jti, &g.line, &g.proof, &format, &text, &created, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, store.Error("sign in", "", err)
	}
	if format != guestFormat {
		return nil, guestRefusal(genesis.CodeUnknown, "session", "this session was made by another version of the node")
	}
	if err := json.Unmarshal([]byte(text), &g.said); err != nil {
		return nil, fault("sign in", string(g.node), fmt.Errorf("what is stored of a session is damaged: %w", err))
	}
	g.created, g.expires = store.TimeAt(created), store.TimeAt(expires)
	return &g, nil
}
