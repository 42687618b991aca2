package journal

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
)

// Format is the format number of the entries this program writes.
const Format = 1

// entry is an event as it stands in the log: without what could name a person.
// docs/formats.md specifies its text.
type entry struct {
	Act         string          `json:"act"`
	Actor       string          `json:"actor"` // pseudonym; "": nobody
	Challenge   string          `json:"challenge"`
	Epoch       *declaration    `json:"epoch"`
	Format      int             `json:"format"`
	ID          string          `json:"id"`
	Institution string          `json:"institution"`
	Outcome     genesis.Outcome `json:"outcome"`
	Owner       string          `json:"owner"`   // pseudonym of the person that the subject is, or is of
	Private     string          `json:"private"` // salted digest of purpose and detail
	Project     string          `json:"project"`
	Rule        string          `json:"rule"`
	Sector      genesis.Sector  `json:"sector"`
	Student     bool            `json:"student"`
	Subject     string          `json:"subject"` // of an owner: what of theirs; "" is the person
	Time        string          `json:"time"`
	Version     genesis.Digest  `json:"version"`
}

// declaration is how the first entry of an epoch speaks of the log before.
type declaration struct {
	Origin string `json:"origin"`
	Root   string `json:"root"` // base64
	Size   int64  `json:"size"`
}

const timeLayout = "2006-01-02T15:04:05.000000Z"

func formatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// encode returns the one text of an entry: canonical JSON (RFC 8785), in which
// empty members are left out. It is written by hand because an entry is written
// for every read; a test holds it against [genesis.CanonicalJSON].
func (e *entry) encode() []byte {
	b := make([]byte, 0, 512)
	b = append(b, '{')
	b = member(b, "act", e.Act)
	b = member(b, "actor", e.Actor)
	b = member(b, "challenge", e.Challenge)
	if e.Epoch != nil {
		b = e.Epoch.encode(b)
	}
	b = strconv.AppendInt(name(b, "format"), int64(e.Format), 10)
	b = member(b, "id", e.ID)
	b = member(b, "institution", e.Institution)
	b = member(b, "outcome", string(e.Outcome))
	b = member(b, "owner", e.Owner)
	b = member(b, "private", e.Private)
	b = member(b, "project", e.Project)
	b = member(b, "rule", e.Rule)
	b = member(b, "sector", string(e.Sector))
	if e.Student {
		b = append(name(b, "student"), "true"...)
	}
	b = member(b, "subject", e.Subject)
	b = member(b, "time", e.Time)
	b = member(b, "version", string(e.Version))
	return append(b, '}')
}

// encode appends the member of an entry that declares an epoch.
func (d *declaration) encode(b []byte) []byte {
	b = append(name(b, "epoch"), '{')
	b = member(b, "origin", d.Origin)
	b = member(b, "root", d.Root)
	return append(strconv.AppendInt(name(b, "size"), d.Size, 10), '}')
}

// name begins a member of an object.
func name(b []byte, key string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(append(b, '"'), key...)
	return append(b, `":`...)
}

// member appends a text, unless it is empty.
func member(b []byte, key, text string) []byte {
	if text == "" {
		return b
	}
	return quote(name(b, key), text)
}

// quote writes a text with the escapes of RFC 8785, section 3.2.2.2.
func quote(b []byte, text string) []byte {
	b = append(b, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= 0x20:
			b = append(b, c)
		case c >= '\b' && c <= '\r' && c != '\v':
			b = append(b, '\\', "btn_fr"[c-'\b'])
		default:
			b = fmt.Appendf(b, `\u%04x`, c)
		}
	}
	return append(b, '"')
}

// errNewer is the error of an entry that a newer program wrote.
var errNewer = errors.New("a newer program wrote it")

// decode reads the text of an entry. Only the one text that encode gives is
// taken.
func decode(text []byte) (entry, error) {
	var e entry
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&e)
	if e.Format > Format {
		return e, errNewer
	}
	if err != nil {
		return e, err
	}
	if !bytes.Equal(e.encode(), text) || e.Format != Format {
		return e, errors.New("it is not in the form in which entries are written")
	}
	if t, err := time.Parse(timeLayout, e.Time); err != nil || formatTime(t) != e.Time {
		return e, errors.New("its time is none")
	}
	return e, nil
}

// at is the time of an entry that was decoded.
func (e *entry) at() time.Time {
	t, _ := time.Parse(timeLayout, e.Time)
	return t
}

// pseudonym is how a person is named in the log: their salt keeps it from being
// guessed, and once the salt is gone nobody can tell who it was.
func pseudonym(salt []byte, p genesis.PersonID) string {
	return salted(salt, "genesis person 1\n", []byte(p))
}

// bodyDigest is how purpose and detail stand in the log.
func bodyDigest(salt, body []byte) string { return salted(salt, "genesis private 1\n", body) }

// salted is the HMAC-SHA-256 of a text, with its salt as the key.
func salted(salt []byte, domain string, text []byte) string {
	h := hmac.New(sha256.New, salt)
	h.Write([]byte(domain))
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil))
}

// saltSize is the number of random bytes in a salt.
const saltSize = 32

// body is the part of an event that may name people and does not stand in the
// log itself.
type body struct {
	Detail  json.RawMessage `json:"detail,omitempty"`
	Purpose string          `json:"purpose,omitempty"`
}

// bodyOf returns the text of e's body, nil when there is none.
func bodyOf(e Event) []byte {
	if len(e.Detail) == 0 && e.Purpose == "" {
		return nil
	}
	b := []byte{'{'}
	if len(e.Detail) > 0 {
		b = append(name(b, "detail"), e.Detail...)
	}
	return append(member(b, "purpose", e.Purpose), '}')
}

// owner splits a subject into the person that it is, or is of, and the rest:
// "nrel/ada" and "person:ada" are people; "~ada/model" is ada's, who is of this
// node, "~ada+mit/model" that of ada of mit.
func owner(subject string, home genesis.NodeID) (genesis.PersonID, string) {
	if person, ok := strings.CutPrefix(subject, "person:"); ok && person != "" {
		return whole(genesis.PersonID(person), home), ""
	}
	if own, ok := strings.CutPrefix(subject, "~"); ok {
		who, rest, _ := strings.Cut(own, "/")
		if p := genesis.Name("~" + who + "/").Owner(home); who != "" && p != "" {
			return p, rest
		}
	}
	if strings.Contains(subject, "/") && genesis.CheckPerson(genesis.PersonID(subject)) == nil {
		return genesis.PersonID(subject), ""
	}
	return "", subject
}

// whole gives a person without a node this one.
func whole(p genesis.PersonID, home genesis.NodeID) genesis.PersonID {
	if p == "" || strings.Contains(string(p), "/") {
		return p
	}
	return genesis.PersonOf(home, string(p))
}

// joinOwner is the inverse of owner, for who may be forgotten.
func joinOwner(person, rest string, home genesis.NodeID) string {
	if rest == "" {
		return person
	}
	return string(genesis.OwnName(genesis.PersonID(person), home, rest))
}
