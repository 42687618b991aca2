package work

import (
	"context"
	"database/sql"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/identity"
	"github.com/opengenesis/genesis/internal/journal"
)

// RecordIdentity keeps what package identity does to people and their credentials
// as entries of the journal. Whose account it was is marked as a person, whom the log has
// a pseudonym of: a bare name would be that of an asset.
func RecordIdentity(ctx context.Context, tx *sql.Tx, e identity.Event) error {
	subject := e.Subject
	if subject != "" {
		subject = "person:" + subject
	}
	return journal.Record(ctx, tx, journal.Event{Time: e.Time, Actor: e.Actor, Act: e.Act, Outcome: e.Outcome, Subject: subject, Detail: e.Detail})
}

// Authenticate says who makes a request that came over the network: by a bearer
// token, else by the session of a browser. The zero Principal is nobody.
func (s *Service) Authenticate(r *http.Request, session string) (genesis.Principal, error) {
	secret := session
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return genesis.Principal{}, &genesis.Error{Op: "sign in", Kind: genesis.Permission, Msg: "the Authorization header is not a bearer token",
				Hint: "send `Authorization: Bearer` and a token"}
		}
		secret = strings.TrimSpace(token)
	}
	if secret == "" || s.Identity == nil {
		return genesis.Principal{}, nil
	}
	p, err := s.Identity.AuthenticateRequest(r, secret)
	if err != nil {
		return genesis.Principal{}, err
	}
	return access.Complete(s.Charter, p), nil
}

// SignInMethods returns the ways to sign in.
func (s *Service) SignInMethods(context.Context) genesis.SignInMethods {
	m := genesis.SignInMethods{Password: s.Identity != nil}
	if s.Identity == nil {
		return m
	}
	for _, p := range s.Identity.Providers() {
		m.Providers = append(m.Providers, genesis.SignInProvider{ID: p.ID, Name: p.Title})
	}
	return m
}

// SignIn signs in with a password.
func (s *Service) SignIn(ctx context.Context, remote string, req genesis.SignInRequest) (*genesis.NewToken, error) {
	if host, _, err := net.SplitHostPort(remote); err == nil {
		remote = host
	}
	made, err := s.Identity.Password(ctx, req.Subject, req.Password, req.Code, remote)
	return &made, err
}

// SignOut ends the session that who came with.
func (s *Service) SignOut(ctx context.Context, who genesis.Principal) error {
	if !who.SignedIn() {
		return nil
	}
	return s.Identity.SignOut(ctx, who)
}

// StartDevice begins the sign-in of a terminal.
func (s *Service) StartDevice(ctx context.Context, remote string) (*genesis.DeviceLogin, error) {
	d, err := s.Identity.StartDevice(ctx, remote)
	return &d, err
}

// PollDevice asks whether the sign-in of a terminal was approved.
func (s *Service) PollDevice(ctx context.Context, deviceCode string) (*genesis.NewToken, error) {
	made, err := s.Identity.PollDevice(ctx, deviceCode)
	return &made, err
}

// AnswerDevice approves or refuses the sign-in of a terminal.
func (s *Service) AnswerDevice(ctx context.Context, who genesis.Principal, userCode string, approve bool) error {
	if !who.SignedIn() {
		return homeOnly("answer terminal", who)
	}
	if approve {
		return s.Identity.ApproveDevice(ctx, who, userCode)
	}
	return s.Identity.DenyDevice(ctx, who, userCode)
}

// StartOIDC begins a sign-in through a provider.
func (s *Service) StartOIDC(ctx context.Context, provider, next string) (redirect, cookie string, err error) {
	return s.Identity.StartOIDC(ctx, provider, next)
}

// FinishOIDC ends it.
func (s *Service) FinishOIDC(ctx context.Context, cookie string, query map[string][]string) (*genesis.NewToken, string, error) {
	made, next, err := s.Identity.FinishOIDC(ctx, cookie, url.Values(query))
	return &made, next, err
}

// WhoAmI returns who the node takes somebody for.
func (s *Service) WhoAmI(ctx context.Context, who genesis.Principal) (*genesis.Principal, error) {
	p := access.Complete(s.Charter, who)
	if !p.SignedIn() {
		return &p, nil
	}
	own, err := s.Access.ProjectsOf(ctx, p.Person())
	p.Projects = append(own, p.Projects...)
	return &p, err
}

// PeerToken vouches for who at another node.
func (s *Service) PeerToken(ctx context.Context, who genesis.Principal, req genesis.PeerTokenRequest) (*genesis.PeerToken, error) {
	if !who.SignedIn() || !s.home(who) || s.Identity == nil {
		return nil, homeOnly("vouch", who)
	}
	return pointed(s.Identity.PeerToken(ctx, who, req))
}

// Exchange gives a session for the word of another node.
func (s *Service) Exchange(ctx context.Context, remote string, req genesis.ExchangeRequest) (*genesis.PeerSession, error) {
	if s.Identity == nil {
		return nil, &genesis.Error{Op: "sign in", Kind: genesis.Unsupported, Msg: "nobody signs in at this node"}
	}
	return pointed(s.Identity.Exchange(ctx, req, remote))
}

// operates decides whether who may act on a part of the node.
func (s *Service) operates(ctx context.Context, who genesis.Principal, part access.Part) error {
	_, err := s.decide(ctx, who, genesis.Operate, access.Resource{Part: part})
	if k := genesis.KindOf(err); k != genesis.Private && k != genesis.Permission {
		return err
	}
	duty := genesis.DutyOperator
	if part == access.Office {
		duty = genesis.DutyOfficer
	}
	return &genesis.Error{Op: "operate node", Kind: genesis.Permission, Subject: string(s.Node), Msg: "that takes the duty " + string(duty)}
}

// MayOperate decides whether who may operate the machine, for what acts on the node
// outside of this package.
func (s *Service) MayOperate(ctx context.Context, who genesis.Principal) error {
	return s.operates(ctx, who, access.Machine)
}

// MayLook decides whether who may read the audit log, for what tells of it outside of this
// package.
func (s *Service) MayLook(ctx context.Context, who genesis.Principal) error {
	return s.operates(ctx, who, access.Office)
}

// keepsPeople decides whether who may look at the accounts of others.
func (s *Service) keepsPeople(ctx context.Context, who genesis.Principal) error {
	if err := s.operates(ctx, who, access.Office); err == nil {
		return nil
	}
	return s.operates(ctx, who, access.Machine)
}

// self reports whether who speaks of their own account.
func (s *Service) self(who genesis.Principal, subject string) bool {
	return who.SignedIn() && s.home(who) && who.Subject == subject
}

// Accounts lists accounts in order of subject, to operators and officers.
func (s *Service) Accounts(ctx context.Context, who genesis.Principal, after string, _ int) (*genesis.AccountPage, error) {
	if err := s.keepsPeople(ctx, who); err != nil {
		return nil, err
	}
	list, next, err := s.Identity.Accounts(ctx, after)
	return &genesis.AccountPage{Accounts: list, Next: next}, err
}

// Account returns one account, to whose it is, operators and officers.
func (s *Service) Account(ctx context.Context, who genesis.Principal, subject string) (*genesis.Account, error) {
	if !s.self(who, subject) {
		if err := s.keepsPeople(ctx, who); err != nil {
			return nil, err
		}
	}
	return pointed(s.Identity.Account(ctx, subject))
}

func pointed[T any](v T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// CreateAccount makes an account.
func (s *Service) CreateAccount(ctx context.Context, who genesis.Principal, req genesis.AccountRequest) (*genesis.Account, error) {
	if err := s.operates(ctx, who, access.Machine); err != nil {
		return nil, err
	}
	return pointed(s.Identity.CreateAccount(ctx, who, req))
}

// ChangeAccount changes an account: operators nearly everything, officers
// citizenship, people some of their own.
func (s *Service) ChangeAccount(ctx context.Context, who genesis.Principal, subject string, c genesis.AccountChange) (*genesis.Account, error) {
	part := access.Machine
	if c.Citizenship != nil && c == (genesis.AccountChange{Citizenship: c.Citizenship}) {
		part = access.Office
	}
	if !s.self(who, subject) {
		if err := s.operates(ctx, who, part); err != nil {
			return nil, err
		}
	}
	if c.TOTP != nil {
		if *c.TOTP {
			return nil, &genesis.Error{Op: "change account", Kind: genesis.Invalid, Subject: subject, Msg: "a second factor is set up by whose it is", Hint: "`genesis account totp`"}
		}
		if err := s.Identity.RemoveTOTP(ctx, who, subject); err != nil {
			return nil, err
		}
	}
	if o := c.Unlink; o != nil {
		if err := s.Identity.Unlink(ctx, who, subject, o.Provider, o.Value); err != nil {
			return nil, err
		}
	}
	if o := c.Link; o != nil {
		if err := s.Identity.Link(ctx, who, subject, o.Provider, o.Value); err != nil {
			return nil, err
		}
	}
	c.TOTP, c.Link, c.Unlink = nil, nil, nil
	if c == (genesis.AccountChange{}) {
		return pointed(s.Identity.Account(ctx, subject))
	}
	return pointed(s.Identity.ChangeAccount(ctx, who, subject, c))
}

// RequestVetting asks to be vetted.
func (s *Service) RequestVetting(ctx context.Context, who genesis.Principal, note string) (*genesis.Account, error) {
	if !who.SignedIn() || !s.home(who) {
		return nil, homeOnly("request vetting", who)
	}
	return pointed(s.Identity.RequestVetting(ctx, who, note))
}

// Vet says how the vetting of a person stands.
func (s *Service) Vet(ctx context.Context, who genesis.Principal, subject string, v genesis.Vetting) (*genesis.Account, error) {
	if err := s.operates(ctx, who, access.Office); err != nil {
		return nil, err
	}
	return pointed(s.Identity.Vet(ctx, who, subject, v))
}

// SetupTOTP begins to set up a second factor.
func (s *Service) SetupTOTP(ctx context.Context, who genesis.Principal) (*genesis.TOTPSetup, error) {
	if !who.SignedIn() || !s.home(who) {
		return nil, homeOnly("set up second factor", who)
	}
	setup, err := s.Identity.SetupTOTP(ctx, who)
	return &genesis.TOTPSetup{Secret: setup.Secret, URI: setup.URI}, err
}

// ConfirmTOTP confirms it with a code, and tells recovery codes, once.
func (s *Service) ConfirmTOTP(ctx context.Context, who genesis.Principal, code string) (*genesis.TOTPSetup, error) {
	if !who.SignedIn() || !s.home(who) {
		return nil, homeOnly("set up second factor", who)
	}
	recovery, err := s.Identity.ConfirmTOTP(ctx, who, code)
	return &genesis.TOTPSetup{Recovery: recovery}, err
}

// Tokens lists somebody's tokens: one's own, or to operators anybody's.
func (s *Service) Tokens(ctx context.Context, who genesis.Principal, subject, after string, _ int) (*genesis.TokenPage, error) {
	if subject == "" {
		subject = who.Subject
	}
	if !s.self(who, subject) {
		if err := s.operates(ctx, who, access.Machine); err != nil {
			return nil, err
		}
	} else if who.Scopes != nil {
		return nil, &genesis.Error{Op: "list tokens", Kind: genesis.Permission, Subject: subject, Msg: "a narrowed token does not list the others", Hint: "`genesis login` signs in"}
	}
	list, next, err := s.Identity.Tokens(ctx, subject, after)
	if genesis.KindOf(err) == genesis.NotFound && subject == access.LocalSubject {
		err = nil // the owner of the home has no account, and no tokens
	}
	return &genesis.TokenPage{Tokens: list, Next: next}, err
}

// CreateToken makes a token: for oneself, or for a service by its operator.
func (s *Service) CreateToken(ctx context.Context, who genesis.Principal, req genesis.TokenRequest) (*genesis.NewToken, error) {
	if !who.SignedIn() || !s.home(who) {
		return nil, homeOnly("make token", who)
	}
	if req.Subject != "" && req.Subject != who.Subject {
		if err := s.operates(ctx, who, access.Machine); err != nil {
			return nil, err
		}
	}
	return pointed(s.Identity.CreateToken(ctx, who, req))
}

// RevokeToken revokes a token: one's own, or as an operator or officer whom the
// policies let act as one, anybody's.
func (s *Service) RevokeToken(ctx context.Context, who genesis.Principal, id string) error {
	if !who.SignedIn() || !s.home(who) {
		return homeOnly("revoke token", who)
	}
	plain := who
	plain.Duties = nil
	err := s.Identity.RevokeToken(ctx, plain, id)
	if genesis.KindOf(err) != genesis.Private {
		return err
	}
	if who.Has(genesis.DutyOperator) || who.Has(genesis.DutyOfficer) {
		if err := s.keepsPeople(ctx, who); err != nil {
			return err
		}
	}
	return s.Identity.RevokeToken(ctx, who, id)
}
