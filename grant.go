package genesis

import (
	"slices"
	"strings"
	"time"
)

// GranteeKind is what sort of grantee a grant names.
type GranteeKind string

const (
	ToPerson      GranteeKind = "person"
	ToInstitution GranteeKind = "institution"
	ToSector      GranteeKind = "sector"
	ToProject     GranteeKind = "project"
)

// Grantee is to whom something is granted: "person:nrel/ada",
// "institution:nrel", "sector:university", "project:wind".
type Grantee string

// Split returns kind and id.
func (g Grantee) Split() (GranteeKind, string) {
	kind, id, _ := strings.Cut(string(g), ":")
	return GranteeKind(kind), id
}

// CheckGrantee reports why g is no grantee, or nil. It does not know who exists.
func CheckGrantee(g Grantee) error {
	kind, id := g.Split()
	ok := false
	switch kind {
	case ToPerson:
		ok = CheckPerson(PersonID(id)) == nil
	case ToInstitution:
		ok = namePattern.MatchString(id)
	case ToProject:
		ok = CheckProject(id) == nil
	case ToSector:
		ok = slices.Contains(Sectors, Sector(id))
	}
	if ok {
		return nil
	}
	return &Error{Op: "read grantee", Kind: Invalid, Subject: string(g), Msg: "names nobody to whom something could be granted",
		Hint: "write person:ada, person:nrel/ada, institution:nrel, sector:university, project:wind or project:nrel/wind"}
}

// CheckProject reports why id names no project, or nil: "wind" of this node, "nrel/wind"
// of another.
func CheckProject(id string) error {
	home, rest, elsewhere := strings.Cut(id, "/")
	if !elsewhere {
		rest = home
	}
	if namePattern.MatchString(home) && namePattern.MatchString(rest) {
		return nil
	}
	return &Error{Op: "read project", Kind: Invalid, Subject: id, Msg: "is not the id of a project", Hint: "write wind, or nrel/wind for a project of another node"}
}

// CheckNode reports why id cannot be that of a node, or nil.
func CheckNode(id NodeID) error {
	if namePattern.MatchString(string(id)) {
		return nil
	}
	return &Error{Op: "read node", Kind: Invalid, Subject: string(id), Msg: "is not the id of a node", Hint: "write 1 to 64 of a-z, 0-9 and -, starting with a letter or digit: nrel"}
}

// Grant lets somebody do something to an asset for a time.
type Grant struct {
	ID        string     `json:"id"`
	Node      NodeID     `json:"node,omitempty"` // where it was made, of one that another node told of
	Name      Name       `json:"name"`
	Version   Digest     `json:"version,omitempty"` // empty: every version
	To        Grantee    `json:"to"`
	Actions   []Action   `json:"actions"`
	Until     time.Time  `json:"until,omitzero"`      // zero: until revoked
	Condition string     `json:"condition,omitempty"` // CEL over principal, purpose and now
	Licence   string     `json:"licence,omitempty"`   // export licence that covers this
	Purpose   string     `json:"purpose,omitempty"`
	Agreement Digest     `json:"agreement,omitempty"` // text that was accepted
	Request   string     `json:"request,omitempty"`   // id of the request it answers
	By        PersonID   `json:"by"`
	At        time.Time  `json:"at"`
	Revoked   *time.Time `json:"revoked,omitempty"`
	RevokedBy PersonID   `json:"revoked_by,omitempty"`
	Reason    string     `json:"reason,omitempty"` // why it was revoked
	// Origin is the id of the grant at the node whose version this is about: then Name has
	// the node, "nrel/turbines", and this is what a copy of it owes to that grant.
	Origin string `json:"origin,omitempty"`
	// Project is to which that grant was made, if it was one: whoever leaves it loses this.
	Project string `json:"project,omitempty"`
}

// Active reports whether the grant holds at a time.
func (g Grant) Active(at time.Time) bool {
	return g.Revoked == nil && (g.Until.IsZero() || at.Before(g.Until))
}

// GrantRequest asks a node to make a grant.
type GrantRequest struct {
	Ref       string    `json:"ref"` // name, or name@version
	To        Grantee   `json:"to" doc:"person:ada, person:nrel/ada, and so on: the kind is part of it" example:"person:nrel/ada"`
	Actions   []Action  `json:"actions"`
	Until     time.Time `json:"until,omitzero"`
	Condition string    `json:"condition,omitempty"`
	Licence   string    `json:"licence,omitempty"`
	Purpose   string    `json:"purpose,omitempty"`
}

// RequestState is where a request for access stands.
type RequestState string

const (
	RequestOpen      RequestState = "open"
	RequestApproved  RequestState = "approved"
	RequestDenied    RequestState = "denied"
	RequestWithdrawn RequestState = "withdrawn"
	RequestPending   RequestState = "pending" // it has not arrived at the node of what it asks for
	RequestRefused   RequestState = "refused" // that node did not take it
	RequestEnded     RequestState = "ended"   // it was approved, and what was granted is over
)

// AccessRequest asks the steward of an asset for access.
type AccessRequest struct {
	ID        string       `json:"id"`
	Node      NodeID       `json:"node,omitempty"` // that was asked, if it is another
	Name      Name         `json:"name"`
	Version   Digest       `json:"version,omitempty"`
	By        Principal    `json:"by"` // as they were when they asked
	Actions   []Action     `json:"actions"`
	Purpose   string       `json:"purpose"`
	Project   string       `json:"project,omitempty"`   // ask for a project instead of oneself
	Agreement Digest       `json:"agreement,omitempty"` // text accepted by the asker
	State     RequestState `json:"state"`
	Messages  []Message    `json:"messages,omitempty"`
	Grant     string       `json:"grant,omitempty"`   // id, once approved
	Granted   []Action     `json:"granted,omitempty"` // what was granted of what was asked for
	Until     time.Time    `json:"until,omitzero"`    // when the grant ends; zero: when it is revoked
	Renews    string       `json:"renews,omitempty"`  // id of the grant this asks to renew
	Reason    string       `json:"reason,omitempty"`
	At        time.Time    `json:"at"`
	Decided   *time.Time   `json:"decided,omitempty"`
	DecidedBy PersonID     `json:"decided_by,omitempty"`
	Ended     *time.Time   `json:"ended,omitempty"` // when what was granted was over, as its node said
	Waits     *time.Time   `json:"waits,omitempty"` // since when a message of it waits for that node
}

// Message is one message between the asker and the stewards.
type Message struct {
	By      PersonID  `json:"by"`
	At      time.Time `json:"at"`
	Text    string    `json:"text"`
	ID      string    `json:"id,omitempty"`      // of the message between nodes that carries it
	Refused string    `json:"refused,omitempty"` // why the other node did not take it
}

// AskRequest asks for access.
type AskRequest struct {
	Ref       string   `json:"ref"`
	Actions   []Action `json:"actions,omitempty"` // default: read
	Purpose   string   `json:"purpose"`
	Project   string   `json:"project,omitempty"`
	Agreement Digest   `json:"agreement,omitempty"` // digest of the text accepted, where one is needed
	Renews    string   `json:"renews,omitempty"`
}

// Approval answers a request.
type Approval struct {
	Until     time.Time `json:"until,omitzero"`
	Actions   []Action  `json:"actions,omitempty"` // default: those asked for
	Condition string    `json:"condition,omitempty"`
	Licence   string    `json:"licence,omitempty"`
}

// Project is a group of people of any institutions.
type Project struct {
	ID        string     `json:"id"` // "nrel/wind" of another node
	Title     string     `json:"title,omitempty"`
	Lead      PersonID   `json:"lead"`
	Members   []PersonID `json:"members"` // of another node's project: those of this node
	Purpose   string     `json:"purpose,omitempty"`
	Agreement string     `json:"agreement,omitempty"` // its kind: CRADA, MOU, …; before there was Results, all of it
	Results   string     `json:"results,omitempty"`   // who owns them
	Until     time.Time  `json:"until,omitzero"`
	By        PersonID   `json:"by"`
	At        time.Time  `json:"at"`
	Ended     bool       `json:"ended,omitempty"`
}

// Member is an institution of the federation, as its charter has it.
type Member struct {
	ID          NodeID    `json:"id"`
	Institution string    `json:"institution"`
	Sector      Sector    `json:"sector"`
	URL         string    `json:"url,omitempty"`
	Keys        []NodeKey `json:"keys,omitempty"`
}

// Explanation says what decides a question and what would change it.
type Explanation struct {
	Principal Principal    `json:"principal"`
	Action    Action       `json:"action"`
	Ref       Ref          `json:"ref"`
	Allowed   bool         `json:"allowed"`
	Tier      Tier         `json:"tier,omitempty"` // in force now
	Rule      string       `json:"rule"`           // the policy that decided, or "default"
	Reason    string       `json:"reason"`
	Change    []string     `json:"change,omitempty"` // what would turn the answer
	Grants    []Grant      `json:"grants,omitempty"` // those that were considered
	Sources   []Constraint `json:"sources,omitempty"`
}

// GrantQuery says which grants to list. Empty fields match all.
type GrantQuery struct {
	Name     Name    `json:"name,omitempty"`
	To       Grantee `json:"to,omitempty"`
	Mine     bool    `json:"mine,omitempty"`     // that let the asker do something
	Ended    bool    `json:"ended,omitempty"`    // revoked and expired ones, too
	Expiring int     `json:"expiring,omitempty"` // days: those that end within so many
	After    string  `json:"after,omitempty"`    // cursor
	Limit    int     `json:"limit,omitempty"`    // 0: 100; at most 1000
}

// GrantPage is one page of grants, newest first.
type GrantPage struct {
	Grants []Grant `json:"grants"`
	Next   string  `json:"next,omitempty"`
}

// RequestQuery says which requests for access to list. Empty fields match all.
type RequestQuery struct {
	Name  Name         `json:"name,omitempty"`
	State RequestState `json:"state,omitempty"`
	Mine  bool         `json:"mine,omitempty"` // the asker's own
	After string       `json:"after,omitempty"`
	Limit int          `json:"limit,omitempty"`
}

// RequestPage is one page of requests for access, newest first.
type RequestPage struct {
	Requests []AccessRequest `json:"requests"`
	Next     string          `json:"next,omitempty"`
}

// ProjectPage is one page of projects, in order of id.
type ProjectPage struct {
	Projects []Project `json:"projects"`
	Next     string    `json:"next,omitempty"`
}

// ProjectToken is by what a project's home says that somebody is in it.
type ProjectToken struct {
	Person  PersonID `json:"person"`
	Project string   `json:"project"` // its id at home
	Token   string   `json:"token"`   // JWT of type genesis-project+jwt
}

// ProjectTokenPage is one page of the tokens of a node's people, in order of project and
// person.
type ProjectTokenPage struct {
	Tokens []ProjectToken `json:"tokens"`
	Next   string         `json:"next,omitempty"`
}

// MemberList is the charter's members.
type MemberList struct {
	Members []Member `json:"members"`
}

// ProjectRequest makes or changes a project. Of one that is there, what is left out
// stays as it is.
type ProjectRequest struct {
	Title     *string     `json:"title,omitempty"`
	Lead      PersonID    `json:"lead,omitempty"`    // of a new one: whoever makes it
	Members   *[]PersonID `json:"members,omitempty"` // all of them
	Purpose   *string     `json:"purpose,omitempty"`
	Agreement *string     `json:"agreement,omitempty"` // its kind
	Results   *string     `json:"results,omitempty"`   // who owns them
	Until     *time.Time  `json:"until,omitempty"`     // the zero time: it does not end by itself
}

// Apply changes p as r says.
func (r ProjectRequest) Apply(p *Project) {
	set(&p.Title, r.Title)
	set(&p.Members, r.Members)
	set(&p.Purpose, r.Purpose)
	set(&p.Agreement, r.Agreement)
	set(&p.Results, r.Results)
	set(&p.Until, r.Until)
	if r.Lead != "" {
		p.Lead = r.Lead
	}
}

// set changes a value to what is given for it, if anything is.
func set[T any](into, given *T) {
	if given != nil {
		*into = *given
	}
}
