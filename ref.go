package genesis

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// NodeID names one institution's node within a federation: "nrel".
type NodeID string

// Name names an asset within a node: "turbines", or for what people who are not
// stewards make "~subject/name", of people of other nodes "~subject+node/name".
type Name string

var (
	namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	subjPattern = regexp.MustCompile(`^~[a-z0-9][a-z0-9._-]{0,63}(\+[a-z0-9][a-z0-9-]{0,63})?$`)
)

// CheckName reports why n cannot name an asset, or nil.
func CheckName(n Name) error {
	s := string(n)
	if subj, rest, ok := strings.Cut(s, "/"); ok {
		if !subjPattern.MatchString(subj) {
			return badName(s)
		}
		s = rest
	}
	if !namePattern.MatchString(s) {
		return badName(string(n))
	}
	return nil
}

func badName(s string) error {
	return &Error{Op: "read name", Kind: Invalid, Subject: s,
		Msg:  "is not a name",
		Hint: "a name is 1 to 64 of a-z, 0-9 and -, starting with a letter or digit: wind-turbines-2018"}
}

// Owner returns whose own a name is at a node: "~ada/x" ada's of that node,
// "~ada+mit/x" mit/ada's; "": nobody's. A person has one such name at a node: at home
// the one without it.
func (n Name) Owner(at NodeID) PersonID {
	own, _, ok := strings.Cut(string(n), "/")
	own, is := strings.CutPrefix(own, "~")
	if !ok || !is {
		return ""
	}
	subject, node, abroad := strings.Cut(own, "+")
	switch {
	case !abroad:
		return PersonOf(at, subject)
	case NodeID(node) == at:
		return ""
	}
	return PersonOf(NodeID(node), subject)
}

// OwnName is how something of a person's own is called at a node. It is the inverse of
// [Name.Owner].
func OwnName(of PersonID, at NodeID, name string) Name {
	node, subject := of.Split(at)
	if node != at && node != "" {
		subject += "+" + string(node)
	}
	return Name("~" + subject + "/" + name)
}

// Arg is the name as a word on a shell's command line: quoted where the shell would
// take ~ada for a home folder.
func (n Name) Arg() string { return Ref{Name: n}.Arg() }

// Ref points at a version of an asset: [node/]name[@version], where version is
// a number or a digest. Without a version it means the latest published one,
// else the caller's own draft.
type Ref struct {
	Node   NodeID // empty: this node
	Name   Name
	Number int    // 0: not given
	Digest Digest // empty: not given
}

// ParseRef reads the text form of a Ref.
func ParseRef(s string) (Ref, error) {
	var r Ref
	fail := func(msg string) (Ref, error) {
		return Ref{}, &Error{Op: "read reference", Kind: Invalid, Subject: s, Msg: msg,
			Hint: "write [node/]name[@version], for example turbines, turbines@3 or nrel/turbines"}
	}
	path, version, hasVersion := strings.Cut(s, "@")
	if node, rest, ok := strings.Cut(path, "/"); ok && !strings.HasPrefix(path, "~") {
		if !namePattern.MatchString(node) {
			return fail("has a malformed node id")
		}
		r.Node, path = NodeID(node), rest
	}
	r.Name = Name(path)
	if err := CheckName(r.Name); err != nil {
		return fail("has a malformed name")
	}
	if !hasVersion {
		return r, nil
	}
	if strings.HasPrefix(version, digestPrefix) {
		d, err := ParseDigest(version)
		if err != nil {
			return Ref{}, &Error{Op: "read reference", Kind: Invalid, Subject: s, Msg: "has a version digest that is not whole",
				Hint: "a digest has 64 hexadecimal digits, of which the first 12 are shown in lists: `genesis show " + string(r.Name) + "` has them whole"}
		}
		r.Digest = d
		return r, nil
	}
	n, err := strconv.Atoi(version)
	if err != nil || n < 1 || strconv.Itoa(n) != version {
		return fail("has a version that is neither a number from 1 nor a digest")
	}
	r.Number = n
	return r, nil
}

// Arg is the reference as a word on a shell's command line; see [Name.Arg].
func (r Ref) Arg() string {
	if s := r.String(); strings.HasPrefix(s, "~") {
		return "'" + s + "'"
	}
	return r.String()
}

// String returns the text form; ParseRef(r.String()) gives r again.
func (r Ref) String() string {
	var b strings.Builder
	if r.Node != "" {
		b.WriteString(string(r.Node) + "/")
	}
	b.WriteString(string(r.Name))
	switch {
	case r.Digest != "":
		b.WriteString("@" + string(r.Digest))
	case r.Number > 0:
		fmt.Fprintf(&b, "@%d", r.Number)
	}
	return b.String()
}

// MarshalText makes a Ref a string in JSON.
func (r Ref) MarshalText() ([]byte, error) {
	if r == (Ref{}) {
		return nil, nil
	}
	return []byte(r.String()), nil
}

// UnmarshalText reads what MarshalText wrote; empty text is the zero Ref.
func (r *Ref) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*r = Ref{}
		return nil
	}
	ref, err := ParseRef(string(b))
	if err != nil {
		return err
	}
	*r = ref
	return nil
}
