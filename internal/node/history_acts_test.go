//go:build linux || darwin

package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
)

func pick[T any](h *history, all []T) (one T, some bool) {
	if len(all) == 0 {
		return one, false
	}
	return all[h.d.IntN(len(all))], true
}

// owned are assets whose node is there, in one of some states.
func (h *history) owned(states ...genesis.State) (some []*asset) {
	for _, a := range h.assets {
		if !h.down[a.at] && slices.Contains(states, a.state) {
			some = append(some, a)
		}
	}
	return some
}

// offer prepares a dataset, and mostly publishes it.
func (h *history) offer() error {
	at, _ := pick(h, h.order)
	if h.down[at] {
		return nil
	}
	a := &asset{at: at, name: fmt.Sprintf("%s%d", h.prefix, len(h.assets)), state: genesis.Draft, said: map[string]int{}, maybe: map[string]int{}, known: map[soul]bool{}, blunder: h.blunder}
	a.csv = fmt.Sprintf("a,b\n1,%d\n3,4\n", 1000*h.plays+len(h.assets)) + strings.Repeat("5,6\n7,8\n", 60) // as many as a training takes
	ref, err := genesis.ParseRef(h.towns[at].prepare(a.name, a.csv))
	if err != nil {
		return err
	}
	a.digest = ref.Digest
	a.said["commit"]++
	h.notes("%s at %s", a.name, at)
	h.assets = append(h.assets, a)
	if h.d.IntN(5) == 0 {
		return nil
	}
	return h.publish(a)
}

// publish publishes, or gives other terms.
func (h *history) publish(a *asset) error {
	req := h.request(a)
	w := h.towns[a.at]
	h.notes("publishes %s: %s %v, hidden %v, %v", a.name, req.Tier, req.Partners, *req.Hidden, req.Openings)
	if _, err := w.works.Publish(h.Context(), w.local, a.ref(), req); err != nil {
		return fmt.Errorf("%s %+v: %w", a.name, req, err)
	}
	h.published(a, req)
	return nil
}

func (h *history) published(a *asset, req genesis.PublishRequest) {
	if a.state == genesis.Draft {
		a.said["publish"]++
	}
	a.said["terms"]++
	a.state, a.tier, a.partners, a.hidden, a.opens = genesis.Published, req.Tier, req.Partners, *req.Hidden, time.Time{}
	if len(req.Openings) > 0 {
		a.opens = req.Openings[0].At
	}
}

// request draws terms.
func (h *history) request(a *asset) genesis.PublishRequest {
	tier, _ := pick(h, genesis.Tiers)
	hidden := tier == genesis.TierControlled && h.d.IntN(2) == 0
	req := genesis.PublishRequest{Tier: tier, Hidden: &hidden, NoOpenings: true}
	if tier == genesis.TierPartner {
		one, _ := pick(h, append([]genesis.NodeID{genesis.NodeID(genesis.Laboratory), genesis.NodeID(genesis.University)}, h.order...))
		req.Partners = []string{string(one)}
	}
	if tier != genesis.TierPublic && tier != genesis.TierRestricted && h.d.IntN(4) == 0 {
		req.NoOpenings = false
		req.Openings = []genesis.Opening{{At: h.now(a.at).Add(48 * time.Hour).UTC().Truncate(24 * time.Hour), Tier: genesis.TierPublic}}
	}
	return req
}

func (h *history) terms() error {
	if a, ok := pick(h, h.owned(genesis.Draft, genesis.Published)); ok {
		return h.publish(a)
	}
	return nil
}

func (h *history) withdraw() error {
	return h.ends("withdraw", genesis.Withdrawn, (*works).Withdraw, genesis.Published)
}

func (h *history) erase() error {
	return h.ends("erase", genesis.Erased, (*works).Erase, genesis.Published, genesis.Withdrawn)
}

// ends has something that is in one of some states come to its end.
func (h *history) ends(act string, state genesis.State, do func(*works, context.Context, genesis.Principal, string, string) (*genesis.Version, error), of ...genesis.State) error {
	a, ok := pick(h, h.owned(of...))
	if !ok {
		return nil
	}
	w := h.towns[a.at]
	h.notes("%s", a.name)
	_, err := do(w.works, h.Context(), w.local, a.name+"@1", "a test")
	a.state = state
	a.said[act]++
	return err
}

// grant lets somebody do something, mostly for good.
func (h *history) grant() error {
	a, ok := pick(h, h.owned(genesis.Draft, genesis.Published))
	if !ok {
		return nil
	}
	_, err := h.lend(a)
	return err
}

func (h *history) lend(a *asset) (lent, error) {
	p, _ := pick(h, h.souls)
	to, _ := pick(h, []genesis.Grantee{genesis.Grantee("person:" + p.person()), genesis.Grantee("person:" + p.person()), genesis.Grantee("institution:" + p.home), genesis.Grantee("sector:" + sectorOf(p.home))})
	action, _ := pick(h, []genesis.Action{genesis.Read, genesis.Read, genesis.TrainOn, genesis.Infer})
	if a.state == genesis.Published && a.tierAt(h.now(a.at)) == genesis.TierRestricted {
		action = genesis.TrainOn
	}
	l := lent{to: to, actions: []genesis.Action{action}}
	if h.d.IntN(4) == 0 {
		l.until = h.now(a.at).Add(30 * time.Hour).UTC().Truncate(time.Second)
	}
	w := h.towns[a.at]
	h.notes("%s of %s to %s, until %v", action, a.name, to, l.until)
	g, err := w.works.Grant(h.Context(), w.local, genesis.GrantRequest{Ref: a.ref(), To: l.to, Actions: l.actions, Until: l.until})
	if err != nil {
		return l, fmt.Errorf("%s %+v: %w", a.name, l, err)
	}
	l.id = g.ID
	a.grants = append(a.grants, l)
	a.said["grant"]++
	return l, nil
}

func (h *history) revoke() error {
	var some []*asset
	for _, a := range h.owned(genesis.Draft, genesis.Published, genesis.Withdrawn, genesis.Erased) {
		if len(a.grants) > 0 {
			some = append(some, a)
		}
	}
	a, ok := pick(h, some)
	if !ok {
		return nil
	}
	i := h.d.IntN(len(a.grants))
	w := h.towns[a.at]
	h.notes("%s of %s", a.grants[i].to, a.name)
	_, err := w.works.Revoke(h.Context(), w.local, a.grants[i].id, "a test")
	a.grants = slices.Delete(slices.Clone(a.grants), i, i+1)
	a.said["revoke"]++
	return err
}

// excuse says why what somebody asks of a node may fail whatever they may do there; lost:
// it is done all the same.
func (h *history) excuse(p soul, at genesis.NodeID) (why string, lost bool) {
	switch {
	case h.down[p.home] || h.down[at]:
		return "down", false
	case h.off[p.home] || h.off[at]:
		return "clock", true
	case p.home != at && (h.split == p.home || h.split == at):
		return "parted", false
	case p.home != at && h.deaf == p.home:
		return "deaf", true
	}
	return "", false
}

// try is one act of somebody.
func (h *history) try(p soul, action genesis.Action, a *asset) error {
	c, err := h.client(p, a.at)
	if err != nil {
		return err
	}
	ref := a.ref()
	if action == genesis.Discover {
		_, err = c.Describe(h.Context(), ref)
		return err
	}
	var csv bytes.Buffer
	if err = c.Export(h.Context(), ref, client.ExportOptions{Format: "csv"}, &csv, nil); err == nil && csv.String() != strings.ReplaceAll(a.csv, "\n", "\r\n") {
		return fmt.Errorf("it reads %q", csv.String())
	}
	return err
}

// act has somebody do something: they can when they may, and not when they may not.
func (h *history) act(action genesis.Action) error {
	a, ok := pick(h, h.assets)
	if !ok {
		return nil
	}
	p, _ := pick(h, h.souls)
	why, lost := h.excuse(p, a.at)
	may := a.may(p, action, h.now(a.at))
	h.notes("%s %s: may %v, %s", p.person(), a.name, may, why)
	return h.judge(a, p, action, h.try(p, action, a), []bool{may}, why, lost)
}

// judge holds what came of an act against what was allowed meanwhile.
func (h *history) judge(a *asset, p soul, action genesis.Action, err error, may []bool, excuse string, lost bool) error {
	key := fmt.Sprintf("%s %s", action, p.person())
	told := fmt.Sprintf("%s %s of %s (%s, %s, %v, %+v, opens %v)", p.person(), action, a.name, a.state, a.tier, a.partners, a.grants, a.opens)
	if err != nil && action == genesis.Read && slices.Contains(may, true) && len(may) > 1 {
		a.maybe[key]++ // it may have begun before it was taken back
	}
	switch kind := genesis.KindOf(err); {
	case err == nil && !slices.Contains(may, true):
		return fmt.Errorf("%s: it was not granted, and done", told)
	case err == nil:
		if action == genesis.Read {
			a.said[key]++
		}
	case excuse != "":
		if lost && action == genesis.Read && slices.Contains(may, true) {
			a.maybe[key]++
		}
		var e *genesis.Error
		if kind != genesis.Unavailable && !(errors.As(err, &e) && e.Code != "") && slices.Equal(may, []bool{true}) {
			return fmt.Errorf("%s, %s: %w", told, excuse, err)
		}
	case !slices.Contains(may, false):
		return fmt.Errorf("%s: it was granted, and refused: %w", told, err)
	case kind != genesis.NotFound && kind != genesis.Permission && kind != genesis.Gone:
		return fmt.Errorf("%s: %w", told, err)
	case kind != genesis.NotFound && !a.may(p, genesis.Discover, h.now(a.at)) && len(may) == 1:
		return fmt.Errorf("%s: it is told that it exists: %w", told, err)
	}
	return nil
}

// list: a list has what somebody may discover, and nothing else.
func (h *history) list() error {
	p, _ := pick(h, h.souls)
	at, _ := pick(h, h.order)
	why, _ := h.excuse(p, at)
	c, err := h.client(p, at)
	if err != nil && why != "" {
		return nil
	}
	if err != nil {
		return err
	}
	var have, want []string
	for a, err := range c.List(h.Context(), "") {
		if err != nil && why != "" {
			return nil
		}
		if err != nil {
			return err
		}
		if len(a.Name) > len(h.prefix) && string(a.Name)[:len(h.prefix)] == h.prefix {
			have = append(have, string(a.Name))
		}
	}
	for _, a := range h.assets {
		if a.at == at && a.state == genesis.Published && a.may(p, genesis.Discover, h.now(at)) {
			want = append(want, a.name)
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		return fmt.Errorf("%s is told of %q at %s, and may know of %q", p.person(), have, at, want)
	}
	return nil
}

// race has somebody read while the steward changes who may, or while the node is killed.
func (h *history) race() error {
	a, ok := pick(h, h.owned(genesis.Published))
	if !ok {
		return nil
	}
	p, _ := pick(h, h.souls)
	why, lost := h.excuse(p, a.at)
	before := a.may(p, genesis.Read, h.now(a.at))
	killed := h.d.IntN(4) == 0
	h.notes("%s reads %s: may %v, %s, killed %v;", p.person(), a.name, before, why, killed)
	var err error
	var reads sync.WaitGroup
	if _, gone := h.client(p, a.at); gone == nil { // so that they are at it
		reads.Go(func() { err = h.try(p, genesis.Read, a) })
		time.Sleep(time.Duration(h.d.IntN(4000)) * time.Microsecond)
	} else {
		err = gone
	}
	failed := func() error {
		switch {
		case killed:
			h.faults++
			h.cluster.kill(a.at)
			h.hears(a.at)
		case h.d.IntN(2) == 0:
			_, err := h.lend(a)
			return err
		default:
			return h.publish(a)
		}
		return nil
	}()
	reads.Wait()
	if failed != nil {
		return failed
	}
	if killed && why == "" {
		why, lost = "killed", true
	}
	return h.judge(a, p, genesis.Read, err, []bool{before, a.may(p, genesis.Read, h.now(a.at))}, why, lost)
}
