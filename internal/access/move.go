package access

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
)

// move is one thing that somebody could change.
type move struct {
	name     string
	personal bool // about the person, whatever the thing
	fits     func(facts, genesis.Action) bool
	make     func(*facts, genesis.Action)
	tell     func(facts, genesis.Action) string // to a steward
	ask      func(facts, genesis.Action) string // to the asker; nil: not theirs to do
}

// apply makes the move.
func (m move) apply(f *facts, a genesis.Action) {
	m.make(f, a)
	f.who.built, f.built = f.who.entity(), f.entity()
}

// someone is who an asker without a name might be: anybody registered.
const someone = "someone"

// ownMoves are what an asker could do, or ask others to do, about a refusal.
var ownMoves = slices.Concat(personalMoves, grantMoves)

var personalMoves = []move{
	{
		name: "sign-in", personal: true,
		fits: func(f facts, _ genesis.Action) bool { return !f.who.SignedIn() },
		make: func(f *facts, _ genesis.Action) {
			f.who.Subject, f.who.id, f.who.registered = someone, someone, true
		},
		tell: says("they sign in"),
		ask:  says("sign in: genesis login"),
	},
	{
		name: "scope", // of what is asked about alone: sources are not asked of a token
		fits: func(f facts, _ genesis.Action) bool { return f.who.Scopes != nil },
		make: func(f *facts, _ genesis.Action) { f.who.Scopes = nil },
		tell: func(f facts, a genesis.Action) string { return "they come with a token of scope " + scopeOf(f, a) },
		ask:  func(f facts, a genesis.Action) string { return "come with a token of scope " + scopeOf(f, a) },
	},
	{
		name: "second-factor", personal: true,
		fits: func(f facts, _ genesis.Action) bool { return f.who.Assurance != genesis.AssuranceMFA },
		make: func(f *facts, _ genesis.Action) { f.who.Assurance = genesis.AssuranceMFA },
		tell: says("they sign in with a second factor"),
		ask:  says("sign in with a second factor"),
	},
	{
		name: "vetting", personal: true,
		fits: func(f facts, _ genesis.Action) bool {
			return f.who.Vetting == genesis.VettingRefused || f.who.Vetting == genesis.VettingExpired
		},
		make: func(f *facts, _ genesis.Action) { f.who.Vetting = genesis.Vetted },
		tell: says("a security officer vets them"),
		ask:  says("ask a security officer of this node to vet you: `genesis account vet --note …`"),
	},
	{
		name: "citizenship", personal: true,
		fits: func(f facts, _ genesis.Action) bool {
			return f.who.home && f.who.Citizenship == genesis.CitizenshipUnknown
		},
		make: func(f *facts, _ genesis.Action) { f.who.Citizenship = genesis.USPerson },
		tell: says("they are us-citizen or us-person, and their account says so"),
		ask:  says("if you are a citizen or permanent resident, have your account say so"),
	},
}

// statePurpose is the move of those whose grant counts for a purpose.
const statePurpose = "purpose"

// grantMoves are the use of a grant that is there, and the kinds of grant, the least first.
var grantMoves = []move{
	{
		name: statePurpose,
		fits: func(f facts, a genesis.Action) bool { return f.purposeFor(a) != "" },
		make: func(f *facts, a genesis.Action) { f.purposed(f.purposeFor(a)) },
		tell: func(f facts, a genesis.Action) string {
			return fmt.Sprintf("they say what it is for: genesis --for %s …", shellText(f.purposeFor(a)))
		},
		ask: func(f facts, a genesis.Action) string {
			return fmt.Sprintf("say what it is for: genesis --for %s …", shellText(f.purposeFor(a)))
		},
	},
	grantMove("grant", "", false, false),
	grantMove("grant-condition", " --condition '…'", true, false),
	grantMove("grant-licence", " --licence …", false, true),
	grantMove("grant-condition-licence", " --condition '…' --licence …", true, true),
}

// shellText is a text as a word of a shell's command line.
func shellText(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func grantMove(name, flags string, conditioned, licensed bool) move {
	return move{
		name: name,
		fits: func(f facts, a genesis.Action) bool {
			return f.who.registered && slices.Contains(genesis.Grantable, a) && grantable(f.tier, a)
		},
		make: func(f *facts, a genesis.Action) { hold(f, a, conditioned, licensed) },
		tell: func(f facts, a genesis.Action) string {
			words := fmt.Sprintf("genesis grant %s --to person:%s --actions %s%s", refOf(f).Arg(), cmp.Or(f.who.id, "…"), a, flags)
			if g := f.held.waiting(a); g != nil {
				return fmt.Sprintf("they meet the condition of grant %s, %s; or %s", g.ID, g.when(), words)
			}
			return words
		},
		ask: func(f facts, a genesis.Action) string {
			words := fmt.Sprintf(`genesis request %s --actions %s --purpose "…"`, genesis.Ref{Node: f.who.abroad, Name: f.name}.Arg(), a)
			if licensed {
				words += ", naming the export licence"
			}
			if f.terms.Agreement != nil {
				words += ", accepting its agreement"
			}
			return words
		},
	}
}

// grantable reports whether an action can be granted at a tier: reading what is
// restricted cannot.
func grantable(t genesis.Tier, a genesis.Action) bool {
	return t != genesis.TierRestricted || a != genesis.Read
}

// stewardMoves are what only others can do about a refusal.
var stewardMoves = []move{
	{
		name: "duty",
		fits: func(f facts, _ genesis.Action) bool { return f.who.home },
		make: func(f *facts, a genesis.Action) {
			f.who.Duties = append(slices.Clone(f.who.Duties), dutyFor(*f, a))
			f.steward = f.who.stewards(f.name)
		},
		tell: func(f facts, a genesis.Action) string {
			duty := dutyFor(f, a)
			return fmt.Sprintf("an %s gives them the duty %s", giver(duty), duty)
		},
	},
	{
		name: "use",
		fits: func(f facts, a genesis.Action) bool { return f.terms.Uses.Of(a) != genesis.UseYes },
		make: func(f *facts, a genesis.Action) { f.terms.Uses = permitted(f.terms.Uses, a) },
		tell: func(f facts, a genesis.Action) string {
			return fmt.Sprintf("genesis publish %s --uses %s=yes", refOf(f).Arg(), a)
		},
	},
	tierMove(genesis.TierControlled),
	tierMove(genesis.TierPartner),
	tierMove(genesis.TierRegistered),
	tierMove(genesis.TierPublic),
}

// tierMove publishes a thing at a wider tier, or at all.
func tierMove(t genesis.Tier) move {
	return move{
		name: string(t),
		fits: func(f facts, _ genesis.Action) bool {
			named := t != genesis.TierPartner || f.who.member != ""
			return named && (f.tier == "" || !f.tier.Wider(t)) && (f.state == genesis.Draft || f.state == genesis.Published)
		},
		make: func(f *facts, _ genesis.Action) {
			f.state, f.tier, f.terms.Hidden = genesis.Published, t, false
			if t == genesis.TierPartner {
				f.terms.Partners = append(slices.Clone(f.terms.Partners), f.who.member)
			}
		},
		tell: func(f facts, _ genesis.Action) string {
			words := fmt.Sprintf("genesis publish %s --tier %s", refOf(f).Arg(), t)
			if f.terms.Hidden {
				words += " --hidden=false"
			}
			if t == genesis.TierPartner {
				words += " --partners " + strings.Join(append(slices.Clone(f.terms.Partners), f.who.member), ",")
			}
			return words
		},
	}
}

// closingMoves each take a permission away.
var closingMoves = []move{
	{
		name: "revoke",
		fits: func(f facts, _ genesis.Action) bool { return f.held.any },
		make: func(f *facts, _ genesis.Action) { f.held = held{} },
		tell: func(f facts, _ genesis.Action) string {
			var ids []string
			for _, g := range f.held.grants {
				ids = append(ids, g.ID)
			}
			return "genesis revoke " + strings.Join(ids, " ")
		},
	},
	{
		name: "restrict",
		fits: func(f facts, _ genesis.Action) bool { return f.tier != "" },
		make: func(f *facts, _ genesis.Action) { f.tier = genesis.TierRestricted },
		tell: func(f facts, _ genesis.Action) string {
			return fmt.Sprintf("genesis publish %s --tier %s", refOf(f).Arg(), genesis.TierRestricted)
		},
	},
	{
		name: "dismiss",
		fits: func(f facts, _ genesis.Action) bool { return !f.who.owner },
		make: func(f *facts, _ genesis.Action) {
			f.who.Duties = nil
			f.steward = f.who.stewards(f.name)
		},
		tell: func(f facts, _ genesis.Action) string {
			return fmt.Sprintf("an %s takes their duties from them", giver(f.who.Duties...))
		},
	},
}

func says(words string) func(facts, genesis.Action) string {
	return func(facts, genesis.Action) string { return words }
}

func scopeOf(f facts, a genesis.Action) string {
	if f.node() {
		return string(a)
	}
	return fmt.Sprintf("%s:%s", a, f.name)
}

// dutyFor is the duty to whose holders an act is open.
func dutyFor(f facts, a genesis.Action) genesis.Duty {
	switch {
	case f.part == Office:
		return genesis.DutyOfficer
	case f.part == Figures:
		return genesis.DutyManager
	case a == genesis.Operate:
		return genesis.DutyOperator
	case a == genesis.Steward:
		return genesis.DutySteward
	}
	return ""
}

// giver is whose act it is to give duties to somebody, or to take them back.
func giver(of ...genesis.Duty) genesis.Duty {
	if slices.Contains(of, genesis.DutyOfficer) {
		return genesis.DutyOfficer
	}
	return genesis.DutyOperator
}

// permitted are uses with one of them marked Yes.
func permitted(u genesis.Uses, a genesis.Action) genesis.Uses {
	switch a {
	case genesis.TrainOn:
		u.Train = genesis.UseYes
	case genesis.Infer:
		u.Infer = genesis.UseYes
	case genesis.Evaluate:
		u.Evaluate = genesis.UseYes
	}
	return u
}
