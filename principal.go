package genesis

import (
	"regexp"
	"slices"
	"strings"
)

// Principal is who asks, and what for. Institution and sector come from the
// federation's charter, never from the say-so of the person's own node.
type Principal struct {
	Subject     string       `json:"subject"` // "" when nobody signed in
	Node        NodeID       `json:"node"`    // their home
	Institution string       `json:"institution,omitempty"`
	Sector      Sector       `json:"sector,omitempty"`
	Duties      []Duty       `json:"duties,omitempty"` // at this node; people of other nodes have none
	Assurance   Assurance    `json:"assurance,omitempty"`
	Vetting     VettingState `json:"vetting,omitempty"`
	Citizenship Citizenship  `json:"citizenship,omitempty"`
	Student     bool         `json:"student,omitempty"`
	Projects    []string     `json:"projects,omitempty"`   // ids of those they are a member of now
	Scopes      []Scope      `json:"scopes,omitempty"`     // what their token is narrowed to; nil: nothing
	Credential  string       `json:"credential,omitempty"` // id of the token or session by which they came
	Purpose     string       `json:"purpose,omitempty"`    // what this request is for, in their words
}

// SignedIn reports whether anybody is known to ask.
func (p Principal) SignedIn() bool { return p.Subject != "" }

// Has reports whether p holds a duty at this node.
func (p Principal) Has(r Duty) bool { return slices.Contains(p.Duties, r) }

// PersonID names p among the people of all nodes.
func (p Principal) Person() PersonID { return PersonOf(p.Node, p.Subject) }

// PersonID names somebody: "nrel/ada", the home node and the subject there.
type PersonID string

// PersonOf joins node and subject; nobody is "".
func PersonOf(n NodeID, subject string) PersonID {
	if subject == "" {
		return ""
	}
	return PersonID(string(n) + "/" + subject)
}

// Split is the inverse of PersonOf. Without a node, the person is of home.
func (p PersonID) Split(home NodeID) (NodeID, string) {
	if node, subject, ok := strings.Cut(string(p), "/"); ok {
		return NodeID(node), subject
	}
	return home, string(p)
}

var subjectPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// CheckSubject reports why s cannot name a person at their node, or nil.
func CheckSubject(s string) error {
	if subjectPattern.MatchString(s) {
		return nil
	}
	return &Error{Op: "read person", Kind: Invalid, Subject: s, Msg: "is not the name of a person",
		Hint: "write 1 to 64 of a-z, 0-9, '.', '_' and '-', starting with a letter or digit: ada, or nrel/ada at another node"}
}

// CheckPerson reports why p cannot name a person, or nil.
func CheckPerson(p PersonID) error {
	node, subject, ok := strings.Cut(string(p), "/")
	if !ok {
		return CheckSubject(string(p))
	}
	if !namePattern.MatchString(node) {
		return CheckSubject(string(p))
	}
	return CheckSubject(subject)
}

// Duty is what somebody does at their own node.
type Duty string

const (
	DutySteward  Duty = "steward"  // publishes, grants, answers requests
	DutyOperator Duty = "operator" // runs the node: accounts, limits, backup
	DutyOfficer  Duty = "officer"  // vets people, reads the audit log, purges
	DutyManager  Duty = "manager"  // reads the report of what the node did
)

// Duties are all duties, in a fixed order.
var Duties = []Duty{DutySteward, DutyOperator, DutyOfficer, DutyManager}

// Sector is what kind of institution a member of the federation is.
type Sector string

const (
	Federal          Sector = "federal"
	Laboratory       Sector = "laboratory"
	University       Sector = "university"
	Industry         Sector = "industry"
	NationalSecurity Sector = "national-security"
	PublicSector     Sector = "public"
)

// Sectors are all sectors, in a fixed order.
var Sectors = []Sector{Federal, Laboratory, University, Industry, NationalSecurity, PublicSector}

// Assurance is how surely a person was recognised when they signed in.
type Assurance string

const (
	AssuranceNone     Assurance = ""
	AssurancePassword Assurance = "password" // one factor
	AssuranceMFA      Assurance = "mfa"      // more than one factor
)

// Citizenship is a class of persons that export rules distinguish.
type Citizenship string

const (
	CitizenshipUnknown Citizenship = ""
	USCitizen          Citizenship = "us-citizen"
	USPerson           Citizenship = "us-person" // permanent residents and protected persons, too
	ForeignNational    Citizenship = "foreign-national"
)

// Scope narrows a token: an action, on everything ("read") or on one asset
// ("read:turbines").
type Scope string

// Allows reports whether s permits a to be done to name.
func (s Scope) Allows(a Action, name Name) bool {
	action, only, ok := strings.Cut(string(s), ":")
	return Action(action) == a && (!ok || Name(only) == name)
}

// CheckScope reports why s is no scope, or nil.
func CheckScope(s Scope) error {
	action, only, ok := strings.Cut(string(s), ":")
	if !slices.Contains(Actions, Action(action)) || ok && CheckName(Name(only)) != nil {
		return &Error{Op: "read scope", Kind: Invalid, Subject: string(s), Msg: "is not a scope",
			Hint: "write an action, or an action and an asset: read, train:turbines"}
	}
	return nil
}

// InScope reports whether p's token permits a to be done to name.
func (p Principal) InScope(a Action, name Name) bool {
	return p.Scopes == nil || slices.ContainsFunc(p.Scopes, func(s Scope) bool { return s.Allows(a, name) })
}

// Action is what is asked for.
type Action string

const (
	Discover Action = "discover" // know that it exists, and read its metadata
	Read     Action = "read"     // get bytes, rows, values
	TrainOn  Action = "train"    // learn from it, here, without reading it
	Infer    Action = "infer"    // apply a model
	Evaluate Action = "evaluate" // measure a model on it
	Request  Action = "request"  // ask its steward for access
	Steward  Action = "steward"  // change it, publish it, grant access to it
	Operate  Action = "operate"  // act on the node itself
)

// Actions are all actions, in a fixed order.
var Actions = []Action{Discover, Read, TrainOn, Infer, Evaluate, Request, Steward, Operate}

// Grantable are the actions that a grant may name.
var Grantable = []Action{Discover, Read, TrainOn, Infer, Evaluate}
