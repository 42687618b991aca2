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
	PutProject(ctx context.Context, who genesis.Principal, p genesis.Project) (*genesis.Project, error)
	EndProject(ctx context.Context, who genesis.Principal, id string) (*genesis.Project, error)

	Explain(ctx context.Context, who genesis.Principal, person genesis.PersonID, a genesis.Action, ref string) (*genesis.Explanation, error)
}

// registerGovern declares the routes of [governor].
func (s *server) registerGovern(a huma.API) {
	get, post, put, del := http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete

	quick(s, a, op(get, "/v1/versions/{ref}/conditions", "conditions", "Terms and constraints of a version, and what you may do"), s.conditions)
	quick(s, a, op(get, "/v1/versions/{ref}/agreement", "agreement", "The text that whoever asks for access accepts"), s.agreement)
	quick(s, a, creates(op(post, "/v1/versions/{ref}/publish", "publish", "Publish a version under terms")), s.publish)
	quick(s, a, creates(op(post, "/v1/versions/{ref}/withdraw", "withdraw", "Withdraw a published version")), s.withdraw)
	quick(s, a, creates(op(post, "/v1/versions/{ref}/erase", "erase", "Erase a version; a tombstone stays")), s.erase)
	quick(s, a, creates(op(post, "/v1/versions/{ref}/lower", "lower", "Consent to a derived version being open more widely")), s.lower)

	quick(s, a, op(get, "/v1/grants", "grants", "List grants, newest first"), s.grants)
	quick(s, a, creates(op(post, "/v1/grants", "grant", "Let somebody do something to an asset")), s.grant)
	quick(s, a, op(del, "/v1/grants/{id}", "revoke", "Take a grant back"), s.revoke)

	quick(s, a, op(get, "/v1/requests", "requests", "List requests for access, newest first"), s.requests)
	quick(s, a, creates(op(post, "/v1/requests", "ask", "Ask for access")), s.ask)
	quick(s, a, op(get, "/v1/requests/{id}", "request", "One request for access"), s.request)
	quick(s, a, creates(op(post, "/v1/requests/{id}/messages", "say", "Write to the other side")), s.say)
	quick(s, a, creates(op(post, "/v1/requests/{id}/approve", "approve", "Approve a request")), s.approve)
	quick(s, a, creates(op(post, "/v1/requests/{id}/deny", "deny", "Deny a request")), s.deny)
	quick(s, a, creates(op(post, "/v1/requests/{id}/withdraw", "withdraw-request", "Withdraw one's own request")), s.withdrawRequest)

	quick(s, a, op(get, "/v1/members", "members", "The institutions of the federation"), s.members)
	quick(s, a, op(get, "/v1/projects", "projects", "List projects"), s.projects)
	quick(s, a, op(put, "/v1/projects/{id}", "put-project", "Make or change a project"), s.putProject)
	quick(s, a, creates(op(post, "/v1/projects/{id}/end", "end-project", "End a project")), s.endProject)

	quick(s, a, op(get, "/v1/explain", "explain", "What decides whether somebody may do something"), s.explain)
}

// IDInput names something by its id.
type IDInput struct {
	ID string `path:"id" maxLength:"100"`
}

// ReasonInput is a body that says why.
type ReasonInput struct {
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"10000"`
	}
}

// PageInput says which page of a list is wanted.
type PageInput struct {
	After string `query:"after" maxLength:"1000" doc:"cursor: the next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

func (s *server) conditions(ctx context.Context, who genesis.Principal, in *RefInput) (*genesis.Conditions, error) {
	return s.Service.Conditions(ctx, who, in.Ref)
}

func (s *server) agreement(ctx context.Context, who genesis.Principal, in *RefInput) (*genesis.AgreementText, error) {
	return s.Service.Agreement(ctx, who, in.Ref)
}

type publishInput struct {
	RefInput
	Body genesis.PublishRequest
}

func (s *server) publish(ctx context.Context, who genesis.Principal, in *publishInput) (*genesis.PublishedVersion, error) {
	return s.Service.Publish(ctx, who, in.Ref, in.Body)
}

type refReasonInput struct {
	RefInput
	ReasonInput
}

func (s *server) withdraw(ctx context.Context, who genesis.Principal, in *refReasonInput) (*genesis.Version, error) {
	return s.Service.Withdraw(ctx, who, in.Ref, in.Body.Reason)
}

func (s *server) erase(ctx context.Context, who genesis.Principal, in *refReasonInput) (*genesis.Version, error) {
	return s.Service.Erase(ctx, who, in.Ref, in.Body.Reason)
}

type lowerInput struct {
	RefInput
	Body genesis.LowerRequest
}

func (s *server) lower(ctx context.Context, who genesis.Principal, in *lowerInput) (*genesis.Constraint, error) {
	return s.Service.Lower(ctx, who, in.Ref, in.Body)
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
	page, err := s.Service.Grants(ctx, who, genesis.GrantQuery{Name: genesis.Name(in.Name), To: genesis.Grantee(in.To),
		Mine: in.Mine, Ended: in.Ended, Expiring: in.Expiring, After: in.After, Limit: in.Limit})
	if page != nil {
		page.Grants = orEmpty(page.Grants)
	}
	return page, err
}

type grantInput struct{ Body genesis.GrantRequest }

func (s *server) grant(ctx context.Context, who genesis.Principal, in *grantInput) (*genesis.Grant, error) {
	return s.Service.Grant(ctx, who, in.Body)
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
	State string `query:"state" enum:"open,approved,denied,withdrawn"`
	Mine  bool   `query:"mine" doc:"only your own"`
}

func (s *server) requests(ctx context.Context, who genesis.Principal, in *requestsInput) (*genesis.RequestPage, error) {
	page, err := s.Service.Requests(ctx, who, genesis.RequestQuery{Name: genesis.Name(in.Name), State: genesis.RequestState(in.State),
		Mine: in.Mine, After: in.After, Limit: in.Limit})
	if page != nil {
		page.Requests = orEmpty(page.Requests)
	}
	return page, err
}

type askInput struct{ Body genesis.AskRequest }

func (s *server) ask(ctx context.Context, who genesis.Principal, in *askInput) (*genesis.AccessRequest, error) {
	return s.Service.Ask(ctx, who, in.Body)
}

func (s *server) request(ctx context.Context, who genesis.Principal, in *IDInput) (*genesis.AccessRequest, error) {
	return s.Service.Request(ctx, who, in.ID)
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

type approveInput struct {
	IDInput
	Body genesis.Approval
}

func (s *server) approve(ctx context.Context, who genesis.Principal, in *approveInput) (*genesis.AccessRequest, error) {
	return s.Service.Approve(ctx, who, in.ID, in.Body)
}

type idReasonInput struct {
	IDInput
	ReasonInput
}

func (s *server) deny(ctx context.Context, who genesis.Principal, in *idReasonInput) (*genesis.AccessRequest, error) {
	return s.Service.Deny(ctx, who, in.ID, in.Body.Reason)
}

func (s *server) withdrawRequest(ctx context.Context, who genesis.Principal, in *IDInput) (*genesis.AccessRequest, error) {
	return s.Service.WithdrawRequest(ctx, who, in.ID)
}

func (s *server) members(ctx context.Context, who genesis.Principal, _ *struct{}) (*genesis.MemberList, error) {
	return s.Service.Members(ctx, who)
}

func (s *server) projects(ctx context.Context, who genesis.Principal, in *PageInput) (*genesis.ProjectPage, error) {
	page, err := s.Service.Projects(ctx, who, in.After, in.Limit)
	if page != nil {
		page.Projects = orEmpty(page.Projects)
	}
	return page, err
}

type putProjectInput struct {
	IDInput
	Body genesis.ProjectRequest
}

func (s *server) putProject(ctx context.Context, who genesis.Principal, in *putProjectInput) (*genesis.Project, error) {
	b := in.Body
	return s.Service.PutProject(ctx, who, genesis.Project{ID: in.ID, Title: b.Title, Lead: b.Lead, Members: b.Members,
		Purpose: b.Purpose, Agreement: b.Agreement, Until: b.Until})
}

func (s *server) endProject(ctx context.Context, who genesis.Principal, in *IDInput) (*genesis.Project, error) {
	return s.Service.EndProject(ctx, who, in.ID)
}

type explainInput struct {
	Person string `query:"person" maxLength:"200" doc:"nrel/ada, ada, or empty for somebody not signed in"`
	Action string `query:"action" required:"true" enum:"discover,read,train,infer,evaluate,request,steward,operate"`
	Ref    string `query:"ref" maxLength:"300" doc:"a Ref"`
}

func (s *server) explain(ctx context.Context, who genesis.Principal, in *explainInput) (*genesis.Explanation, error) {
	return s.Service.Explain(ctx, who, genesis.PersonID(in.Person), genesis.Action(in.Action), in.Ref)
}
