package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// shell runs commands as a person does, one after the other.
type shell struct {
	*testing.T
	env []string
}

func (s shell) run(in string, args ...string) (out, errOut string, status int) {
	s.Helper()
	cmd := exec.Command("genesis", args...)
	var o, e bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = s.env, strings.NewReader(in), &o, &e
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		s.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

func (s shell) ok(in string, args ...string) string {
	s.Helper()
	out, said, status := s.run(in, args...)
	if status != 0 {
		s.Fatalf("%v: %d %s", args, status, said)
	}
	return out
}

// serve starts `genesis serve` and returns where it listens.
func (s shell) serve() string {
	s.Helper()
	cmd := exec.Command("genesis", "serve", "--listen", "127.0.0.1:0", "--json")
	cmd.Env = s.env
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	var said struct{ URL string }
	if err := json.NewDecoder(out).Decode(&said); err != nil {
		s.Fatal(err)
	}
	return said.URL
}

// TestTokenURL: what the command prints reads the table, and no other.
func TestTokenURL(t *testing.T) {
	dir := t.TempDir()
	s := shell{t, append(os.Environ(), "GENESIS_HOME="+filepath.Join(dir, "home"), "XDG_CONFIG_HOME="+filepath.Join(dir, "config"), "GENESIS_NODE=", "GENESIS_TOKEN=")}
	raw := filepath.Join(dir, "wind.csv")
	if err := os.WriteFile(raw, []byte("site,speed\nnorth,7.5\nsouth,6.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.ok("a long and harmless password\n", "account", "add", "sam", "--duties", "steward")
	s.ok("a long and harmless password\n", "account", "add", "ada")
	for _, name := range []string{"wind", "waves"} {
		s.ok("", "prepare", raw, "--name", name, "--no-proof")
	}
	s.ok("", "publish", "wind", "--tier", "controlled")
	at := s.serve()

	if _, said, status := s.run("", "token", "url", "wind"); status != 3 || !strings.Contains(said, "genesis login "+at) {
		t.Errorf("the owner of the home: %d %s", status, said)
	}
	s.ok("a long and harmless password\n", "login", at, "--subject", "ada")
	if out, said, status := s.run("", "--at", at, "token", "url", "wind"); status != 6 || out != "" || !strings.Contains(said, "genesis request wind") {
		t.Errorf("who may not read it: %d %s %s", status, out, said)
	}
	s.ok("a long and harmless password\n", "login", at, "--subject", "sam")
	if _, said, status := s.run("", "--at", at, "token", "url", "wind", "--table", "none"); status != 4 || !strings.Contains(said, "its tables are data") {
		t.Errorf("no such table: %d %s", status, said)
	}
	var made tableURL
	if err := json.Unmarshal([]byte(s.ok("", "--at", at, "--for", "it's wind", "token", "url", "wind", "--days", "2", "--json")), &made); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(made.URL, made.Token) || made.Headers["Authorization"] != "Bearer "+made.Token {
		t.Errorf("the token is not in the header alone: %+v", made)
	}
	if made.URL != at+"/v1/datasets/wind@1/tables/data.parquet" || made.Scopes[0] != "read:wind" || len(made.Scopes) != 1 || time.Until(made.Expires) > 49*time.Hour {
		t.Errorf("%+v", made)
	}
	get := func(url string) (int, string) {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		for name, value := range made.Headers {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	if status, b := get(made.URL); status != 200 || !strings.HasPrefix(b, "PAR1") {
		t.Errorf("%d %s", status, b)
	}
	if status, b := get(strings.Replace(made.URL, "wind@1", "waves", 1)); status != 404 {
		t.Errorf("another dataset: %d %s", status, b)
	}
	var page genesis.AuditPage
	if err := json.Unmarshal([]byte(s.ok("", "audit", "query", "--act", "read", "--json")), &page); err != nil || len(page.Entries) == 0 || page.Entries[0].Purpose != "it's wind" {
		t.Errorf("the log says %+v, %v", page, err)
	}
	said := s.ok("", "--at", at, "token", "url", "waves")
	for _, want := range []string{"waves@sha256:", "pandas.read_parquet(", "scan_pyarrow_dataset(", "CREATE OR REPLACE SECRET", "curl -sSf -H", "genesis token revoke"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %s:\n%s", want, said)
		}
	}
}

// TestSnippetQuotes: what somebody states as a purpose stays text in every language.
func TestSnippetQuotes(t *testing.T) {
	u := tableURL{URL: "https://h/x", ID: "i", Headers: map[string]string{"P": "a'b\"c\\d\nü"}}
	for program, want := range map[string]string{"pandas": `"a'b\"c\\d\n\u00fc"`, "polars": `"a'b\"c\\d\n\u00fc"`, "duckdb": `'a''b"c\d`, "curl": `'P: a'\''b"c\d`} {
		for _, s := range snippets {
			if got := s.write(u); s.program == program && !strings.Contains(got, want) {
				t.Errorf("%s: %s does not hold %s", program, got, want)
			}
		}
	}
}
