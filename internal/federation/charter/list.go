package charter

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
)

const (
	listName   = "members.json"
	listFormat = 1
	maxLine    = 200
)

var idPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// list is members.json.
type list struct {
	Format     int              `json:"format"`
	Federation string           `json:"federation"`
	Members    []genesis.Member `json:"members"` // by id
}

// encode returns the one text of a list.
func (l list) encode() ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	text, err := genesis.CanonicalJSON(l)
	if err == nil && len(text) > maxList {
		err = fault(verifying, TooLarge, listName, fmt.Sprintf("it would have %d bytes, more than %d", len(text), maxList), "")
	}
	return text, err
}

func decodeList(text []byte) (list, error) {
	var l list
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return l, malformed(listName, "it is not a list of members")
	}
	again, err := l.encode()
	if err != nil {
		return l, err
	}
	if !bytes.Equal(again, text) {
		return l, malformed(listName, "it is not in the form in which lists are written")
	}
	return l, nil
}

// check refuses a list that is none, whoever signed it: what it says is relied on
// everywhere.
func (l list) check() error {
	switch {
	case l.Format != listFormat:
		return malformed(listName, fmt.Sprintf("its format is %d, and this program knows %d", l.Format, listFormat))
	case !idPattern.MatchString(l.Federation):
		return malformed(listName, "the federation has no name of a-z, 0-9 and -")
	case len(l.Members) > MaxMembers:
		return fault(verifying, TooLarge, listName, fmt.Sprintf("it has %d members, more than %d", len(l.Members), MaxMembers), "")
	case !slices.IsSortedFunc(l.Members, byID):
		return malformed(listName, "the members are not by their ids")
	}
	seen := map[string]genesis.NodeID{}
	for i, m := range l.Members {
		if i > 0 && l.Members[i-1].ID == m.ID {
			return malformed(string(m.ID), "it is there twice")
		}
		if err := CheckMember(m); err != nil {
			return err
		}
		for _, mark := range marks(m) {
			if other, taken := seen[mark]; taken {
				return malformed(string(m.ID), "its URL or one of its keys is that of "+string(other))
			}
			seen[mark] = m.ID
		}
	}
	return nil
}

func byID(a, b genesis.Member) int { return cmp.Compare(a.ID, b.ID) }

// marks are what two members may not share. A key is one's own, whatever its use.
func marks(m genesis.Member) []string {
	all := []string{m.URL}
	for _, k := range m.Keys {
		all = append(all, string(k.Public))
	}
	return all
}

// CheckMember reports why m can be no member, or nil.
func CheckMember(m genesis.Member) error {
	bad := func(msg string) error { return malformed(string(m.ID), msg) }
	if err := CheckNamed(m); err != nil {
		return err
	}
	if len(m.Keys) > maxKeys {
		return bad(fmt.Sprintf("it has %d keys, more than %d", len(m.Keys), maxKeys))
	}
	if err := CheckURL(m.URL); err != nil {
		return bad(err.Error())
	}
	return checkKeys(m, bad)
}

// CheckNamed reports why a member cannot be called so, or nil.
func CheckNamed(m genesis.Member) error {
	bad := func(msg string) error { return malformed(string(m.ID), msg) }
	switch {
	case !idPattern.MatchString(string(m.ID)) || m.ID == "local":
		return bad("its id is not 1 to 64 of a-z, 0-9 and -, or is that of a node without a name")
	case slices.Contains(genesis.Sectors, genesis.Sector(m.ID)):
		return bad("its id is the name of a sector")
	case !isLine(m.Institution):
		return bad("its institution is not a line of at most 200 bytes")
	case !slices.Contains(genesis.Sectors, m.Sector):
		return bad("its sector is none")
	}
	return nil
}

func checkKeys(m genesis.Member, bad func(string) error) error {
	for i, k := range m.Keys {
		switch {
		case !slices.Contains(genesis.KeyUses, k.Use):
			return bad(fmt.Sprintf("key %d has no use that is known", i))
		case len(k.Public) != ed25519.PublicKeySize || k.ID != genesis.KeyID(k.Public):
			return bad(fmt.Sprintf("key %d is not an Ed25519 key under its id", i))
		case k.From.IsZero() || !plainTime(k.From.Year()) || !k.Until.IsZero() && (!plainTime(k.Until.Year()) || k.Until.Before(k.From)):
			return bad(fmt.Sprintf("key %d has no dates that hold", i))
		case slices.ContainsFunc(m.Keys[:i], func(o genesis.NodeKey) bool { return bytes.Equal(o.Public, k.Public) }):
			return bad(fmt.Sprintf("key %d is there twice", i))
		}
	}
	for _, use := range genesis.KeyUses {
		if !slices.ContainsFunc(m.Keys, func(k genesis.NodeKey) bool { return k.Use == use && k.Until.IsZero() }) {
			return bad("it has no key for the use " + string(use) + " that lasts")
		}
	}
	return nil
}

func plainTime(year int) bool { return year >= 1970 && year <= 9999 }

func isLine(s string) bool {
	return s != "" && len(s) <= maxLine && utf8.ValidString(s) && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// CheckURL reports why a node cannot be reached at u, or nil: others reach it over
// TLS, this machine alone without.
func CheckURL(u string) error {
	at, err := url.Parse(u)
	switch {
	case err != nil || at.Hostname() == "" || at.User != nil || at.Path != "" || at.RawQuery != "" || at.Fragment != "" || len(u) > maxLine || at.String() != u:
		return fmt.Errorf("%q is not a URL like https://data.example.edu", clip(u))
	case at.Scheme == "https" || at.Scheme == "http" && Loopback(u):
		return nil
	}
	return fmt.Errorf("%q is neither https, nor on this machine", clip(u))
}

// Loopback reports whether a URL leads to the machine itself, as far as its words say: a
// name may lead anywhere.
func Loopback(u string) bool {
	at, err := url.Parse(u)
	if err != nil {
		return false
	}
	host := strings.ToLower(strings.TrimSuffix(at.Hostname(), "."))
	ip, _ := netip.ParseAddr(host) // with a zone, too; what is no address is none of these
	ip = ip.WithZone("").Unmap()
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip.IsLoopback() || ip.IsUnspecified()
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
