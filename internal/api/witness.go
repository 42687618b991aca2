package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/opengenesis/genesis"
)

// Witness shows peers what they may know of the audit log, and officers what peers know.
type Witness interface {
	AuditState(ctx context.Context, who genesis.Principal, epoch int, size int64) (*genesis.AuditState, error)
	AuditKept(ctx context.Context, who genesis.Principal) (*genesis.KeptList, error)
	SharedActs(ctx context.Context, who genesis.Principal, q genesis.SharedQuery) (*genesis.SharedPage, error)
	AuditCheckpoints(ctx context.Context, who genesis.Principal) (*genesis.WitnessedList, error)
	AuditPeers(ctx context.Context, who genesis.Principal, p genesis.Progress) (*genesis.PeerWitnesses, error)
	Reconcile(ctx context.Context, who genesis.Principal, req genesis.ReconcileRequest, p genesis.Progress) (*genesis.Reconciliation, error)
}

// registerWitness declares the routes of [Witness].
func (s *server) registerWitness(a huma.API) {
	get, post := http.MethodGet, http.MethodPost
	quick(s, a, op(get, "/v1/audit/state", "audit-state", "For members' nodes: the checkpoint of the audit log, and that the log grew"), s.auditState)
	quick(s, a, op(get, "/v1/audit/kept", "audit-kept", "For members' nodes: which checkpoints of their audit log are kept here"), ofCaller(s.Service.AuditKept))
	quick(s, a, weighs(4, op(get, "/v1/audit/shared", "audit-shared", "For members' nodes: acts of this log in which they took part")), s.sharedActs)
	quick(s, a, op(get, "/v1/audit/checkpoints", "audit-checkpoints", "Whose checkpoints this node keeps"), ofCaller(s.Service.AuditCheckpoints))
	long(s, a, op(post, "/v1/audit/peers", "audit-peers", "Hold the audit log against the checkpoints that members keep of it"), s.auditPeers)
	long(s, a, weighs(4, op(post, "/v1/audit/reconcile", "reconcile", "Compare acts of two nodes as both have them")), s.reconcile)
}

type auditStateInput struct {
	Epoch int   `query:"epoch" minimum:"0" maximum:"1000000" doc:"of the state that the asker has; 0: none"`
	Size  int64 `query:"size" minimum:"0" doc:"entries in that epoch then"`
}

func (s *server) auditState(ctx context.Context, who genesis.Principal, in *auditStateInput) (*genesis.AuditState, error) {
	return s.Service.AuditState(ctx, who, in.Epoch, in.Size)
}

type sharedInput struct {
	Kind  string    `query:"kind" enum:"token,message,pull" required:"true"`
	From  time.Time `query:"from" required:"true"`
	Until time.Time `query:"until" required:"true"`
	After int64     `query:"after" minimum:"-1" default:"-1" doc:"the next of the page before"`
}

func (s *server) sharedActs(ctx context.Context, who genesis.Principal, in *sharedInput) (*genesis.SharedPage, error) {
	return s.Service.SharedActs(ctx, who, genesis.SharedQuery{Kind: genesis.SharedKind(in.Kind), From: in.From, Until: in.Until, After: in.After})
}

func (s *server) auditPeers(ctx context.Context, who genesis.Principal, _ *struct{}, p genesis.Progress) (*genesis.PeerWitnesses, error) {
	return s.Service.AuditPeers(ctx, who, p)
}

func (s *server) reconcile(ctx context.Context, who genesis.Principal, in *bodyInput[genesis.ReconcileRequest], p genesis.Progress) (*genesis.Reconciliation, error) {
	return s.Service.Reconcile(ctx, who, in.Body, p)
}
