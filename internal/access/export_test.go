package access

import (
	"context"
	"time"

	"github.com/opengenesis/genesis"
)

// ForgetAssets empties the cache of what is stored about versions.
func ForgetAssets(d *Decider) { d.assets.clear() }

// KeptMost is how many decisions are kept at most.
const KeptMost = 2 * cachedDecisions

// EvalCondition compiles and evaluates a condition.
func EvalCondition(text string, p genesis.Principal, now time.Time) (bool, error) {
	c, err := compileCondition(text)
	if err != nil {
		return false, err
	}
	return c.holds(p, now), nil
}

// Suggestion is one step of what would change an answer.
type Suggestion struct {
	Move, Text string
	About      Resource
	Action     genesis.Action
	Terms      genesis.Terms
	Tier       genesis.Tier
	Who        string
	Grants     []string
	Purpose    string
}

// Suggestions are the steps that Explain would put into words, or, for the asker,
// those of the hint.
func Suggestions(d *Decider, ask Ask, own bool) (steps []Suggestion, allowed bool) {
	err := d.locked(context.Background(), d.gen.Load(), func() error {
		q, _, err := d.question(context.Background(), ask, d.now())
		if err != nil {
			return err
		}
		allowed = q.answer().allowed
		found := q.turning(allowed)
		if own {
			found = q.suggest(ownMoves, true)
		}
		for _, s := range found {
			step := Suggestion{Move: s.name, About: Resource{Name: s.about.name, Version: s.about.version}, Action: s.action, Terms: s.about.terms, Tier: s.about.tier, Who: s.about.who.id, Purpose: s.about.purposeFor(s.action)}
			if own {
				step.Text = s.ask(s.about, s.action)
			} else {
				step.Text = s.tell(s.about, s.action)
			}
			for _, g := range s.about.held.grants {
				step.Grants = append(step.Grants, g.ID)
			}
			steps = append(steps, step)
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
	return steps, allowed
}

// TryPolicies loads policies and lets them judge every action on a thing.
func TryPolicies(text []byte, p genesis.Principal) error {
	v, err := validator()
	if err != nil {
		return err
	}
	if len(text) > maxPolicyFile { // no file is so long
		return nil
	}
	own, err := parsePolicies(v, "fuzz.cedar", text)
	if err != nil {
		return err
	}
	set, err := arrange(own)
	if err != nil {
		return err
	}
	for _, a := range genesis.Actions {
		for _, f := range []facts{{name: "turbines", who: person{Principal: p, id: "mit/mia"}, creator: "ada"}, {part: Office}} {
			f.who.built, f.built = f.who.entity(), f.entity()
			v := set.judge(f, a)
			if v.allowed && len(set.byAction[a]) == 0 {
				panic("nothing permits it")
			}
		}
	}
	return nil
}

// Key is under what an answer is kept.
func Key(ask Ask, purposeful bool) string { return ask.key(purposeful) }

// SetRoom bounds how many grants may be in force.
func SetRoom(d *Decider, n int) { d.room = n }

// Memory counts what is held in memory of grants in force and of projects.
type Memory struct{ Names, Grantees, Conditions, Projects, Members int }

// Held counts it.
func Held(d *Decider) Memory {
	d.mu.RLock()
	defer d.mu.RUnlock()
	m := Memory{Names: len(d.index.grants), Conditions: len(d.index.compiled), Projects: len(d.index.projects), Members: len(d.index.memberOf)}
	for _, byGrantee := range d.index.grants {
		m.Grantees += len(byGrantee)
	}
	return m
}

// clear empties a cache.
func (c *cache[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.young, c.old = map[K]V{}, nil
}

// ReloadFrom takes an institution's policies from another folder.
func ReloadFrom(d *Decider, dir string) error {
	d.policyDir = dir
	return d.Reload()
}

// Reload reads the institution's policies again. If they are not all right, those
// in force stay. Errors: as of Open.
func (d *Decider) Reload() error {
	set, err := loadPolicies(d.policyDir)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.policies = set
	d.mu.Unlock()
	d.Changed()
	return nil
}
