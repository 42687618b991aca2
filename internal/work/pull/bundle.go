package pull

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/blob/layout"
)

// maxBlobs bounds how many blobs a copy consists of.
const maxBlobs = 4_000_000

// maxName bounds the name of a table, in bytes.
const maxName = 1000

// Elements of one list of a bundle, and of all of them.
const (
	maxList  = 200_000
	maxLists = 1_000_000
)

// ReadBundle reads what the node of a reference says of the version. Errors: Invalid (it is
// not what was asked for, or cannot be), Unsupported (a newer format).
func ReadBundle(r io.Reader, ref genesis.Ref) (*genesis.Bundle, error) {
	in := &io.LimitedReader{R: r, N: genesis.MaxBundle + 1}
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, &genesis.Error{Op: "pull", Kind: genesis.Unavailable, Subject: ref.String(), Msg: "what its node says of it breaks off: " + err.Error(), Hint: "try again", Err: err}
	}
	if in.N <= 0 {
		return nil, wrong(ref, fmt.Sprintf("what its node says of it is longer than %d MiB", genesis.MaxBundle>>20))
	}
	if err := genesis.CheckLists(text, maxList, maxLists); err != nil {
		return nil, wrong(ref, "what its node says of it takes too much memory: "+err.Error())
	}
	b := new(genesis.Bundle)
	if err := json.Unmarshal(text, b); err != nil {
		return nil, wrong(ref, "what its node says of it is no bundle: "+err.Error())
	}
	if b.Format != genesis.BundleFormat {
		return nil, &genesis.Error{Op: "pull", Kind: genesis.Unsupported, Subject: ref.String(), Msg: fmt.Sprintf("its bundle has format %d, and this program reads %d", b.Format, genesis.BundleFormat), Hint: "use a newer program"}
	}
	for _, check := range []func(*genesis.Bundle, genesis.Ref) string{noID, otherVersion, otherLayout, otherBlobs, otherAgreements} {
		if msg := check(b, ref); msg != "" {
			return nil, wrong(ref, msg)
		}
	}
	return b, access.CheckOwed(b.Node, b.Owes)
}

func wrong(ref genesis.Ref, msg string) error {
	return &genesis.Error{Op: "pull", Kind: genesis.Invalid, Subject: ref.String(), Msg: msg, Hint: "nothing was kept; tell the operator of " + string(ref.Node)}
}

// noID says how the id of a bundle, which goes into the audit log, cannot be one.
func noID(b *genesis.Bundle, _ genesis.Ref) string {
	if !idPattern.MatchString(b.ID) {
		return "its id is none"
	}
	return ""
}

var idPattern = regexp.MustCompile(`^[a-z0-9]{16,64}$`)

// otherVersion says how the bundle is of something else than was asked for.
func otherVersion(b *genesis.Bundle, ref genesis.Ref) string {
	v := b.Version
	_, err := genesis.ParseDigest(string(v.Digest))
	switch {
	case err != nil:
		return "its bundle names no digest"
	case b.Node != ref.Node || v.Name != ref.Name || ref.Digest != "" && v.Digest != ref.Digest || ref.Number != 0 && v.Number != ref.Number:
		return fmt.Sprintf("its bundle is of another version: %s/%s@%d, %s", b.Node, v.Name, v.Number, v.Digest)
	case v.Kind != genesis.Dataset && v.Kind != genesis.Model:
		return fmt.Sprintf("its bundle is of kind %q", v.Kind)
	case v.Rows < 0 || v.Bytes < 0 || v.Number < 0:
		return "its bundle counts what cannot be"
	case len(b.Owes) == 0 || b.Owes[0].Name != string(v.Name) || b.Owes[0].Version != v.Digest:
		return "its bundle does not say what a copy owes to the version itself"
	}
	return ""
}

// otherLayout says what is wrong with where the bytes lie.
func otherLayout(b *genesis.Bundle, _ genesis.Ref) string {
	l := b.Layout
	names := slices.Concat(slices.Collect(maps.Keys(l.Tables)), slices.Collect(maps.Keys(l.Pages)))
	switch {
	case l.Format < 1 || l.Format > genesis.LayoutFormat:
		return fmt.Sprintf("its layout has format %d", l.Format)
	case layout.Long(l):
		return "its layout lists more files than one may"
	case (b.Version.Kind == genesis.Model) != (len(l.Parts) > 0) || len(l.Parts) > 0 && len(names) > 0:
		return "its layout is not that of a " + string(b.Version.Kind)
	case slices.ContainsFunc(names, func(n string) bool { return len(n) > maxName }):
		return "its layout has a table of too long a name"
	}
	if err := genesis.CheckParts(slices.Sorted(maps.Keys(l.Parts))); err != nil {
		return err.Error()
	}
	return ""
}

// otherAgreements says of which agreement, that a copy owes to, the bundle does not bring the
// text. What the terms of a copy name is a part of it, and served as one: a node that names
// the digest of something that is here already would have it shown to who may not see it.
func otherAgreements(b *genesis.Bundle, _ genesis.Ref) string {
	brought := map[genesis.Digest]bool{}
	for _, one := range b.Blobs {
		brought[one.Digest] = true
	}
	for _, o := range b.Owes {
		if a := o.Terms.Agreement; a != nil && !brought[a.Digest] {
			return "its bundle names an agreement of which it does not bring the text"
		}
	}
	return ""
}

// otherBlobs says what is wrong with the blobs that the bundle lists.
func otherBlobs(b *genesis.Bundle, _ genesis.Ref) string {
	if len(b.Blobs) > genesis.MaxBundleBlobs {
		return fmt.Sprintf("its bundle lists more than %d blobs", genesis.MaxBundleBlobs)
	}
	var sum int64
	for _, one := range b.Blobs {
		if msg := otherBlob(one); msg != "" {
			return msg
		}
		if sum += one.Size; sum < 0 {
			return "its blobs are larger than anything"
		}
	}
	switch {
	case !slices.ContainsFunc(b.Blobs, func(one genesis.Blob) bool { return one.Digest == b.Version.Digest }):
		return "its bundle does not list its manifest"
	case b.Bytes < sum || b.Bytes > math.MaxInt64/2:
		return "its bundle says a size that cannot be"
	}
	return ""
}

// otherBlob says what is wrong with what is said of a blob.
func otherBlob(b genesis.Blob) string {
	_, err := genesis.ParseDigest(string(b.Digest))
	if _, root := genesis.ParseDigest(string(b.Merkle)); err != nil || root != nil || b.Size < 0 {
		return fmt.Sprintf("it names a blob that cannot be: %q of %d bytes", b.Digest, b.Size)
	}
	return ""
}
