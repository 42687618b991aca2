package identity

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
	"golang.org/x/text/unicode/norm"
)

const (
	leastPassword = 12   // characters
	mostPassword  = 1024 // bytes
)

//go:embed common.txt
var commonText string

// common are passwords that are tried first, in the form of fold.
var common = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	for line := range strings.Lines(commonText) {
		out[fold(line)] = true
	}
	return out
})

// fold makes passwords alike that differ only in what people change first.
func fold(s string) string {
	return strings.TrimRight(strings.ToLower(strings.TrimSpace(s)), "!.?")
}

// normal is the form in which a password is hashed: however a keyboard composes
// its characters, it is the same password.
func normal(password string) string { return norm.NFKC.String(password) }

// passwordHint is how to do better.
const passwordHint = "take several words that have nothing to do with each other"

// checkPassword reports why nobody should have this password, or nil. words are those
// that whoever guesses tries first at this node.
func checkPassword(op, subject, password string, words ...string) error {
	bad := func(msg, hint string) error {
		return &genesis.Error{Op: op, Kind: genesis.Invalid, Subject: subject, Msg: msg, Hint: hint}
	}
	const hint = passwordHint
	folded := fold(normal(password))
	switch {
	case len(password) > mostPassword || !utf8.ValidString(password) || strings.ContainsRune(password, 0):
		return bad(fmt.Sprintf("the password is longer than %d bytes, or is not text", mostPassword), "")
	case utf8.RuneCountInString(normal(password)) < leastPassword:
		return bad(fmt.Sprintf("the password is shorter than %d characters", leastPassword), hint)
	case common()[folded]:
		return bad("the password is one of those that are tried first", hint)
	case monotonous(folded):
		return bad("the password repeats itself, or counts", hint)
	case len(subject) >= 3 && remainder(folded, subject) < leastPassword/2:
		return bad("the password is the account's name and little else", hint)
	case without(folded, append(words, subject)) < leastPassword/2:
		return bad("the password is little else than names of the node, its institution and the account", hint)
	}
	return nil
}

// monotonous reports whether s has a short period (aaaaaaaaaaaa, abcabcabcabc), or
// each character follows the one before it.
func monotonous(s string) bool {
	r := []rune(s)
	for period := 1; period <= 4 && period < len(r); period++ {
		same := true
		for at := period; at < len(r) && same; at++ {
			same = r[at] == r[at-period]
		}
		if same {
			return true
		}
	}
	for _, step := range []rune{1, -1} {
		run := true
		for at := 1; at < len(r) && run; at++ {
			run = r[at]-r[at-1] == step
		}
		if run {
			return true
		}
	}
	return false
}

// remainder is how many characters are left of s without a word.
func remainder(s, word string) int {
	return utf8.RuneCountInString(strings.ReplaceAll(s, word, ""))
}

// without is how many characters are left of s without words of three letters and
// more, the longest taken out first.
func without(s string, words []string) int {
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return utf8.RuneCountInString(w) < 3 })
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	for _, w := range words {
		s = strings.ReplaceAll(s, w, "")
	}
	return utf8.RuneCountInString(s)
}

// words are what a password of this node must not be made of alone: the product, the
// node's id and its parts, and the words of the institution's name.
func (i *Identity) words() []string {
	names := "genesis " + string(i.node)
	if i.charter != nil {
		if m, ok := i.charter.Member(i.node); ok {
			names += " " + m.Institution
		}
	}
	parts := strings.FieldsFunc(fold(normal(names)), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return append(parts, string(i.node))
}

// hashNew checks a new password and returns what is kept of it, "" for none.
func (i *Identity) hashNew(ctx context.Context, op, subject, password string) (string, error) {
	if password == "" {
		return "", nil
	}
	if err := checkPassword(op, subject, password, i.words()...); err != nil {
		return "", err
	}
	found, err := i.leaked.has(op, subject, password)
	if err != nil {
		return "", err
	}
	if found {
		return "", &genesis.Error{Op: op, Kind: genesis.Invalid, Subject: subject, Msg: "the password is known elsewhere: it was common, or leaked", Hint: passwordHint}
	}
	return i.passwords.hash(ctx, op, normal(password))
}
