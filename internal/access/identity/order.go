package identity

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// OrderLasts is for how long something goes on in the name of somebody of another node
// whom their home vouched for in a message. What the home takes back meanwhile it tells
// by another message; whether it is a member is asked all the time.
const OrderLasts = 7 * 24 * time.Hour

// messageCredential begins the credential of somebody who comes by a message.
const messageCredential = "message:"

// Stand is [Identity.Believed] for what goes on after the message was taken: who it is
// then, [Identity.Current] knows. It is part of the transaction that takes the message.
func (i *Identity) Stand(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage, v genesis.Vouched) (genesis.Principal, error) {
	p, err := i.Believed(m, v)
	if err != nil {
		return p, err
	}
	now := i.now().UTC()
	g := &guest{node: m.From, subject: v.Subject, created: now, expires: now.Add(OrderLasts),
		said: said{Assurance: v.Assurance, Vetting: v.Vetting, Citizenship: v.Citizenship, Student: v.Student, Scopes: v.Scopes}}
	for _, in := range i.checked(v.Projects, p.Person(), now) {
		until := in.Expires.Time
		if in.Home == m.From { // whoever leaves it, their home tells of
			until = g.expires
		}
		g.said.Projects = append(g.said.Projects, member{in.ID(), until})
	}
	text, err := json.Marshal(g.said)
	if err != nil {
		return p, err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM guest_orders WHERE expires_at < $1", store.Time(now.Add(-guestsKept))); err != nil {
		return p, store.Error("take message", m.ID, err)
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO guest_orders (node, message, subject, format, said, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		string(m.From), m.ID, v.Subject, guestFormat, string(text), store.Time(g.created), store.Time(g.expires))
	return p, store.Error("take message", m.ID, err)
}

// currentOrder is who somebody is now whose home vouched for them in a message, and
// whether they came by one.
func (i *Identity) currentOrder(ctx context.Context, who genesis.Principal) (p genesis.Principal, is bool, err error) {
	id, is := strings.CutPrefix(who.Credential, messageCredential)
	if !is {
		return p, false, nil
	}
	g := guest{node: who.Node, subject: who.Subject}
	var format int
	var text string
	var created, expires int64
	err = i.db.Read().QueryRowContext(ctx, "SELECT format, said, created_at, expires_at FROM guest_orders WHERE node = $1 AND message = $2 AND subject = $3",
		string(who.Node), id, who.Subject).Scan(&format, &text, &created, &expires)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return p, true, guestRefusal(genesis.CodeUnknown, "message", "the message by which this was asked for is kept no longer")
	case err != nil:
		return p, true, store.Error("sign in", string(who.Person()), err)
	case format != guestFormat:
		return p, true, guestRefusal(genesis.CodeUnknown, "message", "this was asked for at another version of the node")
	}
	if err := json.Unmarshal([]byte(text), &g.said); err != nil {
		return p, true, fault("sign in", string(who.Person()), fmt.Errorf("what is stored of a message is damaged: %w", err))
	}
	g.created, g.expires = store.TimeAt(created), store.TimeAt(expires)
	p, err = i.guestPrincipal(&g, i.now())
	p.Credential, p.Purpose = who.Credential, who.Purpose
	return p, true, err
}
