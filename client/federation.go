package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/opengenesis/genesis"
)

// Federation says in which federation the node is.
func (c *Client) Federation(ctx context.Context) (*genesis.FederationInfo, error) {
	return get[genesis.FederationInfo](ctx, c, "/v1/federation", nil)
}

// Charter returns the charter as the bytes that were signed.
func (c *Client) Charter(ctx context.Context) (*genesis.CharterBundle, error) {
	return get[genesis.CharterBundle](ctx, c, "/v1/federation/charter", nil)
}

// RefreshFederation makes the node ask other members for a newer charter.
func (c *Client) RefreshFederation(ctx context.Context) (*genesis.FederationInfo, error) {
	return quick[genesis.FederationInfo](ctx, c, http.MethodPost, "/v1/federation/refresh", nil, nil)
}

// CreateFederation makes a federation of the node.
func (c *Client) CreateFederation(ctx context.Context, req genesis.FederationRequest) (*genesis.FederationInfo, error) {
	return quick[genesis.FederationInfo](ctx, c, http.MethodPost, "/v1/federation", nil, req)
}

// JoinFederation makes the node a member.
func (c *Client) JoinFederation(ctx context.Context, req genesis.MembershipRequest) (*genesis.FederationInfo, error) {
	return quick[genesis.FederationInfo](ctx, c, http.MethodPut, "/v1/federation/membership", nil, req)
}

// LeaveFederation takes the node out.
func (c *Client) LeaveFederation(ctx context.Context) (*genesis.CharterChange, error) {
	return quick[genesis.CharterChange](ctx, c, http.MethodDelete, "/v1/federation/membership", nil, nil)
}

// RotateKeys replaces keys of the node.
func (c *Client) RotateKeys(ctx context.Context, req genesis.RotateRequest) (*genesis.CharterChange, error) {
	return quick[genesis.CharterChange](ctx, c, http.MethodPost, "/v1/federation/keys", nil, req)
}

// Invite invites an institution.
func (c *Client) Invite(ctx context.Context, req genesis.InviteRequest) (*genesis.NewInvitation, error) {
	return quick[genesis.NewInvitation](ctx, c, http.MethodPost, "/v1/federation/invitations", nil, req)
}

// RemoveMember takes a member out of the charter.
func (c *Client) RemoveMember(ctx context.Context, id genesis.NodeID) (*genesis.CharterChange, error) {
	return quick[genesis.CharterChange](ctx, c, http.MethodDelete, "/v1/federation/members/"+url.PathEscape(string(id)), nil, nil)
}

// SetHolders says who holds the charter, and renews it.
func (c *Client) SetHolders(ctx context.Context, req genesis.HoldersRequest) (*genesis.CharterChange, error) {
	return quick[genesis.CharterChange](ctx, c, http.MethodPut, "/v1/federation/holders", nil, req)
}

// Drafts lists changes of the charter that wait for signatures.
func (c *Client) Drafts(ctx context.Context) (*genesis.DraftList, error) {
	return get[genesis.DraftList](ctx, c, "/v1/federation/drafts", nil)
}

// SignDraft signs a change of the charter.
func (c *Client) SignDraft(ctx context.Context, id string) (*genesis.CharterChange, error) {
	return quick[genesis.CharterChange](ctx, c, http.MethodPost, "/v1/federation/drafts/"+url.PathEscape(id)+"/sign", nil, nil)
}

// DropDraft gives a change of the charter up, or takes the node's signature back.
func (c *Client) DropDraft(ctx context.Context, id string) error {
	_, err := quick[struct{}](ctx, c, http.MethodDelete, "/v1/federation/drafts/"+url.PathEscape(id), nil, nil)
	return err
}
