package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// platforms are those a release is for: windows has the client commands alone.
const platforms = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64"

// release is one release being built.
type release struct {
	source  string // the repository
	out     string
	version string
	time    time.Time // of the commit
	written []string  // names of files in out
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("release: ")
	source := flag.String("source", "..", "the repository")
	out := flag.String("out", "../dist", "folder to write to; it must not exist")
	only := flag.String("platforms", platforms, "platforms, with commas")
	dirty := flag.Bool("dirty", false, "build a working tree with changes, too, for trying out")
	flag.Parse()
	if err := build(*source, *out, strings.Split(*only, ","), *dirty); err != nil {
		log.Fatal(err)
	}
}

func build(source, out string, platforms []string, dirty bool) error {
	r := &release{source: source, out: out}
	if err := r.look(dirty); err != nil {
		return err
	}
	if err := os.Mkdir(out, 0o755); err != nil {
		return err
	}
	for _, p := range platforms {
		goos, goarch, ok := strings.Cut(p, "/")
		if !ok {
			return fmt.Errorf("%q is not a platform like linux/amd64", p)
		}
		if err := r.platform(goos, goarch); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return r.sums()
}

// look learns version and time from git.
func (r *release) look(dirty bool) error {
	changes, err := r.git("status", "--porcelain")
	if err != nil {
		return err
	}
	if changes != "" && !dirty {
		return errors.New("the working tree has changes: a release is of a commit (or try with -dirty)")
	}
	if r.version, err = r.git("describe", "--tags", "--always", "--match", "v[0-9]*"); err != nil {
		return err
	}
	seconds, err := r.git("log", "-1", "--format=%ct")
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	r.time = time.Unix(n, 0).UTC()
	return err
}

func (r *release) git(args ...string) (string, error) {
	return run(exec.Command("git", append([]string{"-C", r.source}, args...)...))
}

func run(cmd *exec.Cmd) (string, error) {
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, complaint.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// platform writes archive and SBOM of one platform.
func (r *release) platform(goos, goarch string) error {
	temp, err := os.MkdirTemp("", "genesis-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	name := "genesis"
	if goos == "windows" {
		name = "genesis.exe"
	}
	binary := filepath.Join(temp, name)
	if err := r.compile(goos, goarch, binary); err != nil {
		return err
	}
	members, err := r.members(name, binary)
	if err != nil {
		return err
	}
	base := fmt.Sprintf("genesis_%s_%s_%s", strings.TrimPrefix(r.version, "v"), goos, goarch)
	archive, pack := base+".tar.gz", tarGz
	if goos == "windows" {
		archive, pack = base+".zip", zipped
	}
	b, err := pack(base, members, r.time)
	if err != nil {
		return err
	}
	if err := r.write(archive, b); err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	b, err = sbom(info, r.version, members[slices.IndexFunc(members, func(m member) bool { return m.name == name })].content, r.time)
	if err != nil {
		return err
	}
	return r.write(base+".cdx.json", b)
}

// compile builds the binary. -trimpath keeps this machine's folders out;
// -buildvcs puts tag and commit in.
func (r *release) compile(goos, goarch, to string) error {
	abs, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w -buildid=", "-o", abs, "./cmd/genesis")
	cmd.Dir = r.source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=", "GOOS="+goos, "GOARCH="+goarch)
	_, err = run(cmd)
	return err
}

// member is a file of an archive.
type member struct {
	name    string
	mode    int64
	content []byte
}

func (r *release) members(binaryName, binary string) ([]member, error) {
	b, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	all := []member{{binaryName, 0o755, b}}
	for _, name := range []string{"LICENSE", "NOTICE", "README.md", "CHANGELOG.md"} {
		b, err := os.ReadFile(filepath.Join(r.source, name))
		if err != nil {
			return nil, err
		}
		all = append(all, member{name, 0o644, b})
	}
	slices.SortFunc(all, func(a, b member) int { return cmp.Compare(a.name, b.name) })
	return all, nil
}

func (r *release) write(name string, b []byte) error {
	r.written = append(r.written, name)
	return os.WriteFile(filepath.Join(r.out, name), b, 0o644)
}

// sums writes SHA256SUMS, as sha256sum -c reads it.
func (r *release) sums() error {
	slices.Sort(r.written)
	var text strings.Builder
	for _, name := range r.written {
		b, err := os.ReadFile(filepath.Join(r.out, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%x  %s\n", sha256.Sum256(b), name)
	}
	return r.write("SHA256SUMS", []byte(text.String()))
}
