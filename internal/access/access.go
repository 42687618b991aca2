// Package access answers one question: may P do A to R, now? It is the one
// door. Bytes, previews, search hits and counts, training, predictions and
// exports all ask [Decider.Decide], and nothing decides beside it.
//
// A caller asks, records the decision in the journal, and acts only then:
// evidence before bytes. Recording is the caller's part because it happens in
// the transaction of the act; this package remembers nothing.
//
// A decision has two sides: whether the act is allowed, and whether the asker
// may know that the thing exists. To somebody who may not, a refusal is an error
// of kind Private, which is shown exactly as if there were no such thing.
//
// For now a node serves its home's owner alone. The peer on the home's socket
// whose user owns the home is the principal [Local], steward and operator, and
// may do everything; everybody else discovers nothing.
package access

import (
	"context"

	"github.com/opengenesis/genesis"
)

// LocalSubject is the subject of the home's owner.
const LocalSubject = "local"

// Local is the home's owner on the home's own socket.
func Local() genesis.Principal {
	return genesis.Principal{Subject: LocalSubject, Duties: genesis.Duties}
}

// Resource is what is acted upon. An empty Name is the node itself: its list of
// assets, its computer.
type Resource struct {
	Name    genesis.Name
	Kind    genesis.Kind   // when known
	Version genesis.Digest // when it is one version
}

// Decision is the answer, with its reason.
type Decision struct {
	Principal    genesis.Principal
	Action       genesis.Action
	Resource     Resource
	Allowed      bool
	Discoverable bool   // the asker may know that the resource exists
	Rule         string // which rule decided: "owner", "default"
	Reason       string // in words, safe for whoever may discover the resource
}

// Decider decides. The zero value is ready to use.
type Decider struct {
	Node genesis.NodeID // this node; may be empty before it has joined a federation
}

// Decide answers whether p may do a to r. Nil means yes; a refusal is an error,
// so that who forgets the decision refuses, too, and the decision to record
// comes with it. Errors: Private (refused to somebody who may not know of r),
// Permission (refused), Invalid (an action that does not exist), Canceled.
func (d *Decider) Decide(ctx context.Context, p genesis.Principal, a genesis.Action, r Resource) (Decision, error) {
	decision := Decision{Principal: p, Action: a, Resource: r, Rule: "default",
		Reason: "nothing is open to anybody but the owner of the home"}
	if err := ctx.Err(); err != nil {
		return decision, &genesis.Error{Op: "decide", Kind: genesis.Canceled, Subject: string(r.Name), Msg: "stopped", Err: err}
	}
	if !known(a) {
		return decision, &genesis.Error{Op: "decide", Kind: genesis.Invalid, Subject: string(a), Msg: "is not an action"}
	}
	if d.owns(p) {
		decision.Allowed, decision.Discoverable = true, true
		decision.Rule, decision.Reason = "owner", "the owner of the home is its steward and operator"
	}
	return decision, decision.refusal()
}

// owns reports whether p is the owner of this node's home. A principal of the
// same name that comes from another node is somebody else.
func (d *Decider) owns(p genesis.Principal) bool {
	return p.Subject == LocalSubject && p.Has(genesis.DutySteward) && (p.Node == "" || p.Node == d.Node)
}

func known(a genesis.Action) bool {
	switch a {
	case genesis.Discover, genesis.Read, genesis.TrainOn, genesis.Infer, genesis.Evaluate,
		genesis.Request, genesis.Steward, genesis.Operate:
		return true
	}
	return false
}

// refusal returns nil when the act is allowed.
func (d Decision) refusal() error {
	if d.Allowed {
		return nil
	}
	e := &genesis.Error{Op: string(d.Action), Kind: genesis.Permission, Subject: string(d.Resource.Name), Msg: d.Reason}
	if !d.Discoverable {
		e.Kind, e.Msg = genesis.Private, "there is no such thing here"
	}
	return e
}
