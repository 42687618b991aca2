package main

import (
	"os"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
)

// isNode reports whether --at names a node of the federation, not a URL.
func isNode(at string) bool {
	return at != "" && !strings.Contains(at, ":") && genesis.CheckNode(genesis.NodeID(at)) == nil
}

// signedIn is where a command acts and as whom, where its flags do not say.
type signedIn struct {
	node  string // URL, or id, of a node elsewhere; "": the home's
	token string // "": the one that `genesis login` kept
}

// fromEnvironment is what the environment says.
func fromEnvironment() signedIn {
	return signedIn{node: os.Getenv("GENESIS_NODE"), token: os.Getenv("GENESIS_TOKEN")}
}

// reachMember returns a client of another node of the federation, at which one's own
// vouches.
func (a *app) reachMember(id genesis.NodeID) (*client.Client, error) {
	home, err := a.reachURL(a.vouch)
	if err != nil {
		return nil, err
	}
	a.home = home
	return home.At(a.ctx, id)
}

// of returns a client of the node that a reference names, and how the version is called
// there. Without a node, or with the own one, that is the node the command uses.
func (a *app) of(ref string) (*client.Client, string, error) {
	c, err := a.connect()
	if err != nil {
		return nil, "", err
	}
	r, err := genesis.ParseRef(ref)
	if err != nil || r.Node == "" {
		return c, ref, nil // the node says what is wrong with it
	}
	node := r.Node
	r.Node = ""
	if string(node) == a.at {
		return c, r.String(), nil
	}
	if a.home != nil { // --at names a node already
		return nil, "", &genesis.Error{Op: "reach node", Kind: genesis.Invalid, Subject: ref, Msg: "is at another node than --at " + a.at, Hint: "leave out --at"}
	}
	c, err = c.At(a.ctx, node)
	return c, r.String(), err
}

// hintAt is how a hint names the node that the command used.
func (a *app) hintAt(ref string) string {
	if r, err := genesis.ParseRef(ref); err == nil && r.Node != "" {
		return "--at " + string(r.Node) + " "
	}
	if a.at != "" {
		return "--at " + clean(a.at) + " "
	}
	return ""
}
