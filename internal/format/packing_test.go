package format_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

func rawOf(name string, b []byte) *format.Raw {
	return &format.Raw{Name: name, Size: int64(len(b)), At: bytes.NewReader(b)}
}

func gzipped(t testing.TB, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, p := range parts {
		w := gzip.NewWriter(&b)
		if _, err := io.WriteString(w, p); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func zstded(t testing.TB, s string) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll([]byte(s), nil)
}

// zipped packs name, content pairs.
func zipped(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, files[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// contents reads every stream of a raw file, twice, and returns name=content.
func contents(raw *format.Raw, lim format.Limits) ([]string, []genesis.Finding, error) {
	streams, err := format.Streams(context.Background(), raw, lim)
	if err != nil {
		return nil, nil, err
	}
	var out []string
	var found []genesis.Finding
	for _, s := range streams {
		var first []byte
		for pass := range 2 {
			b, err := readStream(s)
			if err != nil {
				return out, found, err
			}
			if pass == 1 && !bytes.Equal(first, b) {
				return out, found, fmt.Errorf("%s: the second reading differs", s.Name)
			}
			first = b
		}
		out = append(out, s.Name+"="+string(first))
		found = append(found, s.Warnings()...)
	}
	return out, found, nil
}

func readStream(s *format.Stream) ([]byte, error) {
	r, err := s.OpenRead()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func TestStreams(t *testing.T) {
	zeros := gzipped(t, "a,b\n")
	tests := []struct {
		name string
		in   []byte
		want string
		code string // of a finding
	}{
		{"plain", []byte("a,b\n"), "f=a,b\n", ""},
		{"gzip", gzipped(t, "a,b\n"), "f=a,b\n", ""},
		{"gzip of several members", gzipped(t, "a,b\n", "1,2\n", ""), "f=a,b\n1,2\n", ""},
		{"gzip with garbage behind", append(gzipped(t, "a,b\n"), "junk"...), "f=a,b\n", "trailing-garbage"},
		{"gzip padded with zeros", append(zeros, make([]byte, 512)...), "f=a,b\n", ""},
		{"zstd", zstded(t, "a,b\n"), "f=a,b\n", ""},
		{"zstd of several frames", append(zstded(t, "a,b\n"), zstded(t, "1,2\n")...), "f=a,b\n1,2\n", ""},
		{"zip", zipped(t, "x.csv", "1", "d/", "", "d/y.csv", "2", "__MACOSX/x.csv", "?"), "f!x.csv=1 f!d/y.csv=2", ""},
		{"zip that climbs", zipped(t, "../x.csv", "1", "y.csv", "2"), "f!y.csv=2", "archive-entry"},
		{"zip with absolute name", zipped(t, "/x.csv", "1", "y.csv", "2"), "f!y.csv=2", "archive-entry"},
		{"zip with a drive", zipped(t, `C:\x.csv`, "1", "y.csv", "2"), "f!y.csv=2", "archive-entry"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, found, err := contents(rawOf("f", tt.in), format.Limits{})
			if err != nil || strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
			if (len(found) > 0) != (tt.code != "") || len(found) > 0 && found[0].Code != tt.code {
				t.Errorf("findings %+v, want %q", found, tt.code)
			}
		})
	}
}

func TestDocumentsStayWhole(t *testing.T) {
	in := zipped(t, "[Content_Types].xml", "<Types/>", "xl/workbook.xml", "<workbook/>")
	streams, err := format.Streams(context.Background(), rawOf("book.xlsx", in), format.Limits{})
	if err != nil || len(streams) != 1 || streams[0].At == nil || streams[0].Packing != "" {
		t.Errorf("got %+v, %v", streams, err)
	}
}

func TestDamagedPacking(t *testing.T) {
	whole := gzipped(t, strings.Repeat("some text, ", 1000)+"end")
	crc := bytes.Clone(whole)
	crc[len(crc)-6] ^= 1
	frame := zstded(t, strings.Repeat("some text, ", 1000)+"end")
	frameCRC := bytes.Clone(frame)
	frameCRC[len(frameCRC)-1] ^= 1
	member := zipped(t, "x.csv", strings.Repeat("abc", 100))
	flipped := bytes.Clone(member)
	flipped[40] ^= 0xff
	bomb := strings.Repeat("0", 40<<20)
	tests := []struct {
		name string
		in   []byte
		lim  format.Limits
		kind genesis.ErrorKind
		says string
	}{
		{"gzip cut", whole[:len(whole)/2], format.Limits{}, genesis.Invalid, "truncated"},
		{"gzip cut in its trailer", whole[:len(whole)-3], format.Limits{}, genesis.Invalid, "truncated"},
		{"gzip checksum", crc, format.Limits{}, genesis.Invalid, "checksum"},
		{"second member cut", append(bytes.Clone(whole), whole[:20]...), format.Limits{}, genesis.Invalid, "gzip"},
		{"zstd cut", frame[:len(frame)-6], format.Limits{}, genesis.Invalid, "zstd"},
		{"zstd checksum", frameCRC, format.Limits{}, genesis.Invalid, "checksum"},
		{"zip cut", member[:len(member)-10], format.Limits{}, genesis.Invalid, "zip"},
		{"zip member flipped", flipped, format.Limits{}, genesis.Invalid, "zip"},
		{"gzip in zip", zipped(t, "x.gz", string(whole)), format.Limits{}, genesis.Unsupported, "inside"},
		{"zip in gzip", gzipped(t, string(member)), format.Limits{}, genesis.Unsupported, "inside"},
		{"gzip in gzip", gzipped(t, string(whole)), format.Limits{}, genesis.Unsupported, "inside"},
		{"too many members", zipped(t, "a", "1", "b", "2", "c", "3"), format.Limits{Members: 2}, genesis.Invalid, "limit"},
		{"gzip bomb", gzipped(t, bomb), format.Limits{Expansion: 500}, genesis.Invalid, "500 times"},
		{"zstd bomb", zstded(t, bomb), format.Limits{}, genesis.Invalid, "1000 times"},
		{"zip bomb", zipped(t, "x.csv", bomb), format.Limits{Expansion: 500}, genesis.Invalid, "500 times"},
		{"nothing but what climbs", zipped(t, "../x.csv", "1"), format.Limits{}, genesis.Invalid, "../x.csv"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := contents(rawOf("f", tt.in), tt.lim)
			if genesis.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %.100q, %v, want an error of kind %s that says %q", got, err, tt.kind, tt.says)
			}
		})
	}
}

// TestSmallBombIsFree lets what stays below 16 MiB expand as it likes.
func TestSmallBombIsFree(t *testing.T) {
	in := zstded(t, strings.Repeat("0", 8<<20))
	got, _, err := contents(rawOf("f", in), format.Limits{})
	if err != nil || len(got[0]) != 8<<20+2 {
		t.Errorf("%v", err)
	}
}

func TestSpool(t *testing.T) {
	streams, err := format.Streams(context.Background(), rawOf("f", gzipped(t, "hello")), format.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	at, n, release, err := streams[0].Spool(dir, 0)
	if err != nil || n != 5 {
		t.Fatalf("%d bytes, %v", n, err)
	}
	b := make([]byte, 3)
	if _, err := at.ReadAt(b, 2); err != nil || string(b) != "llo" {
		t.Errorf("read %q, %v", b, err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if _, _, _, err := streams[0].Spool(dir, 4); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("beyond the space: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestPipe hands over a file that cannot be read twice.
func TestPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() { io.WriteString(w, "a,b\n1,2\n"); w.Close() }()
	raw, err := format.NewRaw("-", r)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.At.(io.Closer).Close()
	if got, _, err := contents(raw, format.Limits{}); err != nil || got[0] != "-=a,b\n1,2\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestOpenRaw(t *testing.T) {
	if _, _, err := format.OpenRaw(t.TempDir()); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("a folder: %v", err)
	}
	if _, _, err := format.OpenRaw(t.TempDir() + "/none"); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("no file: %v", err)
	}
}

// FuzzStreams unpacks anything: no panic, and nothing beyond the limits.
func FuzzStreams(f *testing.F) {
	f.Add(gzipped(f, "a,b\n", "1,2\n"))
	f.Add(zstded(f, "a,b\n1,2\n"))
	f.Add(zipped(f, "x.csv", "a,b\n", "../y", "1"))
	f.Fuzz(func(t *testing.T, in []byte) {
		raw := rawOf("f", in)
		streams, err := format.Streams(context.Background(), raw, format.Limits{Members: 10})
		if err != nil {
			return
		}
		for _, s := range streams {
			r, err := s.OpenRead()
			if err != nil {
				continue
			}
			n, _ := io.Copy(io.Discard, r)
			r.Close()
			if n > 17<<20 && n > 1001*int64(len(in)+4096) {
				t.Errorf("%d bytes came out of %d", n, len(in))
			}
		}
	})
}
