package identity

import (
	"context"
	"database/sql"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// longestVetting is how far ahead an officer may vet.
const longestVetting = 5*365*24*time.Hour + 48*time.Hour

// RequestVetting asks for the vetting of who asks, anew or for longer too. It changes
// nothing of what was found before: asking is no way round a refusal. Errors:
// Permission, Conflict (it is asked for), Invalid (note).
func (i *Identity) RequestVetting(ctx context.Context, who genesis.Principal, note string) (genesis.Account, error) {
	const op = "request vetting"
	if !i.home(who) || !who.SignedIn() || who.Scopes != nil {
		return genesis.Account{}, refuse(op, who.Subject, "people ask for themselves, at their own node, with a credential that is not narrowed")
	}
	return i.changeVetting(ctx, op, who, who.Subject, note, func(a *account, now time.Time) error {
		if a.asked != 0 {
			return &genesis.Error{Op: op, Kind: genesis.Conflict, Subject: a.Subject, Msg: "it was asked for on " + timeAt(a.asked).Format(time.DateOnly), Hint: "an officer answers"}
		}
		a.asked, a.Vetting.Ask = store.Time(now), note
		return nil
	})
}

// Vet writes what an officer found about somebody: Vetted until a time, of who asked
// for it or is vetted already, or VettingRefused. Errors: Permission (by is no officer,
// or is the person), Conflict (nobody asked), Invalid, NotFound.
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
	return i.changeVetting(ctx, op, by, subject, v.Note, func(a *account, now time.Time) error {
		if v.State == genesis.Vetted && a.asked == 0 && a.here(now) != genesis.Vetted {
			return &genesis.Error{Op: op, Kind: genesis.Conflict, Subject: subject, Msg: "the vetting is " + vettingWord(a.here(now)) + ", and they did not ask for it",
				Hint: "a person asks first, with `genesis account vet`; then an officer answers"}
		}
		a.Vetting = genesis.Vetting{State: v.State, By: i.actor(by), Note: v.Note}
		a.asked, a.vettedAt, a.until = 0, store.Time(now), 0
		if v.State == genesis.Vetted {
			a.until = store.Time(v.Until)
		}
		return nil
	})
}

// changeVetting changes the vetting of an account, with its entry of the journal.
func (i *Identity) changeVetting(ctx context.Context, op string, by genesis.Principal, subject, note string, change func(*account, time.Time) error) (genesis.Account, error) {
	if len(note) > 2000 || !utf8.ValidString(note) || strings.ContainsRune(note, 0) {
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
		if err := change(a, now); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE accounts SET vetting = $1, vetted_by = $2, vetted_at = $3, vetted_until = $4, vetting_note = $5, vetting_asked = $6, vetting_ask = $7 WHERE id = $8`,
			a.Vetting.State, a.Vetting.By, a.vettedAt, a.until, a.Vetting.Note, a.asked, a.Vetting.Ask, a.id)
		if err != nil {
			return store.Error(op, subject, err)
		}
		return i.event(ctx, tx, i.actor(by), "vetting", genesis.Done, subject,
			map[string]any{"from": vettingWord(from), "to": vettingWord(a.here(now)), "until": timeAt(a.until), "asked": a.asked != 0})
	})
	if err != nil {
		return genesis.Account{}, err
	}
	return a.view(now), nil
}

// here is the state as it was found at this node, whatever a provider told.
func (a *account) here(now time.Time) genesis.VettingState {
	switch {
	case a.Vetting.State == genesis.Vetted && store.Time(now) >= a.until:
		return genesis.VettingExpired
	case a.Vetting.State == genesis.VettingNone && a.asked != 0:
		return genesis.VettingRequested
	}
	return a.Vetting.State
}

func vettingWord(s genesis.VettingState) string {
	if s == genesis.VettingNone {
		return "not asked for"
	}
	return string(s)
}
