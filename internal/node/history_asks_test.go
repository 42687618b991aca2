//go:build linux || darwin

package node

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/work/run"
)

// asking is a request of somebody for something at another node.
type asking struct {
	of     *asset
	by     soul
	id     string
	could  bool // they might know of it at some time since
	denied bool
}

// ordering is a training that somebody ordered at another node.
type ordering struct {
	of       *asset
	by       soul
	id, name string
	could    bool // they might train on it at some time since
	always   bool // they might, and read it, all the time since, and nothing was amiss with clocks
	canceled bool
}

// watch looks after each step at what people may do meanwhile.
func (h *history) watch() {
	off := slices.ContainsFunc(h.order, func(id genesis.NodeID) bool { return h.off[id] })
	for _, a := range h.assets {
		for _, p := range h.souls {
			a.known[p] = a.known[p] || a.may(p, genesis.Discover, h.now(a.at))
		}
	}
	for _, c := range h.pulled {
		c.watch(h)
	}
	for _, a := range h.asked {
		a.could = a.could || a.of.may(a.by, genesis.Discover, h.now(a.of.at))
	}
	for _, o := range h.ordered {
		may := o.of.may(o.by, genesis.TrainOn, h.now(o.of.at))
		o.could = o.could || may
		o.always = o.always && may && o.of.may(o.by, genesis.Read, h.now(o.of.at)) && !off
	}
}

// elsewhere draws something, and somebody of another node that is up.
func (h *history) elsewhere() (*asset, soul, bool) {
	a, ok := pick(h, h.assets)
	if !ok {
		return nil, soul{}, false
	}
	p, _ := pick(h, slices.DeleteFunc(slices.Clone(h.souls), func(p soul) bool { return p.home == a.at }))
	return a, p, !h.down[p.home]
}

// ask asks another node for access, whether it is there or not.
func (h *history) ask() error {
	a, p, ok := h.elsewhere()
	if !ok {
		return nil
	}
	action, _ := pick(h, []genesis.Action{genesis.Read, genesis.TrainOn})
	h.notes("%s for %s of %s", p.person(), action, a.name)
	r, err := h.home(p.home, p.name).Ask(h.Context(), genesis.AskRequest{Ref: string(a.at) + "/" + a.name, Actions: []genesis.Action{action}, Purpose: "wakes"})
	if err != nil {
		return fmt.Errorf("%s asks for %s: %w", p.person(), a.name, err)
	}
	h.asked = append(h.asked, &asking{of: a, by: p, id: r.ID})
	return nil
}

// answer has a steward approve or deny what came.
func (h *history) answer() error {
	var some []*asking
	for _, q := range h.asked {
		if h.down[q.of.at] {
			continue
		}
		if r, err := h.towns[q.of.at].works.Request(h.Context(), h.towns[q.of.at].local, q.id); err == nil && r.State == genesis.RequestOpen {
			some = append(some, q)
		}
	}
	q, ok := pick(h, some)
	if !ok {
		return nil
	}
	w := h.towns[q.of.at]
	if h.d.IntN(4) == 0 {
		h.notes("no to %s for %s", q.by.person(), q.of.name)
		_, err := w.works.Deny(h.Context(), w.local, q.id, "a test")
		if q.denied = err == nil; genesis.KindOf(err) == genesis.Conflict { // they took it back meanwhile
			return nil
		}
		return err
	}
	h.notes("yes to %s for %s", q.by.person(), q.of.name)
	r, err := w.works.Approve(h.Context(), w.local, q.id, genesis.Approval{})
	if err != nil { // what its terms and its state forbid is not granted
		if k := genesis.KindOf(err); k == genesis.Permission || k == genesis.Invalid || k == genesis.Gone || k == genesis.Conflict || k == genesis.NotFound {
			return nil
		}
		return err
	}
	q.of.grants = append(q.of.grants, lent{id: r.Grant, to: genesis.Grantee("person:" + q.by.person()), actions: r.Granted, until: r.Until})
	q.of.said["approve"]++
	return nil
}

// unsay has somebody take back what they asked for.
func (h *history) unsay() error {
	q, ok := pick(h, h.asked)
	if !ok || h.down[q.by.home] {
		return nil
	}
	h.notes("%s for %s", q.by.person(), q.of.name)
	_, err := h.home(q.by.home, q.by.name).WithdrawRequest(h.Context(), q.id)
	if k := genesis.KindOf(err); k != "" && k != genesis.Conflict {
		return err
	}
	return nil
}

// command orders a training at another node.
func (h *history) command() error {
	a, p, ok := h.elsewhere()
	if !ok || a.state == genesis.Draft {
		return nil
	}
	o := &ordering{of: a, by: p, id: run.NewID(), name: fmt.Sprintf("%snet%d", h.prefix, len(h.ordered)), always: true}
	why, _ := h.excuse(p, a.at)
	h.notes("%s on %s: may %v, %s", p.person(), a.name, a.may(p, genesis.TrainOn, h.now(a.at)), why)
	q := genesis.TrainRequest{Dataset: string(a.at) + "/" + a.ref(), Name: genesis.Name(o.name), Target: []string{"b"}, Members: 1, Epochs: 1, Where: genesis.TrainThere}
	_, err := h.home(p.home, p.name).SubmitRun(h.Context(), genesis.RunRequest{ID: o.id, Kind: genesis.RunTrain, Request: asJSON(h.T, q)})
	if err != nil {
		return fmt.Errorf("%s orders a training on %s: %w", p.person(), a.name, err)
	}
	h.ordered = append(h.ordered, o)
	return nil
}

// cancel has somebody take back an order.
func (h *history) cancel() error {
	o, ok := pick(h, h.ordered)
	if !ok || h.down[o.by.home] {
		return nil
	}
	h.notes("%s on %s", o.by.person(), o.of.name)
	o.canceled = true
	_, err := h.home(o.by.home, o.by.name).CancelRun(h.Context(), o.id)
	if k := genesis.KindOf(err); k != "" && k != genesis.Conflict {
		return err
	}
	return nil
}

// until waits for something to hold that returns why it does not yet.
func (h *history) until(holds func() error) error {
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		why := holds()
		if why == nil {
			return nil
		}
		if time.Since(began) > patience {
			return why
		}
		for _, id := range h.order {
			h.towns[id].works.post.Wake()
		}
	}
}

// agreed: both nodes say the same of each request, and what is granted is what was granted.
func (h *history) agreed() error {
	for _, id := range h.order {
		if err := h.towns[id].works.TellOver(h.Context()); err != nil {
			return err
		}
	}
	for _, q := range h.asked {
		if err := h.until(func() error { return h.same(q) }); err != nil {
			return err
		}
	}
	for _, a := range h.assets {
		have, want := []string{}, []string{}
		all, _, err := h.towns[a.at].works.Access.Grants(h.Context(), access.GrantQuery{Name: genesis.Name(a.name), Active: true, Limit: 1000})
		if err != nil {
			return err
		}
		for _, g := range all {
			have = append(have, g.ID)
		}
		for _, l := range a.grants {
			if l.until.IsZero() || h.now(a.at).Before(l.until) {
				want = append(want, l.id)
			}
		}
		slices.Sort(have)
		slices.Sort(want)
		if !slices.Equal(have, want) {
			return fmt.Errorf("%s: granted are %v, and stewards granted %v", a.name, have, want)
		}
	}
	return nil
}

// same says how a request differs at both ends.
func (h *history) same(q *asking) error {
	w := h.towns[q.of.at]
	here, err := h.home(q.by.home, q.by.name).Request(h.Context(), q.id)
	if err != nil {
		return err
	}
	there, err := w.works.Request(h.Context(), w.local, q.id)
	want, grant := genesis.RequestRefused, ""
	switch {
	case genesis.KindOf(err) == genesis.NotFound:
	case err != nil:
		return err
	case !q.could:
		return fmt.Errorf("%s asked for %s, which they could not know of: %+v", q.by.person(), q.of.name, there)
	default:
		want, grant = there.State, there.Grant
		lives := func(l lent) bool { return l.id == grant && (l.until.IsZero() || h.now(q.of.at).Before(l.until)) }
		if grant != "" && !slices.ContainsFunc(q.of.grants, lives) {
			want = genesis.RequestEnded
		}
	}
	if here.State != want || here.Grant != grant || here.Waits != nil || q.denied && want != genesis.RequestDenied {
		return fmt.Errorf("%s for %s: at home %+v, at its owner's %s %+v", q.by.person(), q.of.name, here, want, there)
	}
	return nil
}

// end waits until a run of somebody has ended, as their home knows it.
func (h *history) end(by soul, id string) (r *genesis.Run, err error) {
	err = h.until(func() (err error) {
		if r, err = h.home(by.home, by.name).Run(h.Context(), id); err == nil && !r.State.Ended() {
			err = fmt.Errorf("a run of %s does not end: %+v", by.person(), *r)
		}
		return err
	})
	return r, err
}

// ended: each training that was ordered has one end, which both nodes know of, and one
// model or none.
func (h *history) ended() error {
	for _, o := range h.ordered {
		r, err := h.end(o.by, o.id)
		if err != nil {
			return err
		}
		h.settle(o.of.at)
		name, models := fmt.Sprintf("~%s+%s/%s", o.by.name, o.by.home, o.name), 0
		for _, e := range h.entries(o.of.at, genesis.AuditQuery{Act: "commit", Subject: name, Outcome: genesis.Done, Since: h.began}) {
			if e.Subject == name {
				models++
			}
		}
		told := fmt.Sprintf("%s on %s: %s %+v, %d models", o.by.person(), o.of.name, r.State, r.Error, models)
		switch done := r.State == genesis.RunDone; {
		case models > 1 || done != (models == 1):
			return fmt.Errorf("%s", told)
		case done && !o.could:
			return fmt.Errorf("%s: it was not granted", told)
		case !done && o.always && !o.canceled:
			return fmt.Errorf("%s: it was granted all the time", told)
		case done && !strings.Contains(string(r.Result), o.name):
			return fmt.Errorf("%s: its result is %s", told, json.RawMessage(r.Result))
		}
	}
	return nil
}
