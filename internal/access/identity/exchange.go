package identity

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access/identity/vouch"
	"github.com/opengenesis/genesis/internal/store"
)

// How long sessions of guests last, and how many there are. Where there are more, the
// oldest go.
const (
	guestSession    = 15 * time.Minute
	guestBearer     = time.Hour
	guestsKept      = 24 * time.Hour // what was begun in one outlives it so long, where it was renewed
	mostOfPerson    = 1000
	mostOfNode      = 50_000
	mostTokens      = 20_000 // of one node that were exchanged and have not expired
	guestFormat     = 1
	guestSecretSize = genesis.PeerKeySize
)

// Exchange takes the word of another node, once, and gives a session for it: at most
// fifteen minutes, and no longer than the person's session at home. Its requests are
// signed with the secret that the word names; a narrow bearer's are not. Errors:
// Permission (with a Code), Unavailable (with [TooMany] as its cause; or the charter is
// out of date).
func (i *Identity) Exchange(ctx context.Context, r genesis.ExchangeRequest, remote string) (genesis.PeerSession, error) {
	const op = "sign in"
	remote = remoteKey(remote)
	if err := i.take(i.attempts.exchanges, op, remote); err != nil {
		return genesis.PeerSession{}, err
	}
	if err := i.upToDate(op); err != nil {
		return genesis.PeerSession{}, err
	}
	now := i.now()
	w, err := i.checker().Word(r.Token, now)
	if err == nil {
		err = fits(w, r)
	}
	var out genesis.PeerSession
	if err == nil {
		out, err = i.receive(ctx, w, r, now)
	}
	if err != nil {
		return genesis.PeerSession{}, i.refusedGuest(ctx, w, remote, err)
	}
	i.attempts.exchanges.giveBack(remote)
	return out, nil
}

// fits reports whether who brings a word has the secret that it names, and asks for no
// more than it allows.
func fits(w vouch.Word, r genesis.ExchangeRequest) error {
	thumbprint := genesis.Thumbprint(r.Key)
	if len(r.Key) != guestSecretSize || !hmac.Equal([]byte(thumbprint), []byte(w.Confirm.Thumbprint)) {
		return guestRefusal(genesis.CodeBadProof, "token", "the token is bound to the secret %s, and came with %s", w.Confirm.Thumbprint, thumbprint)
	}
	if !r.Bearer {
		return nil
	}
	for _, s := range w.Scopes {
		if name, ok := strings.CutPrefix(string(s), string(genesis.Read)+":"); !ok || name == "" {
			return guestRefusal(genesis.CodeMalformed, "token", "a bearer that nothing signs is for scopes like read:turbines alone, and this one has %s", s)
		}
	}
	if len(w.Scopes) == 0 {
		return guestRefusal(genesis.CodeMalformed, "token", "a bearer that nothing signs is for scopes like read:turbines alone, and this one has none")
	}
	return nil
}

// guestRefusal is the error of who comes from another node and is not taken for that.
func guestRefusal(code genesis.PeerCode, subject, msg string, args ...any) error {
	hints := map[genesis.PeerCode]string{genesis.CodeExpired: "ask your own node for another token, and exchange it", genesis.CodeUnknown: "ask your own node for another token, and exchange it",
		genesis.CodeReplayed: "ask your own node for another token: each is good for one exchange"}
	return &genesis.Error{Op: "sign in", Kind: genesis.Permission, Code: code, Subject: subject, Msg: fmt.Sprintf(msg, args...), Hint: hints[code]}
}

// receive makes the session, with its evidence, in one transaction.
func (i *Identity) receive(ctx context.Context, w vouch.Word, r genesis.ExchangeRequest, now time.Time) (genesis.PeerSession, error) {
	secret, hash := newSecret(guestSecret)
	g, err := i.newGuest(w, r, now)
	if err != nil {
		return genesis.PeerSession{}, err
	}
	err = i.db.Tx(ctx, func(tx *sql.Tx) error {
		if err := spendToken(ctx, tx, w, now); err != nil {
			return err
		}
		if err := g.insert(ctx, tx, hash); err != nil {
			return err
		}
		if err := i.pruneGuests(ctx, tx, w.Issuer, w.Subject, now); err != nil {
			return err
		}
		return i.event(ctx, tx, w.Person(), "exchange", genesis.Done, string(w.Person()), map[string]any{"jti": w.ID, "key": w.Key,
			"scopes": w.Scopes, "expires": g.expires, "bearer": r.Bearer, "projects": g.said.Projects, "dropped": len(w.Projects) - len(g.said.Projects)})
	})
	if err != nil {
		return genesis.PeerSession{}, err
	}
	p, err := i.guestPrincipal(g, now)
	return genesis.PeerSession{Session: secret, Expires: g.expires, Principal: p}, err
}

// newGuest is the session for a word.
func (i *Identity) newGuest(w vouch.Word, r genesis.ExchangeRequest, now time.Time) (*guest, error) {
	g := &guest{node: w.Issuer, subject: w.Subject, jti: w.ID, created: now.UTC(), said: said{Key: w.Key, Assurance: w.Assurance, Vetting: w.Vetting, Citizenship: w.Citizenship,
		Student: w.Student, Scopes: w.Scopes}}
	life := guestSession
	if r.Bearer {
		life = guestBearer
	} else {
		g.proof = i.sealer.seal(string(r.Key), g.sealedFor())
	}
	g.expires = g.created.Add(life)
	if !w.Until.IsZero() && w.Until.Before(g.expires) {
		g.expires = w.Until.Time
	}
	if !g.expires.After(now) {
		return nil, guestRefusal(genesis.CodeExpired, "token", "the session at %s ended at %s by its clock, and here it is %s", w.Issuer, w.Until.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	for _, m := range i.checked(w.Projects, w.Person(), now) {
		g.said.Projects = append(g.said.Projects, member{m.ID(), m.Expires.Time})
	}
	g.line = lineOf(w, r.Bearer)
	return g, nil
}

// lineOf names what sessions have in common that renew one another: the person, the
// secret and what they are narrowed to. A bearer is renewed by none.
func lineOf(w vouch.Word, bearer bool) string {
	parts := []string{string(w.Issuer), w.Subject, w.Confirm.Thumbprint, "all"}
	if w.Scopes != nil {
		parts[3] = "to"
		for _, s := range w.Scopes {
			parts = append(parts, string(s))
		}
	}
	if bearer {
		parts = append(parts, "", w.ID)
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// spendToken notes that a token was exchanged, for as long as it could be again. Errors:
// Permission (it was), Unavailable (its node has more of them going than is remembered).
func spendToken(ctx context.Context, tx *sql.Tx, w vouch.Word, now time.Time) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM guest_tokens WHERE expires_at <= $1", store.Time(now)); err != nil {
		return err
	}
	var spent, going int
	err := tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM guest_tokens WHERE node = $1 AND jti = $2) + (SELECT count(*) FROM guests WHERE node = $1 AND jti = $2),
		(SELECT count(*) FROM guest_tokens WHERE node = $1)`, w.Issuer, w.ID).Scan(&spent, &going)
	switch {
	case err != nil:
		return err
	case spent > 0:
		return guestRefusal(genesis.CodeReplayed, "token", "token %s of %s was exchanged before", w.ID, w.Issuer)
	case going >= mostTokens:
		return &genesis.Error{Op: "sign in", Kind: genesis.Unavailable, Subject: string(w.Issuer), Msg: "too many tokens of that node were exchanged in the last minutes", Hint: "try again in a minute", Err: TooMany(time.Minute)}
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO guest_tokens (node, jti, expires_at) VALUES ($1, $2, $3)", w.Issuer, w.ID, store.Time(w.Expires.Add(vouch.Skew+time.Second)))
	return err
}

// pruneGuests keeps as many sessions as there may be: of a day, of the person and of the
// node.
func (i *Identity) pruneGuests(ctx context.Context, tx *sql.Tx, node genesis.NodeID, subject string, now time.Time) error {
	if err := pruneOld(ctx, tx, now); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM guests WHERE node = $1 AND subject = $2 AND hash IN (SELECT hash FROM guests WHERE node = $1 AND subject = $2
		ORDER BY created_at DESC, hash LIMIT -1 OFFSET $3)`, node, subject, i.mostGuests.person)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM guests WHERE node = $1 AND hash IN (SELECT hash FROM guests WHERE node = $1
		ORDER BY created_at DESC, hash LIMIT -1 OFFSET $2)`, node, i.mostGuests.node)
	return err
}

// pruneOld deletes what outlives its sessions no longer.
func pruneOld(ctx context.Context, tx *sql.Tx, now time.Time) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM guests WHERE created_at < $1 AND expires_at <= $2", store.Time(now.Add(-guestsKept)), store.Time(now))
	return err
}

// refusedGuest records that a word was refused and why, and returns that. Who is refused
// again and again leaves an entry now and then.
func (i *Identity) refusedGuest(ctx context.Context, w vouch.Word, remote string, why error) error {
	var e *genesis.Error
	if !errors.As(why, &e) || e.Code == "" {
		return why
	}
	if _, ok := i.attempts.refusals.take(remote, i.now()); !ok {
		return why
	}
	detail := map[string]any{"code": e.Code, "reason": e.Msg}
	actor, subject := genesis.PersonID(""), ""
	if w.Key != "" { // its node signed it
		actor, subject, detail["jti"] = w.Person(), string(w.Person()), w.ID
	}
	if genesis.CheckPerson(actor) != nil {
		actor, subject = "", ""
	}
	err := i.db.Tx(ctx, func(tx *sql.Tx) error {
		return i.event(ctx, tx, actor, "exchange", genesis.Refused, subject, detail)
	})
	if err != nil {
		return err
	}
	return why
}

// said is what was vouched for, as the database keeps it.
type said struct {
	Key         string               `json:"key"` // id of the key that signed it
	Assurance   genesis.Assurance    `json:"assurance,omitempty"`
	Vetting     genesis.VettingState `json:"vetting,omitempty"`
	Citizenship genesis.Citizenship  `json:"citizenship,omitempty"`
	Student     bool                 `json:"student,omitempty"`
	Scopes      []genesis.Scope      `json:"scopes,omitzero"`
	Projects    []member             `json:"projects,omitempty"`
}

// member is a membership in a project of another node.
type member struct {
	Project string    `json:"project"`
	Until   time.Time `json:"until"`
}

func (g *guest) insert(ctx context.Context, tx *sql.Tx, hash [sha256.Size]byte) error {
	text, err := json.Marshal(g.said)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO guests (hash, node, subject, jti, line, proof, format, said, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		hex.EncodeToString(hash[:]), g.node, g.subject, g.jti, g.line, g.proof, guestFormat, string(text), store.Time(g.created), store.Time(g.expires))
	return err
}
