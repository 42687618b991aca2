package backup

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/opengenesis/genesis"
)

// ManifestName is the file that makes a backup whole.
const ManifestName = "backup.json"

const (
	maxLine  = 64 << 10  // one line of backup.json
	maxFiles = 4_000_000 // a manifest of more would not fit in memory beside other work
	maxPath  = 1024

	filesStart = `,"files":[`
	filesEnd   = `],`
	sealStart  = `"digest":"`
	sealEnd    = `"}`
)

// writeManifest writes m, a line per file, and a last line with the digest of
// all lines before it. It returns the digest of the whole.
func writeManifest(w io.Writer, m genesis.BackupManifest) (genesis.Digest, error) {
	head, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	body, whole := sha256.New(), sha256.New()
	out := bufio.NewWriter(io.MultiWriter(w, body, whole))
	fmt.Fprintf(out, "%s%s\n", bytes.TrimSuffix(head, []byte("}")), filesStart)
	for i, f := range m.Files {
		line, err := json.Marshal(f)
		if err != nil {
			return "", err
		}
		comma := ","
		if i == len(m.Files)-1 {
			comma = ""
		}
		fmt.Fprintf(out, "%s%s\n", line, comma)
	}
	fmt.Fprintln(out, filesEnd)
	if err := out.Flush(); err != nil {
		return "", err
	}
	seal := sealStart + string(genesis.DigestSum(body.Sum(nil))) + sealEnd + "\n"
	_, err = io.WriteString(io.MultiWriter(w, whole), seal)
	return genesis.DigestSum(whole.Sum(nil)), err
}

// manifestReader reads backup.json line by line.
type manifestReader struct {
	r           *bufio.Reader
	body, whole hash.Hash
}

// readManifest is the inverse of writeManifest. It accepts exactly what that
// writes. Errors: Internal (damaged, cut off), Unsupported (a newer format).
func readManifest(r io.Reader) (genesis.BackupManifest, genesis.Digest, error) {
	mr := &manifestReader{r: bufio.NewReaderSize(r, maxLine), body: sha256.New(), whole: sha256.New()}
	m, err := mr.head()
	if err == nil {
		err = mr.files(&m)
	}
	if err == nil {
		err = mr.seal()
	}
	if err == nil {
		err = checkManifest(m)
	}
	return m, genesis.DigestSum(mr.whole.Sum(nil)), err
}

// line returns the next line without its line feed.
func (mr *manifestReader) line() (string, error) {
	b, err := mr.r.ReadSlice('\n')
	if err != nil {
		return "", damaged(ManifestName, "is damaged or cut off", err)
	}
	mr.whole.Write(b)
	return string(b[:len(b)-1]), nil
}

func (mr *manifestReader) bodyLine() (string, error) {
	s, err := mr.line()
	io.WriteString(mr.body, s+"\n")
	return s, err
}

var formatPattern = regexp.MustCompile(`^\{"format":([0-9]{1,9}),`)

func (mr *manifestReader) head() (genesis.BackupManifest, error) {
	var m genesis.BackupManifest
	line, err := mr.bodyLine()
	if err != nil {
		return m, err
	}
	match := formatPattern.FindStringSubmatch(line)
	if match == nil {
		return m, damaged(ManifestName, "is not the manifest of a backup, or damaged", nil)
	}
	if n, _ := strconv.Atoi(match[1]); n != genesis.BackupFormat {
		return m, &genesis.Error{Op: "read backup", Kind: genesis.Unsupported, Subject: ManifestName,
			Msg:  fmt.Sprintf("has format %d, and this program knows %d", n, genesis.BackupFormat),
			Hint: "use the Genesis that wrote it, or a newer one"}
	}
	head, ok := strings.CutSuffix(line, filesStart)
	if !ok {
		return m, damaged(ManifestName, "is damaged: its first line", nil)
	}
	if err := json.Unmarshal([]byte(head+"}"), &m); err != nil {
		return m, damaged(ManifestName, "is damaged: its first line", err)
	}
	return m, nil
}

func (mr *manifestReader) files(m *genesis.BackupManifest) error {
	for more := true; ; {
		line, err := mr.bodyLine()
		if err != nil {
			return err
		}
		if line == filesEnd && (!more || len(m.Files) == 0) {
			return nil
		}
		if !more || len(m.Files) == maxFiles {
			return damaged(ManifestName, "is damaged: its list of files does not end", nil)
		}
		line, more = strings.CutSuffix(line, ",")
		var f genesis.BackupFile
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			return damaged(ManifestName, "is damaged: file "+strconv.Itoa(len(m.Files)+1), err)
		}
		m.Files = append(m.Files, f)
	}
}

// seal compares the digest of the lines so far with the last one.
func (mr *manifestReader) seal() error {
	want := sealStart + string(genesis.DigestSum(mr.body.Sum(nil))) + sealEnd
	line, err := mr.line()
	if err != nil {
		return err
	}
	if line != want {
		return damaged(ManifestName, "is damaged: it does not match its own digest", nil)
	}
	if _, err := mr.r.ReadByte(); !errors.Is(err, io.EOF) {
		return damaged(ManifestName, "is damaged: it goes on after its end", err)
	}
	return nil
}

// checkManifest refuses what a sound program would not have written, however
// well it is sealed.
func checkManifest(m genesis.BackupManifest) error {
	var total int64
	for i, f := range m.Files {
		if err := checkPath(f.Path); err != nil {
			return err
		}
		if _, err := genesis.ParseDigest(string(f.Digest)); err != nil || f.Size < 0 || f.Size > 1<<50 {
			return damaged(f.Path, "is named without a size or digest", err)
		}
		if i > 0 && f.Path <= m.Files[i-1].Path {
			return damaged(f.Path, "is named twice or out of order", nil)
		}
		total += f.Size
	}
	if int64(len(m.Files)) != m.Count || total != m.Bytes {
		return damaged(ManifestName, "does not count its files right", nil)
	}
	return nil
}

// checkPath refuses paths that could lead out of a folder or that differ
// between systems.
func checkPath(p string) error {
	odd := strings.ContainsFunc(p, func(r rune) bool { return r == '\\' || r == unicode.ReplacementChar || !unicode.IsPrint(r) })
	if !fs.ValidPath(p) || p == "." || len(p) > maxPath || strings.Count(p, "/") > 30 || odd || p == ManifestName {
		return &genesis.Error{Op: "read backup", Kind: genesis.Invalid, Subject: p, Msg: "is not a path that a home has"}
	}
	return nil
}

func damaged(path, msg string, err error) error {
	return &genesis.Error{Op: "read backup", Kind: genesis.Internal, Subject: path, Msg: msg, Err: err,
		Hint: "use another backup, or another copy of this one"}
}
