package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/opengenesis/genesis"
)

// governor publishes, grants, answers requests and explains.
type governor interface {
	Publish(ctx context.Context, who genesis.Principal, ref string, req genesis.PublishRequest) (*genesis.PublishedVersion, error)
	Withdraw(ctx context.Context, who genesis.Principal, ref, reason string) (*genesis.Version, error)
	Erase(ctx context.Context, who genesis.Principal, ref, reason string) (*genesis.Version, error)
	Conditions(ctx context.Context, who genesis.Principal, ref string) (*genesis.Conditions, error)
	Agreement(ctx context.Context, who genesis.Principal, ref string) (*genesis.AgreementText, error)
	Lower(ctx context.Context, who genesis.Principal, ref string, req genesis.LowerRequest) (*genesis.Constraint, error)

	Grant(ctx context.Context, who genesis.Principal, req genesis.GrantRequest) (*genesis.Grant, error)
	Grants(ctx context.Context, who genesis.Principal, q genesis.GrantQuery) (*genesis.GrantPage, error)
	Revoke(ctx context.Context, who genesis.Principal, id, reason string) (*genesis.Grant, error)

	Ask(ctx context.Context, who genesis.Principal, req genesis.AskRequest) (*genesis.AccessRequest, error)
	Requests(ctx context.Context, who genesis.Principal, q genesis.RequestQuery) (*genesis.RequestPage, error)
	Request(ctx context.Context, who genesis.Principal, id string) (*genesis.AccessRequest, error)
	Say(ctx context.Context, who genesis.Principal, id, text string) (*genesis.AccessRequest, error)
	Approve(ctx context.Context, who genesis.Principal, id string, a genesis.Approval) (*genesis.AccessRequest, error)
	Deny(ctx context.Context, who genesis.Principal, id, reason string) (*genesis.AccessRequest, error)
	WithdrawRequest(ctx context.Context, who genesis.Principal, id string) (*genesis.AccessRequest, error)

	Members(ctx context.Context, who genesis.Principal) (*genesis.MemberList, error)
	Projects(ctx context.Context, who genesis.Principal, after string, limit int) (*genesis.ProjectPage, error)
	PutProject(ctx context.Context, who genesis.Principal, id string, req genesis.ProjectRequest) (*genesis.Project, error)
	EndProject(ctx context.Context, who genesis.Principal, id string) (*genesis.Project, error)

	Explain(ctx context.Context, who genesis.Principal, person genesis.PersonID, a genesis.Action, ref string) (*genesis.Explanation, error)
}

// registerGovern declares the routes of [governor].
func (s *server) registerGovern(a huma.API) {
	get, post, put, del := http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete

	quick(s, a, op(get, "/v1/versions/{ref}/conditions", "conditions", "Terms and constraints of a version, and what you may do"), ofRef(s.Service.Conditions))
	quick(s, a, op(get, "/v1/versions/{ref}/agreement", "agreement", "The text that whoever asks for access accepts"), ofRef(s.Service.Agreement))
	quick(s, a, creates(op(post, "/v1/versions/{ref}/publish", "publish", "Publish a version under terms")), ofRefAndBody(s.Service.Publish))
	quick(s, a, creates(op(post, "/v1/versions/{ref}/withdraw", "withdraw", "Withdraw a published version")), ofRefAndBody(because(s.Service.Withdraw)))
	quick(s, a, creates(op(post, "/v1/versions/{ref}/erase", "erase", "Erase a version; a tombstone stays")), ofRefAndBody(because(s.Service.Erase)))
	quick(s, a, creates(op(post, "/v1/versions/{ref}/lower", "lower", "Consent to a derived version being open more widely")), ofRefAndBody(s.Service.Lower))

	quick(s, a, op(get, "/v1/grants", "grants", "List grants, newest first"), s.grants)
	quick(s, a, creates(op(post, "/v1/grants", "grant", "Let somebody do something to an asset")), ofBody(s.Service.Grant))
	quick(s, a, op(del, "/v1/grants/{id}", "revoke", "Take a grant back"), s.revoke)

	quick(s, a, op(get, "/v1/requests", "requests", "List requests for access, newest first"), s.requests)
	quick(s, a, creates(op(post, "/v1/requests", "ask", "Ask for access")), ofBody(s.Service.Ask))
	quick(s, a, op(get, "/v1/requests/{id}", "request", "One request for access"), ofID(s.Service.Request))
	quick(s, a, creates(op(post, "/v1/requests/{id}/messages", "say", "Write to the other side")), s.say)
	quick(s, a, creates(op(post, "/v1/requests/{id}/approve", "approve", "Approve a request")), ofIDAndBody(s.Service.Approve))
	quick(s, a, creates(op(post, "/v1/requests/{id}/deny", "deny", "Deny a request")), ofIDAndBody(because(s.Service.Deny)))
	quick(s, a, creates(op(post, "/v1/requests/{id}/withdraw", "withdraw-request", "Withdraw one's own request")), ofID(s.Service.WithdrawRequest))

	quick(s, a, op(get, "/v1/members", "members", "The institutions of the federation"), ofCaller(s.Service.Members))
	quick(s, a, op(get, "/v1/projects", "projects", "List projects"), s.projects)
	quick(s, a, op(put, "/v1/projects/{id}", "put-project", "Make or change a project"), ofIDAndBody(s.Service.PutProject))
	quick(s, a, creates(op(post, "/v1/projects/{id}/end", "end-project", "End a project")), ofID(s.Service.EndProject))

	quick(s, a, op(get, "/v1/explain", "explain", "What decides whether somebody may do something"), s.explain)
}

type grantsInput struct {
	PageInput
	Name     string `query:"name" maxLength:"200" doc:"of this asset alone"`
	To       string `query:"to" maxLength:"200" doc:"to this grantee alone: person:nrel/ada"`
	Mine     bool   `query:"mine" doc:"only those that let you do something"`
	Ended    bool   `query:"ended" doc:"revoked and expired ones, too"`
	Expiring int    `query:"expiring" minimum:"0" maximum:"3660" doc:"only those that end within so many days"`
}

func (s *server) grants(ctx context.Context, who genesis.Principal, in *grantsInput) (*genesis.GrantPage, error) {
	return turn(s, "grants", &in.PageInput, func() (*genesis.GrantPage, error) {
		return s.Service.Grants(ctx, who, genesis.GrantQuery{Name: genesis.Name(in.Name), To: genesis.Grantee(in.To),
			Mine: in.Mine, Ended: in.Ended, Expiring: in.Expiring, After: in.After, Limit: in.Limit})
	}, func(p *genesis.GrantPage) *string {
		p.Grants = orEmpty(p.Grants)
		return &p.Next
	})
}

type revokeInput struct {
	IDInput
	Reason string `query:"reason" maxLength:"10000"`
}

func (s *server) revoke(ctx context.Context, who genesis.Principal, in *revokeInput) (*genesis.Grant, error) {
	return s.Service.Revoke(ctx, who, in.ID, in.Reason)
}

type requestsInput struct {
	PageInput
	Name  string `query:"name" maxLength:"200"`
	State string `query:"state" enum:"open,approved,denied,withdrawn,pending,refused,ended"`
	Mine  bool   `query:"mine" doc:"only your own"`
}

func (s *server) requests(ctx context.Context, who genesis.Principal, in *requestsInput) (*genesis.RequestPage, error) {
	return turn(s, "requests", &in.PageInput, func() (*genesis.RequestPage, error) {
		return s.Service.Requests(ctx, who, genesis.RequestQuery{Name: genesis.Name(in.Name), State: genesis.RequestState(in.State),
			Mine: in.Mine, After: in.After, Limit: in.Limit})
	}, func(p *genesis.RequestPage) *string {
		p.Requests = orEmpty(p.Requests)
		return &p.Next
	})
}

type sayInput struct {
	IDInput
	Body struct {
		Text string `json:"text" minLength:"1" maxLength:"10000"`
	}
}

func (s *server) say(ctx context.Context, who genesis.Principal, in *sayInput) (*genesis.AccessRequest, error) {
	return s.Service.Say(ctx, who, in.ID, in.Body.Text)
}

func (s *server) projects(ctx context.Context, who genesis.Principal, in *PageInput) (*genesis.ProjectPage, error) {
	return turn(s, "projects", in, func() (*genesis.ProjectPage, error) {
		return s.Service.Projects(ctx, who, in.After, in.Limit)
	}, func(p *genesis.ProjectPage) *string {
		p.Projects = orEmpty(p.Projects)
		return &p.Next
	})
}

type explainInput struct {
	Person string `query:"person" maxLength:"200" doc:"nrel/ada, ada, or empty for somebody not signed in"`
	Action string `query:"action" required:"true" enum:"discover,read,train,infer,evaluate,request,steward,operate"`
	Ref    string `query:"ref" maxLength:"400" doc:"a Ref"`
}

func (s *server) explain(ctx context.Context, who genesis.Principal, in *explainInput) (*genesis.Explanation, error) {
	return s.Service.Explain(ctx, who, genesis.PersonID(in.Person), genesis.Action(in.Action), in.Ref)
}
