package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/opengenesis/genesis"
)

// Federator makes the node a member among others. What other nodes ask proves by
// itself who asks: a secret, a message, a signature.
type Federator interface {
	Descriptor(ctx context.Context) (string, error)
	FederationInfo(ctx context.Context, who genesis.Principal) (*genesis.FederationInfo, error)
	CharterBundle(ctx context.Context) (*genesis.CharterBundle, error)
	RefreshFederation(ctx context.Context, who genesis.Principal) (*genesis.FederationInfo, error)

	CreateFederation(ctx context.Context, who genesis.Principal, req genesis.FederationRequest) (*genesis.FederationInfo, error)
	JoinFederation(ctx context.Context, who genesis.Principal, req genesis.MembershipRequest) (*genesis.FederationInfo, error)
	LeaveFederation(ctx context.Context, who genesis.Principal) (*genesis.CharterChange, error)
	RotateKeys(ctx context.Context, who genesis.Principal, req genesis.RotateRequest) (*genesis.CharterChange, error)

	Invite(ctx context.Context, who genesis.Principal, req genesis.InviteRequest) (*genesis.NewInvitation, error)
	RemoveMember(ctx context.Context, who genesis.Principal, id genesis.NodeID) (*genesis.CharterChange, error)
	SetHolders(ctx context.Context, who genesis.Principal, req genesis.HoldersRequest) (*genesis.CharterChange, error)
	Drafts(ctx context.Context, who genesis.Principal, proof string) (*genesis.DraftList, error)
	SignDraft(ctx context.Context, who genesis.Principal, id string) (*genesis.CharterChange, error)
	DropDraft(ctx context.Context, who genesis.Principal, id string) error

	Join(ctx context.Context, req genesis.JoinRequest) (*genesis.CharterChange, error)
	Hear(ctx context.Context, req genesis.MessageRequest) (*genesis.CharterChange, error)
	AddSignatures(ctx context.Context, id string, parts genesis.DraftParts) (*genesis.CharterChange, error)

	TakeMessage(ctx context.Context, message []byte) (receipt []byte, err error)
}

// registerFederation declares the routes of [Federator].
func (s *server) registerFederation(a huma.API) {
	get, post, put, del := http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete

	quick(s, a, op(get, "/v1/federation", "federation", "In which federation the node is"), ofCaller(s.Service.FederationInfo))
	quick(s, a, op(get, "/v1/federation/charter", "charter", "The charter, as the bytes that were signed"), ofAnybody(s.Service.CharterBundle))
	quick(s, a, creates(op(post, "/v1/federation", "create-federation", "Make a federation of this node")), ofBody(s.Service.CreateFederation))
	quick(s, a, op(post, "/v1/federation/refresh", "refresh-federation", "Ask members for a newer charter"), ofCaller(s.Service.RefreshFederation))
	quick(s, a, op(put, "/v1/federation/membership", "join-federation", "Join with an invitation"), ofBody(s.Service.JoinFederation))
	quick(s, a, op(del, "/v1/federation/membership", "leave-federation", "Leave the federation"), ofCaller(s.Service.LeaveFederation))
	quick(s, a, op(post, "/v1/federation/keys", "rotate-keys", "Replace keys of this node"), ofBody(s.Service.RotateKeys))

	quick(s, a, tellsSecret(creates(op(post, "/v1/federation/invitations", "invite", "Invite an institution"))), ofBody(s.Service.Invite))
	quick(s, a, op(del, "/v1/federation/members/{id}", "remove-member", "Take a member out of the charter"), s.removeMember)
	quick(s, a, op(put, "/v1/federation/holders", "set-holders", "Say who holds the charter, and renew it"), ofBody(s.Service.SetHolders))
	quick(s, a, op(get, "/v1/federation/drafts", "drafts", "Changes of the charter that wait for signatures"), s.drafts)
	quick(s, a, op(post, "/v1/federation/drafts/{id}/sign", "sign-draft", "Sign a change of the charter"), ofID(s.Service.SignDraft))
	quick(s, a, op(del, "/v1/federation/drafts/{id}", "drop-draft", "Give a change of the charter up, or take one's signature back"), s.dropDraft)

	quick(s, a, small(op(post, "/v1/federation/join", "take-in", "For the node that was invited: join")), fromNode(s.Service.Join))
	quick(s, a, small(op(post, "/v1/federation/requests", "hear", "For members' nodes: ask to leave, or to have keys replaced")), fromNode(s.Service.Hear))
	quick(s, a, small(op(post, "/v1/federation/drafts/{id}/signatures", "add-signatures", "For holders' nodes: a holder's signatures of a draft")), s.addSignatures)

	messages := op(post, "/v1/messages", "take-message", "For members' nodes: take a message that has to arrive")
	messages.MaxBodyBytes = genesis.MaxPeerMessage + 1
	short(s, a, messages, s.takeMessage)
}

// maxMessage bounds what another node sends: a draft without its list, and more.
const maxMessage = 512 << 10

// small says that an operation takes little, from whoever comes.
func small(o huma.Operation) huma.Operation {
	o.MaxBodyBytes = maxMessage
	return o
}

// ofAnybody is the same for everybody.
func ofAnybody[T any](do func(context.Context) (*T, error)) handler[struct{}, T] {
	return func(ctx context.Context, _ genesis.Principal, _ *struct{}) (*T, error) { return do(ctx) }
}

// fromNode is a request that says by its body which node asks.
func fromNode[B, T any](do func(context.Context, B) (*T, error)) handler[bodyInput[B], T] {
	return func(ctx context.Context, _ genesis.Principal, in *bodyInput[B]) (*T, error) { return do(ctx, in.Body) }
}

func (s *server) removeMember(ctx context.Context, who genesis.Principal, in *IDInput) (*genesis.CharterChange, error) {
	return s.Service.RemoveMember(ctx, who, genesis.NodeID(in.ID))
}

type draftsInput struct {
	Proof string `header:"Genesis-Node" maxLength:"4000" doc:"for holders' nodes: a message that says who asks"`
}

func (s *server) drafts(ctx context.Context, who genesis.Principal, in *draftsInput) (*genesis.DraftList, error) {
	list, err := s.Service.Drafts(ctx, who, in.Proof)
	if list != nil {
		list.Drafts = orEmpty(list.Drafts)
	}
	return list, err
}

func (s *server) dropDraft(ctx context.Context, who genesis.Principal, in *IDInput) (*nothing, error) {
	return &nothing{}, s.Service.DropDraft(ctx, who, in.ID)
}

func (s *server) addSignatures(ctx context.Context, _ genesis.Principal, in *idBodyInput[genesis.DraftParts]) (*genesis.CharterChange, error) {
	return s.Service.AddSignatures(ctx, in.ID, in.Body)
}

// descriptor answers what the node says of itself, signed.
func (s *server) descriptor(w http.ResponseWriter, r *http.Request) {
	text, err := s.Service.Descriptor(r.Context())
	if err != nil {
		told := s.fail(r.Context(), "descriptor", genesis.Principal{}, err)
		http.Error(w, told.Error(), told.GetStatus())
		return
	}
	w.Header().Set("Content-Type", "application/jose")
	_, _ = w.Write([]byte(text)) // who does not listen has no need of it
}

// messageInput is a message between nodes as it is signed.
type messageInput struct {
	RawBody []byte `contentType:"application/jose"`
}

// takeMessage answers with the receipt, signed: who sent the message can show it.
func (s *server) takeMessage(ctx context.Context, _ genesis.Principal, in *messageInput) (*file, error) {
	receipt, err := s.Service.TakeMessage(ctx, in.RawBody)
	return &file{Type: genesis.PeerMessageType, Cache: "no-store", Body: receipt}, err
}
