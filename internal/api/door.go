package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/opengenesis/genesis"
)

// doorman knows people: signing in, accounts, tokens.
type doorman interface {
	SignInMethods(ctx context.Context) genesis.SignInMethods
	SignIn(ctx context.Context, remote string, req genesis.SignInRequest) (*genesis.NewToken, error)
	SignOut(ctx context.Context, who genesis.Principal) error
	StartDevice(ctx context.Context, remote string) (*genesis.DeviceLogin, error)
	PollDevice(ctx context.Context, deviceCode string) (*genesis.NewToken, error)
	AnswerDevice(ctx context.Context, who genesis.Principal, userCode string, approve bool) error
	StartOIDC(ctx context.Context, provider, next string) (redirect, cookie string, err error)
	FinishOIDC(ctx context.Context, cookie string, query map[string][]string) (made *genesis.NewToken, next string, err error)

	WhoAmI(ctx context.Context, who genesis.Principal) (*genesis.Principal, error)
	Accounts(ctx context.Context, who genesis.Principal, after string, limit int) (*genesis.AccountPage, error)
	Account(ctx context.Context, who genesis.Principal, subject string) (*genesis.Account, error)
	CreateAccount(ctx context.Context, who genesis.Principal, req genesis.AccountRequest) (*genesis.Account, error)
	ChangeAccount(ctx context.Context, who genesis.Principal, subject string, c genesis.AccountChange) (*genesis.Account, error)
	RequestVetting(ctx context.Context, who genesis.Principal, note string) (*genesis.Account, error)
	Vet(ctx context.Context, who genesis.Principal, subject string, v genesis.Vetting) (*genesis.Account, error)
	SetupTOTP(ctx context.Context, who genesis.Principal) (*genesis.TOTPSetup, error)
	ConfirmTOTP(ctx context.Context, who genesis.Principal, code string) (*genesis.TOTPSetup, error)

	Tokens(ctx context.Context, who genesis.Principal, subject, after string, limit int) (*genesis.TokenPage, error)
	CreateToken(ctx context.Context, who genesis.Principal, req genesis.TokenRequest) (*genesis.NewToken, error)
	RevokeToken(ctx context.Context, who genesis.Principal, id string) error

	PeerToken(ctx context.Context, who genesis.Principal, req genesis.PeerTokenRequest) (*genesis.PeerToken, error)
	Exchange(ctx context.Context, remote string, req genesis.ExchangeRequest) (*genesis.PeerSession, error)
}

// registerDoor declares the routes of [doorman].
func (s *server) registerDoor(a huma.API) {
	get, post, patch, del := http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete

	quick(s, a, op(get, "/v1/signin", "sign-in-methods", "How one can sign in here"), s.signInMethods)
	quick(s, a, op(post, "/v1/signin", "sign-in", "Sign in with a password"), s.signIn)
	quick(s, a, op(post, "/v1/signout", "sign-out", "End this session"), s.signOut)
	quick(s, a, op(post, "/v1/device", "start-device", "Begin to sign in at a terminal"), s.startDevice)
	quick(s, a, op(post, "/v1/device/token", "poll-device", "Ask whether the sign-in was approved"), s.pollDevice)
	quick(s, a, op(post, "/v1/device/answer", "answer-device", "Approve or refuse a sign-in at a terminal"), s.answerDevice)

	quick(s, a, op(get, "/v1/whoami", "whoami", "Who this node takes you for"), ofCaller(s.Service.WhoAmI))
	quick(s, a, op(get, "/v1/accounts", "accounts", "List accounts"), s.accounts)
	quick(s, a, creates(op(post, "/v1/accounts", "create-account", "Make an account")), ofBody(s.Service.CreateAccount))
	quick(s, a, op(get, "/v1/accounts/{subject}", "account", "One account"), s.account)
	quick(s, a, op(patch, "/v1/accounts/{subject}", "change-account", "Change an account"), s.changeAccount)
	quick(s, a, creates(op(post, "/v1/accounts/{subject}/vetting", "vet", "Say how the vetting of a person stands")), s.vet)
	quick(s, a, creates(op(post, "/v1/vetting", "request-vetting", "Ask to be vetted")), s.requestVetting)
	quick(s, a, tellsSecret(creates(op(post, "/v1/totp", "setup-totp", "Begin to set up a second factor"))), ofCaller(s.Service.SetupTOTP))
	quick(s, a, tellsSecret(creates(op(post, "/v1/totp/confirm", "confirm-totp", "Confirm the second factor with a code"))), s.confirmTOTP)

	quick(s, a, op(get, "/v1/tokens", "tokens", "List tokens, newest first"), s.tokens)
	quick(s, a, tellsSecret(creates(op(post, "/v1/tokens", "create-token", "Make a token for a program"))), ofBody(s.Service.CreateToken))
	quick(s, a, op(del, "/v1/tokens/{id}", "revoke-token", "Revoke a token"), s.revokeToken)
	quick(s, a, op(post, "/v1/tokens/peer", "peer-token", "Have this node vouch for you at another"), ofBody(s.Service.PeerToken))
	quick(s, a, weighs(2, brief(op(post, "/v1/exchange", "exchange", "Get a session for the word of another node"))), s.exchange)
}

// remote says where a request comes from, for limits on guessing passwords.
type remote struct{ addr string }

// Resolve takes the address from the connection.
func (r *remote) Resolve(ctx huma.Context) []error {
	r.addr = ctx.RemoteAddr()
	return nil
}

func (s *server) signInMethods(ctx context.Context, _ genesis.Principal, _ *struct{}) (*genesis.SignInMethods, error) {
	m := s.Service.SignInMethods(ctx)
	m.Providers = orEmpty(m.Providers)
	return &m, nil
}

type signInInput struct {
	remote
	Body genesis.SignInRequest
}

func (s *server) signIn(ctx context.Context, _ genesis.Principal, in *signInInput) (*genesis.NewToken, error) {
	return s.Service.SignIn(ctx, in.addr, in.Body)
}

func (s *server) signOut(ctx context.Context, who genesis.Principal, _ *struct{}) (*nothing, error) {
	return &nothing{}, s.Service.SignOut(ctx, who)
}

// maxExchange bounds a token of another node, with the tokens of projects in it.
const maxExchange = 100 << 10

// brief bounds the body of an operation that anybody may ask for.
func brief(o huma.Operation) huma.Operation {
	o.MaxBodyBytes = maxExchange
	return o
}

type exchangeInput struct {
	remote
	Body genesis.ExchangeRequest
}

func (s *server) exchange(ctx context.Context, _ genesis.Principal, in *exchangeInput) (*genesis.PeerSession, error) {
	return s.Service.Exchange(ctx, in.addr, in.Body)
}

type startDeviceInput struct{ remote }

func (s *server) startDevice(ctx context.Context, _ genesis.Principal, in *startDeviceInput) (*genesis.DeviceLogin, error) {
	return s.Service.StartDevice(ctx, in.addr)
}

type pollDeviceInput struct {
	Body struct {
		DeviceCode string `json:"device_code" minLength:"1" maxLength:"200"`
	}
}

func (s *server) pollDevice(ctx context.Context, _ genesis.Principal, in *pollDeviceInput) (*genesis.NewToken, error) {
	return s.Service.PollDevice(ctx, in.Body.DeviceCode)
}

type answerDeviceInput struct {
	Body struct {
		UserCode string `json:"user_code" minLength:"1" maxLength:"50"`
		Approve  bool   `json:"approve"`
	}
}

func (s *server) answerDevice(ctx context.Context, who genesis.Principal, in *answerDeviceInput) (*nothing, error) {
	return &nothing{}, s.Service.AnswerDevice(ctx, who, in.Body.UserCode, in.Body.Approve)
}

func (s *server) accounts(ctx context.Context, who genesis.Principal, in *PageInput) (*genesis.AccountPage, error) {
	return turn(s, "accounts", in, func() (*genesis.AccountPage, error) {
		return s.Service.Accounts(ctx, who, in.After, in.Limit)
	}, func(p *genesis.AccountPage) *string {
		p.Accounts = orEmpty(p.Accounts)
		return &p.Next
	})
}

func (s *server) account(ctx context.Context, who genesis.Principal, in *SubjectInput) (*genesis.Account, error) {
	return s.Service.Account(ctx, who, in.Subject)
}

type changeAccountInput struct {
	SubjectInput
	Body genesis.AccountChange
}

func (s *server) changeAccount(ctx context.Context, who genesis.Principal, in *changeAccountInput) (*genesis.Account, error) {
	return s.Service.ChangeAccount(ctx, who, in.Subject, in.Body)
}

type vetInput struct {
	SubjectInput
	Body genesis.VetRequest
}

func (s *server) vet(ctx context.Context, who genesis.Principal, in *vetInput) (*genesis.Account, error) {
	return s.Service.Vet(ctx, who, in.Subject, genesis.Vetting{State: in.Body.State, Until: in.Body.Until, Note: in.Body.Note})
}

type requestVettingInput struct {
	Body struct {
		Note string `json:"note,omitempty" maxLength:"10000"`
	}
}

func (s *server) requestVetting(ctx context.Context, who genesis.Principal, in *requestVettingInput) (*genesis.Account, error) {
	return s.Service.RequestVetting(ctx, who, in.Body.Note)
}

type confirmTOTPInput struct {
	Body struct {
		Code string `json:"code" minLength:"6" maxLength:"20"`
	}
}

func (s *server) confirmTOTP(ctx context.Context, who genesis.Principal, in *confirmTOTPInput) (*genesis.TOTPSetup, error) {
	return s.Service.ConfirmTOTP(ctx, who, in.Body.Code)
}

type tokensInput struct {
	PageInput
	Subject string `query:"subject" maxLength:"100" doc:"whose; default: your own"`
}

func (s *server) tokens(ctx context.Context, who genesis.Principal, in *tokensInput) (*genesis.TokenPage, error) {
	return turn(s, "tokens", &in.PageInput, func() (*genesis.TokenPage, error) {
		return s.Service.Tokens(ctx, who, in.Subject, in.After, in.Limit)
	}, func(p *genesis.TokenPage) *string {
		p.Tokens = orEmpty(p.Tokens)
		return &p.Next
	})
}

func (s *server) revokeToken(ctx context.Context, who genesis.Principal, in *IDInput) (*nothing, error) {
	return &nothing{}, s.Service.RevokeToken(ctx, who, in.ID)
}
