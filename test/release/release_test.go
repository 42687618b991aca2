package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var contents = []string{"CHANGELOG.md", "LICENSE", "NOTICE", "README.md", "genesis"}

// TestRelease builds this machine's platform twice, from two copies of the
// repository in different folders, and looks at everything that comes out.
func TestRelease(t *testing.T) {
	platform := runtime.GOOS + "/" + runtime.GOARCH
	source := clone(t, "../..")
	first, second := releaseOf(t, source, platform), releaseOf(t, clone(t, source), platform)
	names := list(t, first)
	if len(names) != 3 || !slices.Equal(names, list(t, second)) {
		t.Fatalf("the releases hold %v and %v", names, list(t, second))
	}
	for _, name := range names {
		if !bytes.Equal(read(t, first, name), read(t, second, name)) {
			t.Errorf("%s differs between two builds of one commit", name)
		}
	}
	checkSums(t, first)
	archive := names[slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(n, ".tar.gz") })]
	binary := checkArchive(t, read(t, first, archive))
	checkSBOM(t, read(t, first, strings.TrimSuffix(archive, ".tar.gz")+".cdx.json"), binary)
}

// clone copies the last commit of a repository.
func clone(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "clone")
	if out, err := exec.Command("git", "clone", "--quiet", "--no-hardlinks", from, to).CombinedOutput(); err != nil {
		t.Skipf("no repository to build from: %v\n%s", err, out)
	}
	return to
}

func releaseOf(t *testing.T, source, platform string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "dist")
	if err := build(source, out, []string{platform}, false); err != nil {
		t.Fatal(err)
	}
	return out
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func checkSums(t *testing.T, dir string) {
	t.Helper()
	sums := map[string]string{}
	for line := range strings.Lines(string(read(t, dir, "SHA256SUMS"))) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		sums[name] = sum
	}
	for _, name := range list(t, dir) {
		if want := fmt.Sprintf("%x", sha256.Sum256(read(t, dir, name))); name != "SHA256SUMS" && sums[name] != want {
			t.Errorf("SHA256SUMS has %q for %s, want %q", sums[name], name, want)
		}
	}
	if len(sums) != len(list(t, dir))-1 {
		t.Errorf("SHA256SUMS has %d lines", len(sums))
	}
}

// checkArchive returns the binary of an archive.
func checkArchive(t *testing.T, packed []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if !z.ModTime.IsZero() || z.Name != "" {
		t.Errorf("gzip says %q of %v", z.Name, z.ModTime)
	}
	var names []string
	var binary []byte
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		folder, name, _ := strings.Cut(h.Name, "/")
		names = append(names, name)
		if !strings.HasPrefix(folder, "genesis_") || h.Uid != 0 || h.Uname != "" {
			t.Errorf("%s belongs to %d %q", h.Name, h.Uid, h.Uname)
		}
		if name == "genesis" {
			if h.Mode != 0o755 {
				t.Errorf("the program has mode %o", h.Mode)
			}
			if binary, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !slices.Equal(names, contents) {
		t.Errorf("the archive holds %v, want %v", names, contents)
	}
	return binary
}

// checkSBOM holds an SBOM against the schema, and against the binary.
func checkSBOM(t *testing.T, text, binary []byte) {
	t.Helper()
	checkSchema(t, text)
	var got cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(text), cyclonedx.BOMFileFormatJSON).Decode(&got); err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]string{}
	for _, c := range *got.Components {
		named[c.Name] = c.Version
	}
	for _, m := range info.Deps {
		if named[m.Path] != m.Version {
			t.Errorf("the SBOM has %q for %s %s", named[m.Path], m.Path, m.Version)
		}
	}
	if named["std"] != strings.TrimPrefix(info.GoVersion, "go") || len(named) != len(info.Deps)+1 {
		t.Errorf("the SBOM has %d components for %d modules, and std %q", len(named), len(info.Deps), named["std"])
	}
	want := fmt.Sprintf("%x", sha256.Sum256(binary))
	if h := *got.Metadata.Component.Hashes; h[0].Value != want {
		t.Errorf("the SBOM is of the binary %s, not %s", h[0].Value, want)
	}
}

// checkSchema validates against the published schema, which comes with the
// CycloneDX module.
func checkSchema(t *testing.T, text []byte) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	for url, file := range map[string]string{
		"http://cyclonedx.org/schema/bom-1.6.schema.json":  "bom-1.6.schema.json",
		"http://cyclonedx.org/schema/spdx.schema.json":     "spdx.schema.json",
		"http://cyclonedx.org/schema/jsf-0.82.schema.json": "jsf-0.82.schemax.json",
	} {
		path := filepath.Join(strings.TrimSpace(string(dir)), "schema", file)
		f, err := os.Open(path)
		if err != nil {
			t.Logf("%v", err)
			continue
		}
		doc, err := jsonschema.UnmarshalJSON(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(url, doc); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := c.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(v); err != nil {
		t.Error(err)
	}
	delete(v.(map[string]any), "bomFormat")
	if schema.Validate(v) == nil {
		t.Error("the schema finds no fault with anything")
	}
}

func TestZip(t *testing.T) {
	at := time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)
	members := []member{{"LICENSE", 0o644, []byte("free")}, {"genesis.exe", 0o755, []byte("MZ")}}
	first, err := zipped("genesis_1", members, at)
	if err != nil {
		t.Fatal(err)
	}
	second, err := zipped("genesis_1", members, at)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("two archives of the same differ, %v", err)
	}
	r, err := zip.NewReader(bytes.NewReader(first), int64(len(first)))
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range r.File {
		if f.Name != "genesis_1/"+members[i].name || !f.Modified.Equal(at) {
			t.Errorf("the archive has %s of %v", f.Name, f.Modified)
		}
	}
}

func TestRefusesChanges(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{"init", "-q"}, {"-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-q", "--allow-empty", "-m", "x"}} {
		if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Skipf("git: %v %s", err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := build(dir, filepath.Join(t.TempDir(), "dist"), nil, false); err == nil || !strings.Contains(err.Error(), "changes") {
		t.Errorf("a working tree with changes is released: %v", err)
	}
}
