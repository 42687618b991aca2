package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/opengenesis/genesis"
)

// officer answers to security officers and operators.
type officer interface {
	Audit(ctx context.Context, who genesis.Principal, q genesis.AuditQuery) (*genesis.AuditPage, error)
	AuditVerify(ctx context.Context, who genesis.Principal, since time.Time, p genesis.Progress) (*genesis.AuditVerification, error)
	Forget(ctx context.Context, who genesis.Principal, person genesis.PersonID, reason string) error
	Purge(ctx context.Context, who genesis.Principal, ref, reason string, p genesis.Progress) (*genesis.Purge, error)
	Sweep(ctx context.Context, who genesis.Principal, dryRun bool, p genesis.Progress) (*genesis.Sweep, error)
}

// registerOfficer declares the routes of [officer].
func (s *server) registerOfficer(a huma.API) {
	get, post := http.MethodGet, http.MethodPost
	quick(s, a, op(get, "/v1/audit", "audit", "List the audit log, newest first"), s.audit)
	long(s, a, op(post, "/v1/audit/verify", "audit-verify", "Recompute hashes, consistency and signatures of the audit log"), s.auditVerify)
	quick(s, a, op(post, "/v1/audit/forget", "forget", "Forget a person without breaking the log"), s.forget)
	long(s, a, op(post, "/v1/versions/{ref}/purge", "purge", "Remove a version's bytes from this node for good"), s.purge)
	long(s, a, op(post, "/v1/admin/gc", "gc", "Remove bytes that nothing refers to"), s.gc)
}

type auditInput struct {
	PageInput
	Actor   string    `query:"actor" maxLength:"200" doc:"a person: ada, nrel/ada"`
	Subject string    `query:"subject" maxLength:"300"`
	Act     string    `query:"act" maxLength:"100"`
	Outcome string    `query:"outcome" enum:"allowed,refused,done"`
	Project string    `query:"project" maxLength:"100"`
	Since   time.Time `query:"since"`
	Until   time.Time `query:"until"`
}

func (s *server) audit(ctx context.Context, who genesis.Principal, in *auditInput) (*genesis.AuditPage, error) {
	q := genesis.AuditQuery{Actor: genesis.PersonID(in.Actor), Subject: in.Subject, Act: in.Act, Outcome: genesis.Outcome(in.Outcome),
		Project: in.Project, Since: in.Since, Until: in.Until}
	// A cursor is of one query: a page that follows is not recorded again, so nothing
	// else may be asked with it.
	list, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	return turn(s, "audit "+string(list), &in.PageInput, func() (*genesis.AuditPage, error) {
		q.After, q.Limit = in.After, in.Limit
		return s.Service.Audit(ctx, who, q)
	}, func(p *genesis.AuditPage) *string {
		p.Entries = orEmpty(p.Entries)
		return &p.Next
	})
}

type auditVerifyInput struct {
	Since time.Time `query:"since" doc:"entries since then; default: all"`
}

func (s *server) auditVerify(ctx context.Context, who genesis.Principal, in *auditVerifyInput, p genesis.Progress) (*genesis.AuditVerification, error) {
	return s.Service.AuditVerify(ctx, who, in.Since, p)
}

type forgetInput struct {
	Body struct {
		Person string `json:"person" minLength:"1" maxLength:"200"`
		Reason string `json:"reason" minLength:"1" maxLength:"10000"`
	}
}

func (s *server) forget(ctx context.Context, who genesis.Principal, in *forgetInput) (*nothing, error) {
	return &nothing{}, s.Service.Forget(ctx, who, genesis.PersonID(in.Body.Person), in.Body.Reason)
}

func (s *server) purge(ctx context.Context, who genesis.Principal, in *refBodyInput[reason], p genesis.Progress) (*genesis.Purge, error) {
	return s.Service.Purge(ctx, who, in.Ref, in.Body.Reason, p)
}

type gcInput struct {
	DryRun bool `query:"dry_run" doc:"say what would be removed"`
}

func (s *server) gc(ctx context.Context, who genesis.Principal, in *gcInput, p genesis.Progress) (*genesis.Sweep, error) {
	return s.Service.Sweep(ctx, who, in.DryRun, p)
}
