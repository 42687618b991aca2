package access

import (
	"embed"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
	"github.com/opengenesis/genesis"
)

//go:embed policy
var embedded embed.FS

// builtIn are the policies shipped with the node, in the order in which the first
// that refuses, or the first that permits, is named.
var builtIn = []string{"limits.cedar", "tiers.cedar", "people.cedar", "node.cedar"}

// Bounds of an institution's own policies.
const (
	maxPolicyFile  = 64 << 10
	maxPolicyFiles = 64
	maxPolicies    = 500
)

// rule is one policy.
type rule struct {
	id    string // "registered", or "ours.cedar#no-students" of an institution
	says  string // why it decides as it does, for people
	cedar *cedar.Policy
}

// rules are policies in the order in which they are named.
type rules []*rule

// All lists the policies with their place in rules as id.
func (r rules) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, one := range r {
			if !yield(cedar.PolicyID(one.id), one.cedar) {
				return
			}
		}
	}
}

// policies are all policies of a node, sorted by what they may apply to, because
// evaluating takes time for each.
type policies struct {
	byAction map[genesis.Action]rules
	byID     map[cedar.PolicyID]*rule
	own      bool           // some are the institution's
	digest   genesis.Digest // of all of them

	// builtIn are those of every node alone, by which it is judged what everybody may do
	// with a copy. abroad are these and what the institution forbids besides: of what is of
	// another node this one permits nothing.
	builtIn, abroad *policies
}

// loadPolicies reads the policies of the node and those of the institution in
// dir, which may be empty. They are taken or refused whole. Errors: Invalid, with
// the file and the line; Unavailable.
func loadPolicies(dir string) (*policies, error) {
	v, err := validator()
	if err != nil {
		return nil, err
	}
	var all rules
	for _, name := range builtIn {
		text, err := embedded.ReadFile("policy/" + name)
		if err != nil {
			return nil, &genesis.Error{Op: "load policy", Kind: genesis.Internal, Subject: name, Err: err}
		}
		more, err := parsePolicies(v, name, text)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	own, err := loadDir(v, dir)
	if err != nil {
		return nil, err
	}
	p, err := arrange(slices.Concat(all, own))
	if err != nil {
		return nil, err
	}
	if p.builtIn, err = arrange(all); err != nil {
		return nil, err
	}
	if p.abroad, err = arrange(slices.Concat(all, slices.DeleteFunc(slices.Clone(own), (*rule).permits))); err != nil {
		return nil, err
	}
	p.own = len(own) > 0
	p.digest = digestOf(append(all, own...))
	return p, nil
}

// digestOf tells one set of policies from another.
func digestOf(all rules) genesis.Digest {
	var b []byte
	for _, r := range all {
		b = part(b, r.id, string(r.cedar.MarshalCedar()))
	}
	return genesis.DigestOf(b)
}

// loadDir reads an institution's own policies.
func loadDir(v *validate.Validator, dir string) (rules, error) {
	if dir == "" {
		return nil, nil
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.cedar"))
	if err == nil {
		_, err = os.Stat(dir)
	}
	if err != nil {
		return nil, &genesis.Error{Op: "load policy", Kind: genesis.Unavailable, Subject: dir, Msg: "cannot be read", Err: err}
	}
	if len(files) > maxPolicyFiles {
		return nil, policyError(dir, 0, fmt.Sprintf("holds more than %d policy files", maxPolicyFiles))
	}
	var own rules
	for _, file := range files {
		more, err := loadFile(v, file)
		if err != nil {
			return nil, err
		}
		if own = append(own, more...); len(own) > maxPolicies {
			return nil, policyError(dir, 0, fmt.Sprintf("holds more than %d policies", maxPolicies))
		}
	}
	return own, nil
}

func loadFile(v *validate.Validator, file string) (rules, error) {
	info, err := os.Stat(file)
	if err == nil && info.Size() > maxPolicyFile {
		return nil, policyError(file, 0, fmt.Sprintf("is longer than %d bytes", maxPolicyFile))
	}
	text, err := fs.ReadFile(os.DirFS(filepath.Dir(file)), filepath.Base(file))
	if err != nil {
		return nil, &genesis.Error{Op: "load policy", Kind: genesis.Unavailable, Subject: file, Msg: "cannot be read", Err: err}
	}
	own, err := parsePolicies(v, file, text)
	for _, r := range own {
		r.id = path.Base(filepath.ToSlash(file)) + "#" + r.id
	}
	return own, err
}

// validator knows what policies may speak of.
func validator() (*validate.Validator, error) {
	const name = "policy/schema.cedarschema"
	text, err := embedded.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var s schema.Schema
	if err := s.UnmarshalCedar(text); err != nil {
		return nil, &genesis.Error{Op: "load policy", Kind: genesis.Internal, Subject: name, Err: err}
	}
	resolved, err := s.Resolve()
	if err != nil {
		return nil, &genesis.Error{Op: "load policy", Kind: genesis.Internal, Subject: name, Err: err}
	}
	return validate.New(resolved), nil
}

// parsePolicies reads one file of policies and holds each against the schema.
func parsePolicies(v *validate.Validator, file string, text []byte) (rules, error) {
	if depth(text) > maxDepth {
		return nil, policyError(file, 0, fmt.Sprintf("nests deeper than %d", maxDepth))
	}
	list, err := cedar.NewPolicyListFromBytes(file, text)
	if err != nil {
		return nil, parseError(file, err)
	}
	var all rules
	for _, p := range list {
		r := &rule{cedar: p, id: fmt.Sprint(p.Position().Line), says: "a policy of this institution decides so"}
		if id := string(p.Annotations()["id"]); id != "" {
			r.id = id
		}
		if says := string(p.Annotations()["says"]); says != "" {
			r.says = says
		}
		if err := v.Policy("", (*ast.Policy)(p.AST())); err != nil {
			return nil, policyError(file, p.Position().Line, firstLine(err))
		}
		if slices.ContainsFunc(all, func(o *rule) bool { return o.id == r.id }) {
			return nil, policyError(file, p.Position().Line, fmt.Sprintf("a policy before it has the same id %q", r.id))
		}
		all = append(all, r)
	}
	return all, nil
}

// maxDepth is how deep brackets may nest: the parser recurses.
const maxDepth = 100

// depth returns how many brackets are open at once.
func depth(text []byte) (most int) {
	open := 0
	for _, c := range text {
		switch c {
		case '(', '[', '{':
			open++
		case ')', ']', '}':
			open--
		}
		most = max(most, open)
	}
	return most
}

var position = regexp.MustCompile(`(\d+):(\d+)`)

// parseError finds the line in what the parser says.
func parseError(file string, err error) error {
	msg := firstLine(err)
	var line int
	if m := position.FindStringSubmatch(msg); m != nil {
		fmt.Sscan(m[1], &line)
	}
	return policyError(file, line, msg)
}

func policyError(file string, line int, msg string) error {
	if line > 0 {
		msg = fmt.Sprintf("line %d: %s", line, msg)
	}
	return &genesis.Error{Op: "load policy", Kind: genesis.Invalid, Subject: file, Msg: msg,
		Hint: "policies are written in Cedar; docs/policy.md lists what they may speak of. None of the files is in force until all are right"}
}

func firstLine(err error) string {
	s, _, _ := strings.Cut(err.Error(), "\n")
	return s
}

// arrange sorts policies by the actions they apply to.
func arrange(all rules) (*policies, error) {
	p := &policies{byAction: map[genesis.Action]rules{}, byID: map[cedar.PolicyID]*rule{}}
	for _, r := range all {
		id := cedar.PolicyID(r.id)
		if p.byID[id] != nil {
			return nil, policyError(r.cedar.Position().Filename, r.cedar.Position().Line, "its id is taken")
		}
		p.byID[id] = r
		for _, a := range genesis.Actions {
			if appliesTo(r, a) {
				p.byAction[a] = append(p.byAction[a], r)
			}
		}
	}
	return p, nil
}

// permits reports whether a policy permits rather than forbids.
func (r *rule) permits() bool { return r.cedar.Effect() == cedar.Permit }

// ownForbids reports whether the institution forbids an action to some people.
func (p *policies) ownForbids(a genesis.Action) bool {
	return p.abroad != nil && p.builtIn != nil && len(p.abroad.byAction[a]) > len(p.builtIn.byAction[a])
}

// appliesTo reports whether the scope of a policy covers an action.
func appliesTo(r *rule, a genesis.Action) bool {
	switch scope := (*ast.Policy)(r.cedar.AST()).Action.(type) {
	case ast.ScopeTypeEq:
		return scope.Entity == actionUID(a)
	case ast.ScopeTypeIn:
		return scope.Entity == actionUID(a)
	case ast.ScopeTypeInSet:
		return slices.Contains(scope.Entities, actionUID(a))
	}
	return true // it is about all; Cedar looks again
}

func actionUID(a genesis.Action) cedar.EntityUID {
	return cedar.NewEntityUID("Action", cedar.String(a))
}
