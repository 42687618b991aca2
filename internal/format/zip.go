package format

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/opengenesis/genesis"
)

// zipStreams returns the members of an archive in its own order. Members whose
// names lead out of the archive, and links, are refused by name; the first
// stream carries those findings.
func zipStreams(src *Raw, lim Limits) ([]*Stream, error) {
	z, err := zip.NewReader(src.At, src.Size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, damaged(src.Name, "the zip archive is damaged or truncated", err)
	}
	if len(z.File) > lim.Members {
		return nil, &genesis.Error{Op: "read", Kind: genesis.Invalid, Subject: src.Name,
			Msg: fmt.Sprintf("holds %d files; the limit is %d", len(z.File), lim.Members)}
	}
	if err := checkDeclared(src, z, lim); err != nil {
		return nil, err
	}
	var streams []*Stream
	var refused []genesis.Finding
	for _, f := range z.File {
		if why := refuseEntry(f); why != "" {
			refused = append(refused, refusedEntry(src.Name, f.Name, why))
			continue
		}
		if ignoredEntry(f) {
			continue
		}
		s, err := member(src, f, lim)
		if err != nil {
			return nil, err
		}
		streams = append(streams, s)
	}
	return withRefusals(src, streams, refused)
}

func withRefusals(src *Raw, streams []*Stream, refused []genesis.Finding) ([]*Stream, error) {
	if len(streams) == 0 {
		e := &genesis.Error{Op: "read", Kind: genesis.Invalid, Subject: src.Name, Msg: "the zip archive holds no file to read"}
		if len(refused) > 0 {
			e.Msg = refused[0].Message
		}
		return nil, e
	}
	if len(refused) > 0 {
		streams[0].Warnings = func() []genesis.Finding { return refused }
	}
	return streams, nil
}

// checkDeclared refuses an archive that promises to expand beyond the limit,
// all members together, before any is read.
func checkDeclared(src *Raw, z *zip.Reader, lim Limits) error {
	var total uint64
	for _, f := range z.File {
		if f.UncompressedSize64 > 1<<62 || total+f.UncompressedSize64 < total {
			return expansionError(src.Name, lim.Expansion)
		}
		total += f.UncompressedSize64
	}
	if total > freeExpansion && total/uint64(lim.Expansion) > uint64(src.Size) {
		return expansionError(src.Name, lim.Expansion)
	}
	return nil
}

// refuseEntry says why a member is not read, or "".
func refuseEntry(f *zip.File) string {
	name := strings.ReplaceAll(f.Name, `\`, "/")
	switch {
	case f.Mode()&fs.ModeSymlink != 0:
		return "is a symbolic link"
	case path.IsAbs(name) || len(name) > 1 && name[1] == ':':
		return "has an absolute name"
	case !fs.ValidPath(strings.TrimSuffix(name, "/")):
		return "has a name that leads out of the archive"
	case f.Mode().Type()&^fs.ModeDir != 0:
		return "is not a regular file"
	}
	return ""
}

// ignoredEntry reports folders and what operating systems add unasked.
func ignoredEntry(f *zip.File) bool {
	return strings.HasSuffix(f.Name, "/") || f.FileInfo().IsDir() ||
		strings.HasPrefix(f.Name, "__MACOSX/") || path.Base(f.Name) == ".DS_Store"
}

func refusedEntry(archive, entry, why string) genesis.Finding {
	return genesis.Finding{
		ID: "archive-entry:" + entry, Code: "archive-entry", Severity: genesis.Refusal, Source: archive, Count: 1,
		Message: fmt.Sprintf("the archive's entry %q %s and was not read", entry, why),
	}
}

func member(src *Raw, f *zip.File, lim Limits) (*Stream, error) {
	name := src.Name + "!" + f.Name
	if f.Flags&1 != 0 {
		return nil, &genesis.Error{Op: "read", Kind: genesis.Unsupported, Subject: name, Msg: "is encrypted"}
	}
	s := &Stream{Name: name, Packing: "zip", Size: int64(f.UncompressedSize64), Warnings: noWarnings}
	s.OpenRead = func() (io.ReadCloser, error) {
		r, err := f.Open()
		if err != nil {
			return nil, zipError(name, err)
		}
		return &memberReader{ReadCloser: r, name: name, left: f.UncompressedSize64,
			in: f.CompressedSize64, ratio: uint64(lim.Expansion)}, nil
	}
	return s, refuseNested(s)
}

// memberReader checks a member against what the archive says of it.
type memberReader struct {
	io.ReadCloser
	name      string
	left      uint64
	in, ratio uint64
	out       uint64
}

func (m *memberReader) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	if uint64(n) > m.left {
		return 0, damaged(m.name, "holds more bytes than the zip archive states", nil)
	}
	m.left -= uint64(n)
	m.out += uint64(n)
	if m.out > freeExpansion && m.out/m.ratio > m.in {
		return 0, expansionError(m.name, int64(m.ratio))
	}
	if err != nil && err != io.EOF {
		err = zipError(m.name, err)
	}
	return n, err
}

func zipError(name string, err error) error {
	switch {
	case errors.Is(err, zip.ErrAlgorithm):
		return &genesis.Error{Op: "read", Kind: genesis.Unsupported, Subject: name,
			Msg: "is packed by a method of zip that is not read", Hint: "pack it again with deflate"}
	case errors.Is(err, zip.ErrChecksum):
		return damaged(name, "the content does not match the zip archive's checksum: the file is damaged", err)
	}
	return damaged(name, "the zip archive is damaged or truncated", err)
}
