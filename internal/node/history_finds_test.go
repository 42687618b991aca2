//go:build linux || darwin

package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
	"github.com/opengenesis/genesis/internal/work/run"
)

// find: a search at home finds what somebody could know of elsewhere at some time, and at
// home may know of now.
func (h *history) find() error {
	p, _ := pick(h, h.souls)
	if h.down[p.home] {
		return nil
	}
	h.notes("%s", p.person())
	found, covered, err := h.found(p)
	if err != nil {
		if why, _ := h.excuse(p, p.home); why != "" {
			return nil
		}
		return fmt.Errorf("%s searches: %w", p.person(), err)
	}
	h.notes("%q %v", found, covered)
	for _, a := range h.assets {
		knew := a.known[p]
		if a.at == p.home {
			knew = a.may(p, genesis.Discover, h.now(a.at))
		}
		if slices.Contains(found, a.place()) && !knew {
			return fmt.Errorf("%s finds %s, which they may not know of", p.person(), a.place())
		}
	}
	return nil
}

// place is what it is called in the federation.
func (a *asset) place() string { return string(a.at) + "/" + a.name }

// found are the places of a history's datasets that somebody is told of when they search,
// and whether all nodes that could be asked answered.
func (h *history) found(p soul) (places []string, covered bool, err error) {
	res, err := h.home(p.home, p.name).Search(h.Context(), genesis.SearchQuery{Text: strings.TrimSuffix(h.prefix, "-"), Limit: 200})
	if err != nil {
		return nil, false, err
	}
	for _, hit := range res.Hits {
		for _, at := range hit.Places {
			if strings.HasPrefix(string(at.Name), h.prefix) {
				places = append(places, string(at.Node)+"/"+string(at.Name))
			}
		}
	}
	slices.Sort(places)
	h.coverage = res.Coverage
	short := slices.ContainsFunc(res.Coverage, func(c genesis.NodeCoverage) bool { return c.Asked != c.Answered || c.Reason != "" })
	return places, !short && res.Next == "", nil
}

// foundAll: when all is mended, everybody finds what they may know of, and nothing else.
func (h *history) foundAll() error {
	for _, p := range h.souls {
		err := h.until(func() error {
			have, covered, err := h.found(p)
			if err != nil {
				return err
			}
			want := []string{}
			for _, a := range h.assets {
				if a.state == genesis.Published && a.may(p, genesis.Discover, h.now(a.at)) {
					want = append(want, a.place())
				}
			}
			slices.Sort(want)
			if slices.Equal(have, want) {
				return nil
			}
			why := fmt.Errorf("%s finds %q, and may know of %q (all answered: %v, %+v)", p.person(), have, want, covered, h.coverage)
			if covered {
				return why
			}
			if err := h.passes(31 * time.Second); err != nil { // a node that did not answer is not asked again for half a minute
				return err
			}
			return why
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pulling is a copy that somebody makes at home of something at another node.
type pulling struct {
	of     *asset
	by     soul
	id     string
	name   string
	grants []string // that let them read it when they began
	could  bool     // they might read it at some time since
	free   bool     // they might at some time since, without a grant
	always bool     // they might all the time since, and no fault was there
	faults int      // that there were before
}

// pull copies something of another node.
func (h *history) pull() error {
	a, p, ok := h.elsewhere()
	if !ok || a.state == genesis.Draft {
		return nil
	}
	c := &pulling{of: a, by: p, id: run.NewID(), name: fmt.Sprintf("~%s/%scopy%d", p.name, h.prefix, len(h.pulled)), faults: h.faults}
	for _, l := range a.grants {
		if l.reaches(p) && slices.Contains(l.actions, genesis.Read) {
			c.grants = append(c.grants, l.id)
		}
	}
	why, _ := h.excuse(p, a.at)
	c.always = why == "" && h.lying == ""
	h.notes("%s of %s: may %v, %s", p.person(), a.name, a.may(p, genesis.Read, h.now(a.at)), why)
	q := genesis.PullRequest{Ref: string(a.at) + "/" + a.ref(), Name: genesis.Name(c.name)}
	_, err := h.home(p.home, p.name).SubmitRun(h.Context(), genesis.RunRequest{ID: c.id, Kind: genesis.RunPull, Request: asJSON(h.T, q)})
	if err != nil && !h.off[p.home] {
		return fmt.Errorf("%s pulls %s: %w", p.person(), a.name, err)
	}
	if err == nil {
		h.pulled = append(h.pulled, c)
	}
	return nil
}

// watch looks at what whoever copies may do meanwhile.
func (c *pulling) watch(h *history) {
	now := h.now(c.of.at)
	may := c.of.may(c.by, genesis.Read, now)
	bare := *c.of
	bare.grants = nil
	c.could = c.could || may
	c.free = c.free || bare.may(c.by, genesis.Read, now)
	c.always = c.always && may && h.faults == c.faults
}

// copied: each copy is whole or not there, and whoever made it reads it for as long as a
// leave of its owner lasts; nobody else knows of it.
func (h *history) copied() error {
	for _, c := range h.pulled {
		r, err := h.end(c.by, c.id)
		if err == nil {
			err = h.whole(c, r)
		}
		if c.could {
			c.of.maybe["read "+string(c.by.person())]++
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *history) whole(c *pulling, r *genesis.Run) error {
	w := h.towns[c.by.home]
	told := fmt.Sprintf("a copy of %s by %s: %s %+v", c.of.name, c.by.person(), r.State, r.Error)
	d, err := w.works.Describe(h.Context(), w.local, c.name)
	if r.State != genesis.RunDone {
		if genesis.KindOf(err) != genesis.NotFound {
			return fmt.Errorf("%s: there is %+v %w", told, d, err)
		}
		if c.always {
			return fmt.Errorf("%s: they might read it all the time", told)
		}
		return nil
	}
	var made genesis.Pulled
	if err := json.Unmarshal(r.Result, &made); err != nil {
		return err
	}
	if !c.could || err != nil || d.Version.Digest != c.of.digest || made.Version.Digest != c.of.digest {
		return fmt.Errorf("%s: could %v, there is %+v, not %s: %w", told, c.could, d, c.of.digest, err)
	}
	v, err := w.works.Verify(h.Context(), w.local, c.name, nil)
	if err == nil && len(v.Damage) > 0 {
		err = fmt.Errorf("%v", v.Damage)
	}
	if err != nil && genesis.KindOf(err) != genesis.Permission { // to verify is to read, and no leave may last
		return fmt.Errorf("%s does not verify: %w", told, err)
	}
	return h.until(func() error {
		if err := h.obeys(c); err != nil {
			return fmt.Errorf("%s: %w", told, err)
		}
		return nil
	})
}

// obeys says how a copy does not obey the node that it is from.
func (h *history) obeys(c *pulling) error {
	lasts, began := false, false
	for _, l := range c.of.grants {
		in := l.reaches(c.by) && slices.Contains(l.actions, genesis.Read) && (l.until.IsZero() || h.now(c.of.at).Before(l.until))
		lasts = lasts || in
		began = began || in && slices.Contains(c.grants, l.id)
	}
	for _, p := range h.souls {
		if p.home != c.by.home {
			continue
		}
		var csv bytes.Buffer
		err := h.home(p.home, p.name).Export(h.Context(), c.name, client.ExportOptions{Format: "csv"}, &csv, nil)
		switch {
		case p != c.by && genesis.KindOf(err) != genesis.NotFound:
			return fmt.Errorf("%s, whose copy it is not: %w", p.person(), err)
		case p != c.by:
		case err == nil && csv.String() != strings.ReplaceAll(c.of.csv, "\n", "\r\n"):
			return fmt.Errorf("it reads %q", csv.String())
		case err == nil && !lasts && !c.free:
			return fmt.Errorf("it is read, and no leave lasts")
		case err != nil && began:
			return fmt.Errorf("it is not read, and a leave lasts: %w", err)
		}
	}
	return nil
}
