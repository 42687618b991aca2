package access

import (
	"context"
	"slices"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/opengenesis/genesis"
)

// verdict is what the policies say of one set of facts, or of a whole question.
type verdict struct {
	allowed bool
	rule    string
	says    string
	source  *facts // it is about this source, not about the thing itself
}

// entities are the two things that a policy may look at.
type entities struct{ who, what *cedar.Entity }

// Get finds an entity by its id.
func (e entities) Get(uid cedar.EntityUID) (cedar.Entity, bool) {
	one := e.what
	if uid == e.who.UID {
		one = e.who
	}
	return *one, uid == one.UID
}

// judge asks the policies about one set of facts. A policy that cannot be
// evaluated refuses: it might have been one that forbids.
func (p *policies) judge(f facts, a genesis.Action) verdict {
	if foreign(f.name) && p.abroad != nil {
		p = p.abroad
	}
	who, what := f.who.built, f.built
	allow, why := cedar.Authorize(p.byAction[a], entities{who, what}, cedar.Request{
		Principal: who.UID, Action: actionUID(a), Resource: what.UID, Context: f.context(a),
	})
	switch {
	case len(why.Errors) > 0:
		return verdict{rule: ruleBroken, says: "a policy of this node cannot be evaluated: " + string(why.Errors[0].PolicyID)}
	case len(why.Reasons) == 0:
		return verdict{rule: ruleDefault, says: absent(f, a)}
	}
	r := p.byID[why.Reasons[0].PolicyID]
	return verdict{allowed: bool(allow), rule: r.id, says: r.says}
}

// question is everything that an answer is worked out from.
type question struct {
	policies *policies
	action   genesis.Action
	target   facts
	sources  []facts
	stranger bool // it is asked for a project that they are not in
}

// answer judges the thing itself and all that it was made from.
func (q question) answer() verdict {
	if q.stranger {
		return verdict{rule: ruleProject, says: "they are not in the project for which it would be done"}
	}
	v := q.policies.judge(q.target, q.action)
	if !v.allowed {
		return v
	}
	for i := range q.sources {
		asked := q.ofSource(q.sources[i])
		if refused := q.judgeSource(i, asked); len(asked) > 0 && !refused.allowed {
			return refused
		}
	}
	return v
}

// judgeSource asks whether a source allows one of the actions.
func (q question) judgeSource(i int, asked []genesis.Action) verdict {
	var first verdict
	for n, a := range asked {
		v := q.policies.judge(q.sources[i], a)
		if v.source = &q.sources[i]; v.allowed {
			return v
		}
		if n == 0 {
			first = v
		}
	}
	return first
}

// ofSource are the actions of which a source must allow one, so that the question's
// action is allowed on what was made from it. To steward something is no use of what it
// was made from; to know of it is no news to those who steward or made it; and who trained
// a model, or for whose project it was trained, may use it while they may train. Of what
// another node keeps from the stewards of this one, a copy is kept from them, too, but for
// those whose it is and the home's owner, who has the files.
func (q question) ofSource(of facts) []genesis.Action {
	who := q.target.who
	made := q.target.creator != "" && q.target.creator == who.id
	whose := made || who.owner || who.id != "" && ownerOf(q.target.name) == who.id
	switch q.action {
	case genesis.Operate:
		return nil
	case genesis.Steward:
		if whose || !foreign(of.name) {
			return nil
		}
		return []genesis.Action{genesis.Discover}
	case genesis.Discover, genesis.Request:
		if whose || q.target.steward && !foreign(of.name) {
			return nil
		}
		return []genesis.Action{genesis.Discover}
	case genesis.Infer, genesis.Evaluate:
		if (made || q.target.team != "") && q.target.kind == genesis.Model && !q.copied() {
			return []genesis.Action{q.action, genesis.TrainOn}
		}
	}
	return []genesis.Action{q.action}
}

// copied reports whether the thing is a copy of another node's: who made it has trained
// nothing.
func (q question) copied() bool {
	return slices.ContainsFunc(q.sources, func(f facts) bool { return foreign(f.name) && f.version == q.target.version })
}

// of is the same question about another action, for no project.
func (q question) of(a genesis.Action) question {
	q.action, q.stranger = a, false
	return q
}

// change is the same question with other facts.
func (q question) change(edit func(*facts)) question {
	q.sources = slices.Clone(q.sources)
	edit(&q.target)
	for i := range q.sources {
		edit(&q.sources[i])
	}
	return q
}

// uses are the actions that use a thing without getting its bytes.
var uses = []genesis.Action{genesis.TrainOn, genesis.Infer, genesis.Evaluate}

// discoverable reports whether the asker may know that the thing exists.
func (q question) discoverable() bool { return q.of(genesis.Discover).answer().allowed }

// reads reports whether the asker may also get the bytes. To those who do not
// steward a thing, reading it means taking it away.
func (q question) reads() bool {
	return q.of(genesis.Read).change(func(f *facts) { f.outside = f.outside || !f.steward }).answer().allowed
}

// question gathers the facts. The caller holds d.mu for reading. until is when one
// of them may change by itself.
func (d *Decider) question(ctx context.Context, ask Ask, now time.Time) (question, time.Time, error) {
	who := d.person(ask.Principal, d.index)
	projects, ends := d.index.current(who.Projects, now)
	who.Projects = projects
	q, until, err := d.gather(ctx, shelf{d.asset, d.index}, who, ask, now)
	q.policies = d.policies
	q.stranger = ask.Project != "" && who.among([]string{d.ownProject(ask.Project)}) == ""
	return q, sooner(until, ends), err
}

// shelf is where facts are looked up: in memory as they were committed, or in a
// transaction that is not yet.
type shelf struct {
	asset func(context.Context, assetKey) (*asset, error)
	index *index
}

// gather gathers the facts of a question of who.
func (d *Decider) gather(ctx context.Context, on shelf, who person, ask Ask, now time.Time) (q question, until time.Time, err error) {
	who.built = who.entity()
	q = question{action: ask.Action}
	a := &asset{}
	if ask.Resource.Name != "" {
		if a, err = on.asset(ctx, assetKey{ask.Resource.Name, ask.Resource.Version}); err != nil {
			return q, until, err
		}
	}
	q.target = factsOf(who.toward(ask.Resource.Name), ask.Resource, a, now, ask.Outside)
	q.target.creator = d.canon(ask.Resource.Creator)
	q.target.held = on.index.heldOn(who, ask.Resource.Name, ask.Resource.Version, now)
	q.target.built = q.target.entity()
	until = sooner(nextOpening(a.terms, now), q.target.held.until)
	for _, s := range a.sources {
		of, err := on.asset(ctx, s.assetKey)
		if err != nil {
			return q, until, err
		}
		f := sourceFacts(who.toward(s.name), s, of, now, ask.Outside)
		f.creator = d.canon(s.creator)
		f.held = on.index.heldOn(who, s.name, s.version, now)
		f.built = f.entity()
		until = sooner(until, sooner(nextOpening(of.terms, now), f.held.until))
		q.sources = append(q.sources, f)
	}
	return q, until, nil
}

// locked runs act while the index stands still, at generation gen or later.
func (d *Decider) locked(ctx context.Context, gen uint64, act func() error) error {
	d.mu.RLock()
	if d.index.gen < gen {
		d.mu.RUnlock()
		d.mu.Lock()
		if d.index.gen < gen {
			if err := d.follow(ctx, gen); err != nil {
				d.mu.Unlock()
				return err
			}
		}
		d.mu.Unlock()
		d.mu.RLock()
	}
	defer d.mu.RUnlock()
	return act()
}

// decide works an answer out. general is false when it is for the stated purpose
// alone.
func (d *Decider) decide(ctx context.Context, ask Ask, now time.Time, gen uint64) (out Decision, general bool, err error) {
	err = d.locked(ctx, gen, func() error {
		q, until, err := d.question(ctx, ask, now)
		if err != nil {
			return err
		}
		out = q.decision(ask)
		out.Until = until
		general = d.index.purposes == 0
		return nil
	})
	d.purposeful.Store(!general)
	return out, general, err
}

// decision puts the answer into words.
func (q question) decision(ask Ask) Decision {
	v := q.answer()
	out := Decision{Ask: ask, Allowed: v.allowed, Rule: v.rule, Reason: v.says}
	out.Principal = q.target.who.Principal
	out.Discoverable = v.allowed || q.action != genesis.Discover && q.discoverable()
	switch {
	case v.allowed:
		held := q.target.held.of(ask.Action)
		if out.Grant = held.grant; v.rule == "grant" {
			out.Project = held.project
		}
		if v.rule == "team" || v.rule == "team-model" {
			out.Project = q.target.team
		}
		if ask.Project != "" {
			out.Project = ask.Project
		}
		out.Reads = ask.Action == genesis.Read || slices.Contains(uses, ask.Action) && q.reads()
	case out.Discoverable:
		out.Reason, out.Hint = q.reason(v), q.hint()
	}
	return out
}
