package journal

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
	"golang.org/x/mod/sumdb/tlog"
)

func vectorEntry() (*entry, []byte, []byte) {
	salt := bytes.Repeat([]byte{7}, saltSize)
	text := bodyOf(Event{Purpose: "wind study", Detail: json.RawMessage(`{"bytes":12}`)})
	e := entryOf(Event{ID: "one", Time: noon, Act: "read", Outcome: genesis.Allowed, Version: "sha256:00", Rule: "registered"})
	e.Actor = pseudonym(salt, "nrel/ada")
	e.Subject = "turbines"
	e.Private = bodyDigest(salt, text)
	return e, salt, text
}

// TestFormatVectors holds docs/formats.md: it must show these texts.
func TestFormatVectors(t *testing.T) {
	doc, err := os.ReadFile("../../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	e, salt, text := vectorEntry()
	statement := []byte(`{"digest":"sha256:02","id":"two","name":"turbines","record":"listing","thread":"one","time":"2027-01-31T12:00:00.000001Z","version":"sha256:00"}`)
	c := catalogueEntry{Format: Format, ID: "two", Statement: statementDigest(salt, statement)}
	d := catalogueEntry{Format: Format, ID: "three", Epoch: &declaration{"nrel/catalog-public/1", tlog.Hash{}.String(), 2}}
	for _, part := range []string{
		string(e.encode()), string(text), e.Actor, e.Private, tlog.RecordHash(e.encode()).String(),
		string(statement), string(c.encode()), string(d.encode()),
	} {
		if !strings.Contains(string(doc), part) {
			t.Errorf("docs/formats.md does not hold %s", part)
		}
	}
	s, err := genesis.CanonicalJSON(Statement{ID: "two", Time: noon, Name: "turbines", Version: "sha256:00", Record: StatedListing, Thread: "one", Digest: "sha256:02"})
	if err != nil || string(s) != string(statement) {
		t.Errorf("the statement is %s, %v", s, err)
	}
}

// TestEntryIsCanonical holds the text that is written by hand against the
// program's canonical JSON.
func TestEntryIsCanonical(t *testing.T) {
	full, _, _ := vectorEntry()
	full.Challenge, full.Institution, full.Project, full.Student, full.Sector = "c", "MIT é \u2028", "p<&>", true, genesis.Industry
	full.Owner, full.Subject = full.Actor, "\x00\x1f\"\\\b\t\n\v\f\r\x7f😀/"
	full.Epoch = &declaration{"a/b", "root", 7}
	short, _, _ := vectorEntry()
	for _, e := range []*entry{full, short, {Act: "x", Format: 1, ID: "i", Time: formatTime(noon)}} {
		text := e.encode()
		want, err := genesis.CanonicalJSON(json.RawMessage(text))
		if err != nil || !bytes.Equal(text, want) {
			t.Errorf("entry is\n%s, canonical is\n%s, %v", text, want, err)
		}
		back, err := decode(text)
		if diff := cmp.Diff(*e, back); diff != "" || err != nil {
			t.Errorf("read back (-want +got):\n%s%v", diff, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	e, _, _ := vectorEntry()
	text := string(e.encode())
	for name, bad := range map[string]string{
		"space":          strings.Replace(text, ",", ", ", 1),
		"after":          text + " ",
		"twice":          text + text,
		"order":          strings.Replace(text, `"act":"read",`, "", 1)[:1] + `"id":"x",` + text[1:],
		"unknown member": strings.Replace(text, `{`, `{"aaa":"x",`, 1),
		"empty member":   strings.Replace(text, `"format"`, `"challenge":"","format"`, 1),
		"time":           strings.Replace(text, "2027-01-31", "2027-02-31", 1),
		"escape":         strings.Replace(text, "read", `\u0072ead`, 1),
		"format 0":       strings.Replace(text, `"format":1`, `"format":0`, 1),
		"nothing":        "",
		"null":           "null",
	} {
		if _, err := decode([]byte(bad)); err == nil {
			t.Errorf("%s: %s is read", name, bad)
		}
	}
	_, err := decode([]byte(strings.Replace(text, `"format":1`, `"format":2,"more":1`, 1)))
	if genesis.KindOf(badEntry(0, err)) != genesis.Unsupported {
		t.Errorf("a newer entry gives %v", err)
	}
}

func TestOwner(t *testing.T) {
	for subject, want := range map[string][2]string{
		"turbines":        {"", "turbines"},
		"~ada/model":      {"nrel/ada", "model"},
		"~ada+mit/model":  {"mit/ada", "model"},
		"~ada+nrel/model": {"", "~ada+nrel/model"},
		"nrel/ada":        {"nrel/ada", ""},
		"mit/bob":         {"mit/bob", ""},
		"person:mit/bob":  {"mit/bob", ""},
		"person:ada":      {"nrel/ada", ""},
		"person:":         {"", "person:"},
		"~":               {"", "~"},
		"~/x":             {"", "~/x"},
		"a b/c":           {"", "a b/c"},
		"":                {"", ""},
		"01f8mg8k3q-runs": {"", "01f8mg8k3q-runs"},
	} {
		who, rest := owner(subject, "nrel")
		if string(who) != want[0] || rest != want[1] {
			t.Errorf("%q is %q and %q, want %q", subject, who, rest, want)
		}
	}
	for _, subject := range []string{"~ada/model", "~ada+mit/model", "nrel/ada", "mit/bob"} {
		who, rest := owner(subject, "nrel")
		if got := joinOwner(string(who), rest, "nrel"); got != subject {
			t.Errorf("%q comes back as %q", subject, got)
		}
	}
}

func TestHasWord(t *testing.T) {
	for text, want := range map[string]bool{
		`{"to":"nrel/ada"}`: true, "nrel/ada": true, "to nrel/ada, please": true, "nrel/adam": false, "anrel/ada": false,
		"nrel/ada-b nrel/ada": true, "": false, "nrel/ad": false, "NREL/ada": false,
	} {
		if got := hasWord([]byte(text), []byte("nrel/ada")); got != want {
			t.Errorf("%q names nrel/ada: %v", text, got)
		}
	}
	if !hasWord([]byte(`{"who":"ada"}`), []byte(`"ada"`)) || !hasWord([]byte(`{"s":"~ada/x"}`), []byte(`~ada`)) {
		t.Error("a quoted name is not found")
	}
}

func TestIDsSortInTime(t *testing.T) {
	last := ""
	for i := range 1000 {
		id := newID(noon.Add(time.Duration(i) * time.Millisecond))
		if id <= last || len(id) != 26 {
			t.Fatalf("%q follows %q", id, last)
		}
		last = id
	}
}

func FuzzEntry(f *testing.F) {
	e, _, _ := vectorEntry()
	f.Add(e.encode())
	e.Epoch = &declaration{"a/b", "root", 7}
	f.Add(e.encode())
	f.Add([]byte(`{"act":"x","format":1,"id":"\u001f","time":"2027-01-31T12:00:00.000001Z"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := decode(text)
		if err != nil {
			return
		}
		if again := e.encode(); !bytes.Equal(again, text) {
			t.Errorf("%q is written again as %q", text, again)
		}
		if want, err := genesis.CanonicalJSON(json.RawMessage(text)); err == nil && !bytes.Equal(want, text) {
			t.Errorf("%q is not canonical: %q", text, want)
		}
	})
}

func FuzzCatalogueEntry(f *testing.F) {
	e := catalogueEntry{Format: Format, ID: "x", Statement: "y"}
	f.Add(e.encode())
	f.Fuzz(func(t *testing.T, text []byte) {
		if e, err := decodeCatalogue(text); err == nil && !bytes.Equal(e.encode(), text) {
			t.Errorf("%q is read", text)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add("e17")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := readCursor(s); err == nil && formatCursor(n) != s {
			t.Errorf("%q is a cursor", s)
		}
	})
}

// FuzzEvent reads what may lie in the outbox or the write-ahead log.
func FuzzEvent(f *testing.F) {
	text, _ := json.Marshal(read("ada", 1))
	f.Add(text)
	f.Add([]byte(`{"id":"x","time":"2027-01-31T12:00:00Z","act":"y","outcome":"done","detail":{"a":1 }}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := readEvent(text)
		if err != nil {
			if genesis.KindOf(err) != genesis.Internal {
				t.Errorf("%q gives %v", text, err)
			}
			return
		}
		b := &batch{}
		en := entryOf(e)
		en.Subject = e.Subject
		b.add(en, secret{salt: make([]byte, saltSize), body: bodyOf(e)})
		if len(b.texts[0]) >= 1<<16 {
			t.Errorf("an entry has %d bytes", len(b.texts[0]))
		}
		if _, err := decode(b.texts[0]); err != nil {
			t.Errorf("%q makes the entry %q: %v", text, b.texts[0], err)
		}
		if len(b.hidden) > 0 && !json.Valid(b.hidden[0].body) {
			t.Errorf("%q makes the body %q", text, b.hidden[0].body)
		}
	})
}
