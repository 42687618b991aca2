package access

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
)

// absent says why nothing permits an act.
func absent(f facts, a genesis.Action) string {
	switch {
	case f.node():
		return "this is for " + whose(f.part, a) + " of this node"
	case a == genesis.Steward:
		return "this is for its stewards"
	case a == genesis.Operate:
		return "nobody operates an asset"
	case !f.who.SignedIn():
		return "nobody has signed in"
	case !f.who.registered:
		return "no member of the federation vouches for the person"
	case f.tier == "":
		return "it has no terms yet that open it"
	}
	if when := f.held.unmet(a); when != "" {
		return fmt.Sprintf("it is %s, and the grant to %s it counts when %s", f.tier, verb(a), when)
	}
	return fmt.Sprintf("it is %s: to %s it takes a grant", f.tier, verb(a))
}

// unmet is the condition of a grant of an action, where none holds; "" without a grant.
func (h held) unmet(a genesis.Action) string {
	if g := h.waiting(a); g != nil {
		return g.when()
	}
	return ""
}

// waiting is a grant of an action that has a condition, where none counts; nil without one.
func (h held) waiting(a genesis.Action) *grant {
	if h.of(a).granted {
		return nil
	}
	i := slices.IndexFunc(h.grants, func(g *grant) bool { return g.Condition != "" && slices.Contains(g.Actions, a) })
	if i < 0 {
		return nil
	}
	return h.grants[i]
}

// when is the condition of a grant in a sentence.
func (g *grant) when() string {
	const most = 200
	if len(g.Condition) > most {
		return strings.ToValidUTF8(g.Condition[:most], "") + "…"
	}
	return g.Condition
}

// purposeFor is a purpose by which a grant of an action would count, if the person stated
// it; "" where none counts by that alone, or one counts as it is.
func (f facts) purposeFor(a genesis.Action) string {
	if f.held.of(a).granted {
		return ""
	}
	for _, g := range f.held.grants {
		who := f.who.Principal
		who.Purpose = genesis.PurposeIn(g.Condition)
		if who.Purpose != "" && slices.Contains(g.Actions, a) && g.condition.holds(who, f.held.now) {
			return who.Purpose
		}
	}
	return ""
}

// purposed has the person state a purpose.
func (f *facts) purposed(purpose string) {
	f.who.Purpose = purpose
	h := held{now: f.held.now}
	for _, g := range f.held.grants {
		h.add(g, f.who, h.now)
	}
	f.held = h
}

// whose are those to whom a part of the node is open.
func whose(p Part, a genesis.Action) string {
	switch {
	case p == Figures:
		return "those with a duty"
	case a != genesis.Operate:
		return "people"
	case p == Office:
		return "the security officers"
	}
	return "the operators"
}

// verb is an action in a sentence.
func verb(a genesis.Action) string {
	switch a {
	case genesis.TrainOn:
		return "train on"
	case genesis.Infer:
		return "infer with"
	case genesis.Request:
		return "ask for"
	}
	return string(a)
}

// reason puts a refusal into words for an asker who may know of the thing. What it
// was made from is named only if they may know of that, too.
func (q question) reason(v verdict) string {
	switch {
	case v.source == nil:
		return v.says
	case q.nameable(*v.source):
		return fmt.Sprintf("it was made from %s, and of that holds: %s", refOf(*v.source), v.says)
	}
	return "of something that it was made from holds: " + v.says
}

// nameable reports whether a source may be named to the asker: they may discover
// it, and all that it was made from in turn.
func (q question) nameable(of facts) bool {
	return q.known(of) && !slices.ContainsFunc(q.sources, func(f facts) bool {
		behind := slices.ContainsFunc(of.behind, func(s source) bool { return s.assetKey == assetKey{f.name, f.version} })
		return behind && !q.known(f)
	})
}

// known reports whether the asker may discover a source by its own terms.
func (q question) known(of facts) bool {
	return !of.lowered && q.policies.judge(of, genesis.Discover).allowed
}

func refOf(f facts) genesis.Ref { return refTo(assetKey{f.name, f.version}) }

// suggestion is a change that helps, about one thing.
type suggestion struct {
	move
	about  facts
	action genesis.Action
}

// hint says what the asker could do about a refusal, "" when that is nothing.
func (q question) hint() string {
	steps := q.suggest(ownMoves, true)
	stated := slices.ContainsFunc(steps, func(s suggestion) bool { return s.name == statePurpose })
	if strings.Contains(q.target.held.unmet(q.action), "purpose") && !stated {
		return "say what it is for: genesis --for PURPOSE …"
	}
	var words []string
	for _, s := range steps {
		if w := s.ask(s.about, s.action); !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return strings.Join(words, "; and ")
}

// suggest finds the fewest of some moves that would turn a refusal, for the thing
// itself and for each of its sources; none when the moves do not suffice. To the
// asker, nothing is suggested about a source that is not to be named to them.
func (q question) suggest(moves []move, toAsker bool) []suggestion {
	found, ok := q.suggestFor(q.target, []genesis.Action{q.action}, moves)
	for i := range q.sources {
		asked := q.ofSource(q.sources[i])
		if len(asked) == 0 {
			continue
		}
		for _, s := range found {
			q = q.with(s)
		}
		of := moves
		if toAsker && !q.nameable(q.sources[i]) {
			of = slices.DeleteFunc(slices.Clone(moves), func(m move) bool { return !m.personal })
		}
		more, solved := q.suggestFor(q.sources[i], asked, of)
		found, ok = append(found, more...), ok && solved
	}
	if !ok {
		return nil
	}
	return found
}

// suggestFor finds the fewest moves after which one of some actions is allowed on
// one thing.
func (q question) suggestFor(f facts, actions []genesis.Action, moves []move) (best []suggestion, ok bool) {
	for _, a := range actions {
		steps, solved := q.policies.solve(moves, f, a)
		if !solved || ok && len(steps) >= len(best) {
			continue
		}
		best, ok = nil, true
		for _, m := range steps {
			best = append(best, suggestion{m, f, a})
		}
	}
	return best, ok
}

// with takes a move about the person as made, for what is judged after.
func (q question) with(s suggestion) question {
	if !s.personal {
		return q
	}
	return q.change(func(f *facts) { s.apply(f, s.action) })
}

// most is how many moves are tried together.
const most = 3

// solve finds the fewest moves after which the policies allow an action.
func (p *policies) solve(moves []move, f facts, a genesis.Action) ([]move, bool) {
	for n := 0; n <= most; n++ {
		if steps, ok := p.try(moves, f, a, n); ok {
			return steps, true
		}
	}
	return nil, false
}

// try looks for exactly n moves, in the order in which they are listed.
func (p *policies) try(moves []move, f facts, a genesis.Action, n int) ([]move, bool) {
	if n == 0 {
		return nil, p.judge(f, a).allowed
	}
	for i, m := range moves {
		if !m.fits(f, a) {
			continue
		}
		after := f
		m.apply(&after, a)
		if rest, ok := p.try(moves[i+1:], after, a, n-1); ok {
			return append([]move{m}, rest...), true
		}
	}
	return nil, false
}

// Explain says what decides a question and what would change it, for stewards: it
// names grants and sources whoever they are of. Change lists steps that together
// turn a refusal, or of which each turns a permission. Errors: as of Decide, except
// that a refusal is no error.
func (d *Decider) Explain(ctx context.Context, ask Ask) (genesis.Explanation, error) {
	if err := check(ctx, ask); err != nil {
		return genesis.Explanation{}, err
	}
	now := ask.At
	if now.IsZero() {
		now = d.now()
	}
	var out genesis.Explanation
	err := d.locked(ctx, d.gen.Load(), func() error {
		q, _, err := d.question(ctx, ask, now)
		if err != nil {
			return err
		}
		out = q.explanation()
		return nil
	})
	if err != nil {
		return out, err
	}
	out.Sources, err = d.Constraints(ctx, ask.Resource.Name, ask.Resource.Version)
	return out, err
}

func (q question) explanation() genesis.Explanation {
	v := q.answer()
	out := genesis.Explanation{Principal: q.target.who.Principal, Action: q.action, Ref: refOf(q.target), Allowed: v.allowed,
		Tier: q.target.tier, Rule: v.rule, Reason: v.says}
	if v.source != nil {
		out.Reason = fmt.Sprintf("it was made from %s, and of that holds: %s", refOf(*v.source), v.says)
	}
	for _, f := range append([]facts{q.target}, q.sources...) {
		for _, g := range f.held.grants {
			out.Grants = append(out.Grants, g.Grant)
		}
	}
	for _, s := range q.turning(v.allowed) {
		if said := s.tell(s.about, s.action); !slices.Contains(out.Change, said) { // of what it was made from, too
			out.Change = append(out.Change, said)
		}
	}
	return out
}

// turning are the suggestions to a steward.
func (q question) turning(allowed bool) []suggestion {
	if !allowed {
		return q.suggest(slices.Concat(ownMoves, stewardMoves), false)
	}
	var found []suggestion
	for _, m := range closingMoves {
		if !m.fits(q.target, q.action) {
			continue
		}
		after := q
		m.apply(&after.target, q.action)
		if !after.answer().allowed {
			found = append(found, suggestion{m, q.target, q.action})
		}
	}
	return found
}

// hold gives somebody a grant in mind.
func hold(f *facts, a genesis.Action, conditioned, licensed bool) {
	f.held.any = true
	f.held.byAction = maps.Clone(f.held.byAction)
	if f.held.byAction == nil {
		f.held.byAction = map[genesis.Action]holding{}
	}
	h := f.held.byAction[a]
	h.granted, h.conditioned, h.licensed = true, h.conditioned || conditioned, h.licensed || licensed
	f.held.byAction[a] = h
}
