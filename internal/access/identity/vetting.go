package identity

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// vettingMoves are the steps of a vetting. A person asks; an officer answers, and
// may renew or take back what was found. Time alone turns vetted into expired.
var vettingMoves = map[genesis.VettingState][]genesis.VettingState{
	genesis.VettingNone:      {genesis.VettingRequested},
	genesis.VettingRequested: {genesis.Vetted, genesis.VettingRefused},
	genesis.Vetted:           {genesis.Vetted, genesis.VettingRefused},
	genesis.VettingExpired:   {genesis.VettingRequested},
	genesis.VettingRefused:   {genesis.VettingRequested},
}

// longestVetting is how far ahead an officer may vet.
const longestVetting = 5*365*24*time.Hour + 48*time.Hour

// RequestVetting asks for the vetting of who asks. Errors: Permission, Conflict
// (it is asked for, or was found), Invalid (note).
func (i *Identity) RequestVetting(ctx context.Context, who genesis.Principal, note string) (genesis.Account, error) {
	const op = "request vetting"
	if !i.home(who) || !who.SignedIn() || who.Scopes != nil {
		return genesis.Account{}, refuse(op, who.Subject, "people ask for themselves, at their own node, with a credential that is not narrowed")
	}
	return i.moveVetting(ctx, op, who, who.Subject, genesis.Vetting{State: genesis.VettingRequested, Note: note})
}

// Vet writes what an officer found about somebody who asked: Vetted until a
// time, or VettingRefused. Errors: Permission (by is no officer, or is the person),
// Conflict (the vetting is not where this could follow), Invalid, NotFound.
func (i *Identity) Vet(ctx context.Context, by genesis.Principal, subject string, v genesis.Vetting) (genesis.Account, error) {
	const op = "vet"
	switch {
	case !i.home(by) || !by.Has(genesis.DutyOfficer) || by.Scopes != nil:
		return genesis.Account{}, refuse(op, subject, "only officers vet people, with a credential that is not narrowed")
	case by.Subject == subject:
		return genesis.Account{}, refuse(op, subject, "nobody vets themselves")
	case v.State != genesis.Vetted && v.State != genesis.VettingRefused:
		return genesis.Account{}, invalid(op, subject, "an officer finds that somebody is vetted, or refuses")
	case v.State == genesis.Vetted && (!v.Until.After(i.now()) || v.Until.After(i.now().Add(longestVetting))):
		return genesis.Account{}, invalid(op, subject, "say until when: a time to come, within five years")
	}
	if v.State == genesis.VettingRefused {
		v.Until = time.Time{}
	}
	return i.moveVetting(ctx, op, by, subject, v)
}

func (i *Identity) moveVetting(ctx context.Context, op string, by genesis.Principal, subject string, v genesis.Vetting) (genesis.Account, error) {
	if len(v.Note) > 2000 || !utf8.ValidString(v.Note) || strings.ContainsRune(v.Note, 0) {
		return genesis.Account{}, invalid(op, subject, "the note is longer than 2000 bytes, or is not text")
	}
	defer i.changed()
	defer i.cache.dropAccount(subject)
	now := i.now()
	var a *account
	err := i.db.Tx(ctx, func(tx *sql.Tx) (err error) {
		if a, err = find(ctx, tx, op, subject); err != nil {
			return err
		}
		from := a.here(now)
		if !slices.Contains(vettingMoves[from], v.State) {
			return &genesis.Error{Op: op, Kind: genesis.Conflict, Subject: subject, Msg: "the vetting is " + vettingWord(from) + ", and that cannot become " + vettingWord(v.State),
				Hint: "a person asks first, then an officer answers"}
		}
		a.setVetting(v, i.actor(by), now)
		_, err = tx.ExecContext(ctx, `UPDATE accounts SET vetting = $1, vetted_by = $2, vetted_at = $3, vetted_until = $4, vetting_note = $5 WHERE id = $6`,
			a.Vetting.State, a.Vetting.By, a.vettedAt, a.until, a.Vetting.Note, a.id)
		if err != nil {
			return store.Error(op, subject, err)
		}
		return i.event(ctx, tx, i.actor(by), "vetting", genesis.Done, subject,
			map[string]any{"from": vettingWord(from), "to": vettingWord(v.State), "until": v.Until})
	})
	if err != nil {
		return genesis.Account{}, err
	}
	return a.view(now), nil
}

// here is the state as it was found at this node, whatever a provider told.
func (a *account) here(now time.Time) genesis.VettingState {
	if a.Vetting.State == genesis.Vetted && store.Time(now) >= a.until {
		return genesis.VettingExpired
	}
	return a.Vetting.State
}

func (a *account) setVetting(v genesis.Vetting, by genesis.PersonID, now time.Time) {
	a.Vetting = genesis.Vetting{State: v.State, By: by, Note: v.Note}
	a.vettedAt, a.until = store.Time(now), 0
	if !v.Until.IsZero() {
		a.until = store.Time(v.Until)
	}
}

func vettingWord(s genesis.VettingState) string {
	if s == genesis.VettingNone {
		return "not asked for"
	}
	return string(s)
}
