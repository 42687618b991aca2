package xlsx

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// archive is the zip file a workbook is, with bounded members.
type archive struct {
	ctx    context.Context
	files  map[string]*zip.File
	size   int64 // of the whole archive
	limits format.Limits
}

func openArchive(ctx context.Context, at io.ReaderAt, size int64, limits format.Limits) (*archive, error) {
	z, err := zip.NewReader(at, size)
	if err != nil {
		return nil, &genesis.Error{Kind: genesis.Invalid, Msg: "is no whole zip archive, as a workbook must be",
			Hint: "the file is incomplete or something else: fetch it again", Err: err}
	}
	if len(z.File) > limits.Members {
		return nil, invalid(fmt.Sprintf("has more than %d members", limits.Members), "")
	}
	a := &archive{ctx: ctx, files: make(map[string]*zip.File), size: size, limits: limits}
	for _, f := range z.File {
		if _, twice := a.files[f.Name]; !twice {
			a.files[f.Name] = f
		}
	}
	return a, nil
}

// slack is how much any member may expand to.
const slack = 16 << 20

// open returns the XML of a member.
func (a *archive) open(name string) (*markup, io.Closer, error) {
	f, ok := a.files[name]
	if !ok {
		return nil, nil, invalid(fmt.Sprintf("has no part %q", name), "")
	}
	most := max(slack, a.packed(f)*a.limits.Expansion)
	if f.UncompressedSize64 > uint64(most) {
		return nil, nil, tooLarge(name, a.limits.Expansion)
	}
	content, err := f.Open()
	if err != nil {
		return nil, nil, damagedMember(name, err)
	}
	r, err := decoded(&member{a.ctx, name, content, most, a.limits.Expansion})
	if err != nil {
		content.Close()
		return nil, nil, err
	}
	return newMarkup(name, r, a.limits.RowBytes), content, nil
}

// packed returns how many bytes a member has in the archive, whatever it claims.
func (a *archive) packed(f *zip.File) int64 {
	return int64(min(f.CompressedSize64, uint64(a.size)))
}

func tooLarge(name string, expansion int64) error {
	return invalid(fmt.Sprintf("part %q expands more than %d times", name, expansion), "raise the limit of expansion")
}

func damagedMember(name string, err error) error {
	return &genesis.Error{Kind: genesis.Invalid, Msg: fmt.Sprintf("part %q is damaged", name),
		Hint: "fetch the file again", Err: err}
}

// member reads a part and refuses what expands too much or is damaged.
type member struct {
	ctx       context.Context
	name      string
	r         io.Reader
	left      int64
	expansion int64
}

func (m *member) Read(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, &genesis.Error{Kind: genesis.Canceled, Msg: "canceled", Err: err}
	}
	n, err := m.r.Read(p)
	if m.left -= int64(n); m.left < 0 {
		return 0, tooLarge(m.name, m.expansion)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = damagedMember(m.name, err)
	}
	return n, err
}

// decoded returns XML as UTF-8: workbooks may be UTF-16, with a byte order mark.
func decoded(r io.Reader) (io.Reader, error) {
	head := make([]byte, 3)
	n, err := io.ReadFull(r, head)
	if err != nil && n == 0 && !errors.Is(err, io.EOF) {
		return nil, err
	}
	head = head[:n]
	r = io.MultiReader(bytes.NewReader(head), r)
	switch {
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}), bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		return transform.NewReader(r, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder()), nil
	}
	return r, nil
}
