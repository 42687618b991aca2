package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/opengenesis/genesis"
)

// Publish publishes a version under terms, or gives a published one new terms.
func (c *Client) Publish(ctx context.Context, ref string, req genesis.PublishRequest) (*genesis.PublishedVersion, error) {
	return post[genesis.PublishedVersion](ctx, c, version(ref)+"/publish", req)
}

// reason is a body that says why.
type reason struct {
	Reason string `json:"reason"`
}

// Withdraw withdraws a published version.
func (c *Client) Withdraw(ctx context.Context, ref, why string) (*genesis.Version, error) {
	return post[genesis.Version](ctx, c, version(ref)+"/withdraw", reason{why})
}

// Erase erases a version; a tombstone stays.
func (c *Client) Erase(ctx context.Context, ref, why string) (*genesis.Version, error) {
	return post[genesis.Version](ctx, c, version(ref)+"/erase", reason{why})
}

// Conditions returns terms and constraints of a version, and what the caller may do.
func (c *Client) Conditions(ctx context.Context, ref string) (*genesis.Conditions, error) {
	return get[genesis.Conditions](ctx, c, version(ref)+"/conditions", nil)
}

// Agreement returns the text that whoever asks for access to a version accepts.
func (c *Client) Agreement(ctx context.Context, ref string) (*genesis.AgreementText, error) {
	return get[genesis.AgreementText](ctx, c, version(ref)+"/agreement", nil)
}

// Lower consents to a derived version being open more widely than an input.
func (c *Client) Lower(ctx context.Context, ref string, req genesis.LowerRequest) (*genesis.Constraint, error) {
	return post[genesis.Constraint](ctx, c, version(ref)+"/lower", req)
}

// Grant lets somebody do something to an asset.
func (c *Client) Grant(ctx context.Context, req genesis.GrantRequest) (*genesis.Grant, error) {
	return post[genesis.Grant](ctx, c, "/v1/grants", req)
}

// Grants returns one page of grants, newest first.
func (c *Client) Grants(ctx context.Context, q genesis.GrantQuery) (*genesis.GrantPage, error) {
	v := url.Values{}
	set(v, "name", string(q.Name))
	set(v, "to", string(q.To))
	setBool(v, "mine", q.Mine)
	setBool(v, "ended", q.Ended)
	setInt(v, "expiring", q.Expiring)
	return get[genesis.GrantPage](ctx, c, "/v1/grants", page(v, q.After, q.Limit))
}

// Revoke takes a grant back.
func (c *Client) Revoke(ctx context.Context, id, why string) (*genesis.Grant, error) {
	v := url.Values{}
	set(v, "reason", why)
	return quick[genesis.Grant](ctx, c, http.MethodDelete, "/v1/grants/"+url.PathEscape(id), v, nil)
}

// Ask asks the steward of an asset for access.
func (c *Client) Ask(ctx context.Context, req genesis.AskRequest) (*genesis.AccessRequest, error) {
	return post[genesis.AccessRequest](ctx, c, "/v1/requests", req)
}

// Requests returns one page of requests for access, newest first.
func (c *Client) Requests(ctx context.Context, q genesis.RequestQuery) (*genesis.RequestPage, error) {
	v := url.Values{}
	set(v, "name", string(q.Name))
	set(v, "state", string(q.State))
	setBool(v, "mine", q.Mine)
	return get[genesis.RequestPage](ctx, c, "/v1/requests", page(v, q.After, q.Limit))
}

func request(id string) string { return "/v1/requests/" + url.PathEscape(id) }

// Request returns one request for access.
func (c *Client) Request(ctx context.Context, id string) (*genesis.AccessRequest, error) {
	return get[genesis.AccessRequest](ctx, c, request(id), nil)
}

// Say writes to the other side of a request.
func (c *Client) Say(ctx context.Context, id, text string) (*genesis.AccessRequest, error) {
	return post[genesis.AccessRequest](ctx, c, request(id)+"/messages", map[string]string{"text": text})
}

// Approve approves a request, which makes a grant.
func (c *Client) Approve(ctx context.Context, id string, a genesis.Approval) (*genesis.AccessRequest, error) {
	return post[genesis.AccessRequest](ctx, c, request(id)+"/approve", a)
}

// Deny denies a request.
func (c *Client) Deny(ctx context.Context, id, why string) (*genesis.AccessRequest, error) {
	return post[genesis.AccessRequest](ctx, c, request(id)+"/deny", reason{why})
}

// WithdrawRequest withdraws one's own request.
func (c *Client) WithdrawRequest(ctx context.Context, id string) (*genesis.AccessRequest, error) {
	return post[genesis.AccessRequest](ctx, c, request(id)+"/withdraw", nil)
}

// Members returns the institutions of the federation.
func (c *Client) Members(ctx context.Context) (*genesis.MemberList, error) {
	return get[genesis.MemberList](ctx, c, "/v1/members", nil)
}

// Projects returns one page of projects.
func (c *Client) Projects(ctx context.Context, after string, limit int) (*genesis.ProjectPage, error) {
	return get[genesis.ProjectPage](ctx, c, "/v1/projects", page(url.Values{}, after, limit))
}

// PutProject makes or changes a project.
func (c *Client) PutProject(ctx context.Context, id string, req genesis.ProjectRequest) (*genesis.Project, error) {
	return quick[genesis.Project](ctx, c, http.MethodPut, "/v1/projects/"+url.PathEscape(id), nil, req)
}

// EndProject ends a project, and with it what was granted to it.
func (c *Client) EndProject(ctx context.Context, id string) (*genesis.Project, error) {
	return post[genesis.Project](ctx, c, "/v1/projects/"+url.PathEscape(id)+"/end", nil)
}

// Explain says what decides whether somebody may do something.
func (c *Client) Explain(ctx context.Context, person genesis.PersonID, a genesis.Action, ref string) (*genesis.Explanation, error) {
	v := url.Values{"action": {string(a)}}
	set(v, "person", string(person))
	set(v, "ref", ref)
	return get[genesis.Explanation](ctx, c, "/v1/explain", v)
}

func post[T any](ctx context.Context, c *Client, path string, in any) (*T, error) {
	return quick[T](ctx, c, http.MethodPost, path, nil, in)
}

// page adds cursor and limit to a query.
func page(v url.Values, after string, limit int) url.Values {
	set(v, "after", after)
	setInt(v, "limit", limit)
	return v
}

func setBool(v url.Values, key string, value bool) {
	if value {
		v.Set(key, "true")
	}
}

func setInt(v url.Values, key string, value int) {
	if value > 0 {
		v.Set(key, strconv.Itoa(value))
	}
}
