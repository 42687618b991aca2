package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/opengenesis/genesis"
)

// SignInMethods returns the ways to sign in at the node.
func (c *Client) SignInMethods(ctx context.Context) (*genesis.SignInMethods, error) {
	return get[genesis.SignInMethods](ctx, c, "/v1/signin", nil)
}

// SignIn signs in with a password.
func (c *Client) SignIn(ctx context.Context, req genesis.SignInRequest) (*genesis.NewToken, error) {
	if err := c.maySignIn("the password"); err != nil {
		return nil, err
	}
	return post[genesis.NewToken](ctx, c, "/v1/signin", req)
}

// SignOut ends the session whose token the client uses.
func (c *Client) SignOut(ctx context.Context) error {
	_, err := post[struct{}](ctx, c, "/v1/signout", nil)
	return err
}

// StartDevice begins to sign in at a terminal (RFC 8628).
func (c *Client) StartDevice(ctx context.Context) (*genesis.DeviceLogin, error) {
	if err := c.maySignIn("the token"); err != nil {
		return nil, err
	}
	return post[genesis.DeviceLogin](ctx, c, "/v1/device", nil)
}

// PollDevice asks whether the sign-in was approved. It is Unavailable while the
// person has not answered.
func (c *Client) PollDevice(ctx context.Context, deviceCode string) (*genesis.NewToken, error) {
	return post[genesis.NewToken](ctx, c, "/v1/device/token", map[string]string{"device_code": deviceCode})
}

// AnswerDevice approves or refuses a sign-in at a terminal.
func (c *Client) AnswerDevice(ctx context.Context, userCode string, approve bool) error {
	_, err := post[struct{}](ctx, c, "/v1/device/answer", map[string]any{"user_code": userCode, "approve": approve})
	return err
}

// WhoAmI returns who the node takes the caller for.
func (c *Client) WhoAmI(ctx context.Context) (*genesis.Principal, error) {
	return get[genesis.Principal](ctx, c, "/v1/whoami", nil)
}

func account(subject string) string { return "/v1/accounts/" + url.PathEscape(subject) }

// Accounts returns one page of accounts.
func (c *Client) Accounts(ctx context.Context, after string, limit int) (*genesis.AccountPage, error) {
	return get[genesis.AccountPage](ctx, c, "/v1/accounts", page(url.Values{}, after, limit))
}

// Account returns one account.
func (c *Client) Account(ctx context.Context, subject string) (*genesis.Account, error) {
	return get[genesis.Account](ctx, c, account(subject), nil)
}

// CreateAccount makes an account.
func (c *Client) CreateAccount(ctx context.Context, req genesis.AccountRequest) (*genesis.Account, error) {
	return post[genesis.Account](ctx, c, "/v1/accounts", req)
}

// ChangeAccount changes an account.
func (c *Client) ChangeAccount(ctx context.Context, subject string, change genesis.AccountChange) (*genesis.Account, error) {
	return quick[genesis.Account](ctx, c, http.MethodPatch, account(subject), nil, change)
}

// RequestVetting asks an officer to vet the caller.
func (c *Client) RequestVetting(ctx context.Context, note string) (*genesis.Account, error) {
	return post[genesis.Account](ctx, c, "/v1/vetting", map[string]string{"note": note})
}

// Vet says how the vetting of a person stands.
func (c *Client) Vet(ctx context.Context, subject string, req genesis.VetRequest) (*genesis.Account, error) {
	return post[genesis.Account](ctx, c, account(subject)+"/vetting", req)
}

// SetupTOTP begins to set up a second factor.
func (c *Client) SetupTOTP(ctx context.Context) (*genesis.TOTPSetup, error) {
	return post[genesis.TOTPSetup](ctx, c, "/v1/totp", nil)
}

// ConfirmTOTP confirms the second factor with a code of it, and returns recovery
// codes, which are told once.
func (c *Client) ConfirmTOTP(ctx context.Context, code string) (*genesis.TOTPSetup, error) {
	return post[genesis.TOTPSetup](ctx, c, "/v1/totp/confirm", map[string]string{"code": code})
}

// Tokens returns one page of a person's tokens, newest first; "" is oneself.
func (c *Client) Tokens(ctx context.Context, subject, after string, limit int) (*genesis.TokenPage, error) {
	v := url.Values{}
	set(v, "subject", subject)
	return get[genesis.TokenPage](ctx, c, "/v1/tokens", page(v, after, limit))
}

// CreateToken makes a token for a program.
func (c *Client) CreateToken(ctx context.Context, req genesis.TokenRequest) (*genesis.NewToken, error) {
	return post[genesis.NewToken](ctx, c, "/v1/tokens", req)
}

// RevokeToken revokes a token.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	_, err := quick[struct{}](ctx, c, http.MethodDelete, "/v1/tokens/"+url.PathEscape(id), nil, nil)
	return err
}

// Audit returns one page of the audit log, newest first.
func (c *Client) Audit(ctx context.Context, q genesis.AuditQuery) (*genesis.AuditPage, error) {
	v := url.Values{}
	set(v, "actor", string(q.Actor))
	set(v, "subject", q.Subject)
	set(v, "act", q.Act)
	set(v, "outcome", string(q.Outcome))
	set(v, "project", q.Project)
	setTime(v, "since", q.Since)
	setTime(v, "until", q.Until)
	return get[genesis.AuditPage](ctx, c, "/v1/audit", page(v, q.After, q.Limit))
}

// AuditVerify recomputes the audit log. What does not hold is in the result, not
// an error.
func (c *Client) AuditVerify(ctx context.Context, since time.Time, p genesis.Progress) (*genesis.AuditVerification, error) {
	v := url.Values{}
	setTime(v, "since", since)
	return long[genesis.AuditVerification](ctx, c, http.MethodPost, "/v1/audit/verify", v, nil, p)
}

// Forget makes the node forget a person; the audit log stays whole.
func (c *Client) Forget(ctx context.Context, person genesis.PersonID, why string) error {
	_, err := post[struct{}](ctx, c, "/v1/audit/forget", map[string]string{"person": string(person), "reason": why})
	return err
}

// Purge removes a version's bytes from the node for good.
func (c *Client) Purge(ctx context.Context, ref, why string, p genesis.Progress) (*genesis.Purge, error) {
	return long[genesis.Purge](ctx, c, http.MethodPost, version(ref)+"/purge", nil, reason{why}, p)
}

// Sweep removes bytes that nothing refers to, or says what would be removed.
func (c *Client) Sweep(ctx context.Context, dryRun bool, p genesis.Progress) (*genesis.Sweep, error) {
	v := url.Values{}
	setBool(v, "dry_run", dryRun)
	return long[genesis.Sweep](ctx, c, http.MethodPost, "/v1/admin/gc", v, nil, p)
}

func setTime(v url.Values, key string, t time.Time) {
	if !t.IsZero() {
		v.Set(key, t.UTC().Format(time.RFC3339Nano))
	}
}
