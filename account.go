package genesis

import "time"

// VettingState is where the vetting of a person stands.
type VettingState string

const (
	VettingNone      VettingState = ""
	VettingRequested VettingState = "requested"
	Vetted           VettingState = "vetted"
	VettingRefused   VettingState = "refused"
	VettingExpired   VettingState = "expired" // was vetted until a time that has passed
)

// Vetting is what an officer found about a person.
type Vetting struct {
	State VettingState `json:"state,omitempty"`
	By    PersonID     `json:"by,omitempty"`
	At    time.Time    `json:"at,omitzero"`
	Until time.Time    `json:"until,omitzero"`
	Note  string       `json:"note,omitempty"`
}

// Account is a person, or a service, known to their home node.
type Account struct {
	Subject     string      `json:"subject"`
	Name        string      `json:"name,omitempty"`
	Email       string      `json:"email,omitempty"`
	Duties      []Duty      `json:"duties,omitempty"`
	Vetting     Vetting     `json:"vetting"`
	Citizenship Citizenship `json:"citizenship,omitempty"`
	Student     bool        `json:"student,omitempty"`
	Service     bool        `json:"service,omitempty"`  // a program: no password, tokens only
	Provider    string      `json:"provider,omitempty"` // issuer by which they sign in; empty: a password here
	Groups      []string    `json:"groups,omitempty"`   // as the provider last said
	TOTP        bool        `json:"totp,omitempty"`     // a second factor is set up
	Disabled    bool        `json:"disabled,omitempty"`
	Created     time.Time   `json:"created"`
	LastSeen    time.Time   `json:"last_seen,omitzero"`
}

// AccountRequest makes an account.
type AccountRequest struct {
	Subject  string `json:"subject"`
	Name     string `json:"name,omitempty"`
	Email    string `json:"email,omitempty"`
	Duties   []Duty `json:"duties,omitempty"`
	Service  bool   `json:"service,omitempty"`
	Password string `json:"password,omitempty"` // empty: cannot sign in with one
}

// AccountChange changes an account; nil fields stay.
type AccountChange struct {
	Name        *string      `json:"name,omitempty"`
	Email       *string      `json:"email,omitempty"`
	Duties      *[]Duty      `json:"duties,omitempty"`
	Citizenship *Citizenship `json:"citizenship,omitempty"`
	Student     *bool        `json:"student,omitempty"`
	Disabled    *bool        `json:"disabled,omitempty"`
	Password    *string      `json:"password,omitempty"`
	Current     string       `json:"current_password,omitempty"` // the one before, when it is one's own
	TOTP        *bool        `json:"totp,omitempty"`             // false takes the second factor away; true cannot be given
	Link        *Outside     `json:"link,omitempty"`             // they are who signs in at a provider under this name
	Unlink      *Outside     `json:"unlink,omitempty"`
}

// Outside is a person as a provider knows them.
type Outside struct {
	Provider string `json:"provider"` // its id, as in config.yaml
	Value    string `json:"value"`    // of the claim that says who they are: "sub", unless configured
}

// TokenKind is what a token is for.
type TokenKind string

const (
	SessionToken  TokenKind = "session"  // made by signing in
	PersonalToken TokenKind = "personal" // made by a person for a program of theirs
	ServiceToken  TokenKind = "service"  // of a service account
)

// Token is a credential as it is listed: never its secret.
type Token struct {
	ID       string     `json:"id"`
	Subject  string     `json:"subject"`
	Kind     TokenKind  `json:"kind"`
	Name     string     `json:"name,omitempty"`
	Scopes   []Scope    `json:"scopes,omitempty"` // none: everything the person may do
	Created  time.Time  `json:"created"`
	Expires  time.Time  `json:"expires"`
	LastUsed time.Time  `json:"last_used,omitzero"`
	Revoked  *time.Time `json:"revoked,omitempty"`
}

// TokenRequest makes a token.
type TokenRequest struct {
	Subject string  `json:"subject,omitempty"` // default: oneself; operators make those of services
	Name    string  `json:"name"`
	Scopes  []Scope `json:"scopes,omitempty"`
	Days    int     `json:"days,omitempty"` // default 30, at most 366
}

// NewToken is a token with its secret, which is told once.
type NewToken struct {
	Token  Token  `json:"token"`
	Secret string `json:"secret"`
}

// DeviceLogin is a sign-in begun at a terminal and finished in a browser
// anywhere (RFC 8628).
type DeviceLogin struct {
	DeviceCode      string `json:"device_code"` // for the terminal, secret
	UserCode        string `json:"user_code"`   // for the person: "BCDF-GHJK"
	VerificationURI string `json:"verification_uri"`
	ExpiresIn       int    `json:"expires_in"` // seconds
	Interval        int    `json:"interval"`   // seconds between polls
}

// AccountPage is one page of accounts, in order of subject.
type AccountPage struct {
	Accounts []Account `json:"accounts"`
	Next     string    `json:"next,omitempty"`
}

// TokenPage is one page of tokens, newest first.
type TokenPage struct {
	Tokens []Token `json:"tokens"`
	Next   string  `json:"next,omitempty"`
}

// SignInRequest signs in with a password.
type SignInRequest struct {
	Subject  string `json:"subject"`
	Password string `json:"password"`
	Code     string `json:"code,omitempty"` // of the second factor, or a recovery code
}

// TOTPSetup is a second factor about to be set up (RFC 6238). It counts once a
// code of it was confirmed.
type TOTPSetup struct {
	Secret   string   `json:"secret,omitempty"`   // base32
	URI      string   `json:"uri,omitempty"`      // otpauth://
	Recovery []string `json:"recovery,omitempty"` // codes for when it is lost; once it is confirmed
}

// SignInMethods are the ways to sign in at a node.
type SignInMethods struct {
	Password  bool             `json:"password"`
	Providers []SignInProvider `json:"providers"`
}

// SignInProvider is an OpenID Connect provider at which one can sign in.
type SignInProvider struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Issuer string `json:"issuer"`
}

// VetRequest says how the vetting of a person stands.
type VetRequest struct {
	State VettingState `json:"state"`
	Until time.Time    `json:"until,omitzero"`
	Note  string       `json:"note,omitempty"`
}
