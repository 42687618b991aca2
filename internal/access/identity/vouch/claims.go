package vouch

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/opengenesis/genesis"
)

// The types of tokens, as in their header.
const (
	PersonType  = "genesis-person+jwt"
	NodeType    = "genesis-node+jwt"
	ProjectType = "genesis-project+jwt"
)

// How long tokens are good, at most. What is signed for longer is refused, so that an id
// has to be remembered for a known time.
const (
	TokenLife   = 2 * time.Minute
	ProjectLife = time.Hour
	Skew        = time.Minute // by which clocks may differ
)

// Bounds of what a token may hold.
const (
	maxToken    = 64 << 10
	maxMember   = 4 << 10 // bytes of a project's token
	MaxProjects = 32
	MaxScopes   = 64
)

// Time is a NumericDate of RFC 7519, of whole seconds.
type Time struct{ time.Time }

// At is t in whole seconds.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Second)} }

// MarshalJSON writes seconds since 1970.
func (t Time) MarshalJSON() ([]byte, error) { return strconv.AppendInt(nil, t.Unix(), 10), nil }

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Time) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil || n <= 0 || n >= 1<<38 {
		return fmt.Errorf("%.20q is not a time in whole seconds", b)
	}
	t.Time = time.Unix(n, 0).UTC()
	return nil
}

// Word is what a node says of somebody to another node: claims of a token of type
// person, or node.
type Word struct {
	Issuer   genesis.NodeID `json:"iss"`
	Audience genesis.NodeID `json:"aud"`
	Subject  string         `json:"sub"`
	ID       string         `json:"jti"`
	Issued   Time           `json:"iat"`
	Begins   Time           `json:"nbf"`
	Expires  Time           `json:"exp"`
	Confirm  Confirm        `json:"cnf"`

	Assurance   genesis.Assurance    `json:"assurance,omitempty"`
	Vetting     genesis.VettingState `json:"vetting,omitempty"`
	Citizenship genesis.Citizenship  `json:"citizenship,omitempty"`
	Student     bool                 `json:"student,omitempty"`
	Scopes      []genesis.Scope      `json:"scopes,omitzero"` // nil: not narrowed; empty: to nothing
	SignedIn    Time                 `json:"auth_time,omitzero"`
	Until       Time                 `json:"until,omitzero"` // when the session at home ends
	Projects    []string             `json:"projects,omitempty"`

	Key string `json:"-"` // id of the key that signed it
}

// Confirm names the secret that a session is bound to (RFC 7800, 9449).
type Confirm struct {
	Thumbprint string `json:"jkt"`
}

// Person is whom the word is about.
func (w Word) Person() genesis.PersonID { return genesis.PersonOf(w.Issuer, w.Subject) }

// OfNode reports whether a node speaks of itself.
func (w Word) OfNode() bool { return w.Subject == genesis.NodeSubject }

// Membership is what the home of a project says of one of its members.
type Membership struct {
	Home    genesis.NodeID   `json:"iss"`
	Person  genesis.PersonID `json:"sub"`
	Project string           `json:"project"` // its id at home
	Issued  Time             `json:"iat"`
	Expires Time             `json:"exp"`
}

// ID is how the project is called at other nodes.
func (m Membership) ID() string { return string(m.Home) + "/" + m.Project }

var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}$`)

// check reports what no word may say.
func (w Word) check(typ string) error {
	thumb, err := base64.RawURLEncoding.Strict().DecodeString(w.Confirm.Thumbprint)
	switch {
	case genesis.CheckNode(w.Issuer) != nil || genesis.CheckNode(w.Audience) != nil:
		return malformed("token", "iss or aud is not the id of a node")
	case genesis.CheckSubject(w.Subject) != nil || w.OfNode() != (typ == NodeType):
		return malformed("token", "sub is nobody a token of type %s can be about", typ)
	case !idPattern.MatchString(w.ID):
		return malformed("token", "jti is not 8 to 64 letters, digits, - and _")
	case err != nil || len(thumb) != 32:
		return malformed("token", "cnf.jkt is not a thumbprint by SHA-256")
	case !ordered(w.Issued, w.Begins, w.Expires) || w.Expires.Sub(w.Issued.Time) > TokenLife:
		return malformed("token", "iat, nbf and exp are not in order, or further apart than %s", TokenLife)
	case typ == NodeType:
		return w.checkNode()
	}
	return w.checkPerson()
}

func ordered(iat, nbf, exp Time) bool {
	return !iat.IsZero() && !nbf.Before(iat.Time) && exp.After(nbf.Time)
}

// checkNode: a node has nothing that people have.
func (w Word) checkNode() error {
	if w.Assurance != "" || w.Vetting != "" || w.Citizenship != "" || w.Student || w.Scopes != nil || len(w.Projects) > 0 || !w.Until.IsZero() {
		return malformed("token", "it says of a node what is said of people")
	}
	return nil
}

var (
	assurances   = []genesis.Assurance{genesis.AssuranceNone, genesis.AssurancePassword, genesis.AssuranceMFA}
	vettings     = []genesis.VettingState{genesis.VettingNone, genesis.VettingRequested, genesis.Vetted, genesis.VettingRefused, genesis.VettingExpired}
	citizenships = []genesis.Citizenship{genesis.CitizenshipUnknown, genesis.USCitizen, genesis.USPerson, genesis.ForeignNational}
)

// CheckPerson reports what no node may say of somebody in a message, or nil.
func CheckPerson(v genesis.Vouched) error {
	switch {
	case genesis.CheckSubject(v.Subject) != nil || v.Subject == genesis.NodeSubject:
		return malformed("message", "it speaks of nobody a node can vouch for")
	case !known(v.Assurance, v.Vetting, v.Citizenship):
		return malformed("message", "assurance, vetting or citizenship is none that is known here")
	case len(v.Projects) > MaxProjects || len(v.Scopes) > MaxScopes:
		return malformed("message", "it has more than %d projects or %d scopes", MaxProjects, MaxScopes)
	}
	for _, s := range v.Scopes {
		if genesis.CheckScope(s) != nil {
			return malformed("message", "%.80q is not a scope", s)
		}
	}
	return nil
}

func known(a genesis.Assurance, v genesis.VettingState, c genesis.Citizenship) bool {
	return slices.Contains(assurances, a) && slices.Contains(vettings, v) && slices.Contains(citizenships, c)
}

func (w Word) checkPerson() error {
	switch {
	case !known(w.Assurance, w.Vetting, w.Citizenship):
		return malformed("token", "assurance, vetting or citizenship is none that is known here")
	case w.Until.IsZero() || !w.Until.After(w.Issued.Time):
		return malformed("token", "until is missing, or before iat")
	case w.SignedIn.IsZero():
		return malformed("token", "auth_time is missing")
	case len(w.Scopes) > MaxScopes || len(w.Projects) > MaxProjects:
		return malformed("token", "it has more than %d scopes or %d projects", MaxScopes, MaxProjects)
	}
	for _, s := range w.Scopes {
		if len(s) > 200 || genesis.CheckScope(s) != nil {
			return malformed("token", "scopes has one that is none")
		}
	}
	return nil
}

func (m Membership) check() error {
	switch {
	case genesis.CheckProject(m.ID()) != nil:
		return malformed("project token", "iss or project is none")
	case genesis.CheckPerson(m.Person) != nil:
		return malformed("project token", "sub is nobody")
	case !ordered(m.Issued, m.Issued, m.Expires) || m.Expires.Sub(m.Issued.Time) > ProjectLife:
		return malformed("project token", "iat and exp are not in order, or further apart than %s", ProjectLife)
	}
	return nil
}

// decode reads a JSON object into v. A member that is null is refused: who writes
// "scopes":null may mean none, and must not be understood to mean all.
func decode(b []byte, v any) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return err
	}
	for name, text := range members {
		if string(text) == "null" {
			return fmt.Errorf("%.40q is null", name)
		}
	}
	return json.Unmarshal(b, v)
}
