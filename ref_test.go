package genesis

import (
	"errors"
	"strings"
	"testing"
)

const someHex = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

func TestParseRef(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Ref
	}{
		{"turbines", Ref{Name: "turbines"}},
		{"2018", Ref{Name: "2018"}},
		{"turbines@3", Ref{Name: "turbines", Number: 3}},
		{"nrel/turbines", Ref{Node: "nrel", Name: "turbines"}},
		{"nrel/turbines@12", Ref{Node: "nrel", Name: "turbines", Number: 12}},
		{"~ann.b/net", Ref{Name: "~ann.b/net"}},
		{"~ann+mit/net", Ref{Name: "~ann+mit/net"}},
		{"nrel/~ann.b+mit/net@sha256:" + someHex, Ref{Node: "nrel", Name: "~ann.b+mit/net", Digest: "sha256:" + someHex}},
		{"nrel/~ann/net@1", Ref{Node: "nrel", Name: "~ann/net", Number: 1}},
		{"a@sha256:" + someHex, Ref{Name: "a", Digest: "sha256:" + someHex}},
		{strings.Repeat("a", 64), Ref{Name: Name(strings.Repeat("a", 64))}},
	} {
		got, err := ParseRef(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("ParseRef(%q) = %+v, %v, want %+v", tt.in, got, err, tt.want)
		}
		if got.String() != tt.in {
			t.Errorf("ParseRef(%q).String() = %q", tt.in, got)
		}
	}
}

func TestParseRefRefuses(t *testing.T) {
	for _, in := range []string{"", "-a", "Turbines", "a_b", "a b", "a/b/c", "/a", "a/", "a@", "a@0", "a@-1", "a@01", "a@+1",
		"a@1.0", "a@latest", "a@99999999999999999999", "a@1@2", "~ann", "~/net", "~ann/", "~Ann/net", "~ann/net/x", "~ann+/net", "~+mit/net", "~ann+mit+ornl/net", "~ann+Mit/net", "ann+mit/net", "net+mit", "é",
		"a@sha256:" + strings.ToUpper(someHex), "a@sha256:" + someHex[1:], "a@sha256:" + someHex[1:] + "g",
		strings.Repeat("a", 65), "../etc", "a\n", "a@1\n"} {
		got, err := ParseRef(in)
		if KindOf(err) != Invalid || got != (Ref{}) {
			t.Errorf("ParseRef(%q) = %+v, %v, want an error of kind invalid", in, got, err)
		}
	}
}

// TestOwnNames: everybody has one name of their own at a node, and a name of somebody's own
// says whose.
func TestOwnNames(t *testing.T) {
	for _, tt := range []struct {
		of   PersonID
		at   NodeID
		want Name
	}{
		{"nrel/ada", "nrel", "~ada/net"},
		{"mit/ada", "nrel", "~ada+mit/net"},
		{"nrel/ada", "mit", "~ada+nrel/net"},
		{"/ada", "", "~ada/net"},
	} {
		got := OwnName(tt.of, tt.at, "net")
		if got != tt.want || CheckName(got) != nil || got.Owner(tt.at) != tt.of {
			t.Errorf("%s at %s: %s, which is %s", tt.of, tt.at, got, got.Owner(tt.at))
		}
	}
	for _, n := range []Name{"net", "ada/net", "~ada", "~ada+nrel/net"} {
		if p := n.Owner("nrel"); p != "" {
			t.Errorf("%s is %s's", n, p)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"turbines", "nrel/turbines@3", "~ann/net", "nrel/~ann.b/net@sha256:" + someHex, "a@b@c", "~~/~"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRef(s)
		if err != nil {
			if KindOf(err) != Invalid {
				t.Fatalf("error without a kind: %v", err)
			}
			return
		}
		if r.String() != s {
			t.Fatalf("ParseRef(%q).String() = %q", s, r.String())
		}
		if err := CheckName(r.Name); err != nil {
			t.Fatalf("ParseRef(%q) gives a name that is none: %v", s, err)
		}
	})
}

func TestDigest(t *testing.T) {
	d := DigestOf([]byte("hello"))
	if d != "sha256:"+someHex {
		t.Errorf("digest of hello is %s", d)
	}
	if d.Hex() != someHex || d.Short() != someHex[:12] || Digest("sha256:ab").Short() != "ab" {
		t.Errorf("Hex is %s, Short is %s", d.Hex(), d.Short())
	}
	sum, err := d.Sum()
	if err != nil || DigestSum(sum[:]) != d {
		t.Errorf("Sum gives %x, %v", sum, err)
	}
	if got, err := ParseDigest(string(d)); err != nil || got != d {
		t.Errorf("ParseDigest gives %s, %v", got, err)
	}
	for _, bad := range []string{"", someHex, "sha1:" + someHex, "sha256:" + someHex + "0", "SHA256:" + someHex,
		"sha256:" + strings.ToUpper(someHex), "sha256:" + strings.Repeat("z", 64)} {
		if got, err := ParseDigest(bad); KindOf(err) != Invalid || got != "" {
			t.Errorf("ParseDigest(%q) = %q, %v", bad, got, err)
		}
	}
	if _, err := Digest("sha256:abc").Sum(); err == nil {
		t.Error("a malformed digest has a sum")
	}
}

// TestCutDigest: the digits that lists show of a digest are no reference, and the error says
// where the rest is.
func TestCutDigest(t *testing.T) {
	_, err := ParseRef("wine@sha256:b67e52f2c221")
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(e.Msg, "not whole") || !strings.Contains(e.Hint, "`genesis show wine`") {
		t.Errorf("%+v", err)
	}
}
