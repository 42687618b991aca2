package node

import (
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access/identity"
	"github.com/opengenesis/genesis/internal/format"
)

var update = flag.Bool("update", false, "rewrite docs/config.md")

// defaults is what an empty file gives, written out.
func defaults() Config {
	c := Config{
		Node: "local", Memory: DefaultMemory,
		Limits:  format.Limits{Columns: 100_000, Expansion: 1000, Depth: 1000, RowBytes: 64 << 20, Members: 10_000},
		Serve:   ServeConfig{Listen: "127.0.0.1:8472", Body: 16 << 20, Rate: RateConfig{PerSecond: 50, Burst: 200}, Streams: 1024, Drain: 30 * time.Second},
		Uploads: UploadsConfig{Max: 100e9, Quota: 500e9, Expire: 168 * time.Hour},
		Runs:    RunsConfig{Queue: 100, Time: 24 * time.Hour, Keep: 90 * 24 * time.Hour, KeepLast: 100},
		Streams: StreamsConfig{Cache: 20e9, Memory: 512e6},
		Journal: JournalConfig{Window: time.Minute},
		Log:     LogConfig{Level: "info", Format: "text"},
	}
	c.Identity.Session = SessionConfig{Idle: 8 * time.Hour, Absolute: 24 * time.Hour}
	c.Telemetry.OTLP.Share = 1
	return c
}

// with returns the defaults, changed.
func with(change func(*Config)) Config {
	c := defaults()
	change(&c)
	return c
}

func TestConfigValues(t *testing.T) {
	for _, c := range []struct {
		text string
		want Config
	}{
		{"", defaults()},
		{"# nothing\n", defaults()},
		{"{}", defaults()},
		{"node: nrel\nmemory: 2GiB\nthreads: 4\nlimits: {columns: 7, row: 1MiB, depth: 3, expansion: 9, members: 2}", with(func(c *Config) {
			c.Node, c.Memory, c.Threads = "nrel", 2<<30, 4
			c.Limits = format.Limits{Columns: 7, RowBytes: 1 << 20, Depth: 3, Expansion: 9, Members: 2}
		})},
		{"serve:\n  listen: '[::1]:80'\n  tls:\n    cert: a\n    key: b\n  drain: 0s\n", with(func(c *Config) {
			c.Serve.Listen, c.Serve.TLS, c.Serve.Drain = "[::1]:80", TLSConfig{"a", "b"}, 0
		})},
		{"serve: {listen: '0.0.0.0:80', insecure: true}", with(func(c *Config) { c.Serve.Listen, c.Serve.Insecure = "0.0.0.0:80", true })},
		{"paths: [/a, /b]\nruns: {memory: 0}", with(func(c *Config) { c.Paths = []string{"/a", "/b"} })},
		{"identity: {providers: [{id: x, issuer: 'https://i', client_id: c, rules: [{when: 'true', duties: [steward], student: true}]}]}", with(func(c *Config) {
			c.Identity.Providers = []identity.Provider{{ID: "x", Issuer: "https://i", ClientID: "c", Scopes: []string{"profile", "email"}, Remember: 720 * time.Hour,
				SubjectClaim: "sub", GroupsClaim: "groups", Rules: []identity.Rule{{When: "true", Duties: []genesis.Duty{"steward"}, Student: true}}}}
		})},
	} {
		got, err := parseConfig("config.yaml", []byte(c.text))
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%q: %v %s", c.text, err, diff)
		}
	}
}

// TestConfigMistakes: every mistake is named by its line and key.
func TestConfigMistakes(t *testing.T) {
	for _, c := range []struct{ text, says, hint string }{
		{"memory: lots", "line 1: memory: \"lots\" is not a size", ""},
		{"memory: 1KB", "line 1: memory: \"1KB\" is not between 64MiB and 1PiB", ""},
		{"node: NREL", "line 1: node: \"NREL\" is not 1 to 64", ""},
		{"node: [a]", "line 1: node: has no value", ""},
		{"node:\n", "line 1: node: has no value", ""},
		{"node: yes", "", ""}, // a word
		{"node: true", "line 1: node:", ""},
		{"threads: -1", "line 1: threads: \"-1\" is not between", ""},
		{"threads: many", "line 1: threads: \"many\" is not a whole number", ""},
		{"threads: 1.5", "line 1: threads:", ""},
		{"node: x\n\nmemry: 1GB", "line 3: memry: is not a key", "did you mean memory?"},
		{"server:\n  listen: x", "line 1: server: is not a key", "did you mean serve?"},
		{"serve:\n  lisen: x", "line 2: serve.lisen: is not a key", "did you mean serve.listen?"},
		{"listen: 127.0.0.1:1", "line 1: listen: is not a key", "did you mean serve.listen?"},
		{"xyzzy: 1", "line 1: xyzzy: is not a key", "docs/config.md lists the keys"},
		{"limits: {row: 3TB}", "line 1: limits.row", ""},
		{"limits: 3", "line 1: limits: is not a group", ""},
		{"limits:\n  columns: 0", "line 2: limits.columns: \"0\" is not between", ""},
		{"- a\n- b", "line 1: is not a group", ""},
		{"node: a\nnode: b", "line 2: node: is there twice", ""},
		{"node: a\n---\nnode: b", "only one document", ""},
		{"node: [a\n", "line 1", ""},
		{"a: &a [*a]", "line 1: a: is not a key", ""},
		{"node: &a x\ninstitution: *a", "line 2: institution: has no value", ""},
		{"serve: {listen: '0.0.0.0:80'}", "line 1: serve.listen: \"0.0.0.0:80\" is reached by others", "set serve.tls.cert"},
		{"serve:\n\n  listen: '[2001:db8::1]:80'", "line 3: serve.listen:", ""},
		{"serve: {listen: 'example.org:80'}", "serve.listen: \"example.org:80\" is not a host and port", ""},
		{"serve: {listen: '127.0.0.1:99999'}", "serve.listen:", ""},
		{"serve: {insecure: 1}", "serve.insecure: \"1\" is not true or false", ""},
		{"serve: {tls: {cert: a}}", "line 1: serve.tls.cert: has no serve.tls.key", ""},
		{"serve: {tls: {key: a}}", "line 1: serve.tls.key: has no serve.tls.cert", ""},
		{"serve: {rate: {per_second: .nan}}", "serve.rate.per_second:", ""},
		{"serve: {drain: 5}", "serve.drain: \"5\" is not a duration", ""},
		{"paths: /data", "line 1: paths: is not a list", ""},
		{"paths:\n- /data\n- data", "line 3: paths: \"data\" is not an absolute path", ""},
		{"telemetry: {metrics: {listen: '0.0.0.0:9'}}", "telemetry.metrics.listen: \"0.0.0.0:9\" is not a loopback", ""},
		{"identity: {session: {idle: 48h}}", "line 1: identity.session.idle: is longer than", ""},
		{"uploads: {quota: 1GB}", "uploads.max: is larger than uploads.quota", ""},
		{"identity:\n  providers:\n  - {id: a, issuer: 'https://i'}", "line 3: identity.providers[0]: needs id, issuer and client_id", ""},
		{"identity:\n  providers:\n  - {id: a, issuer: 'http://i', client_id: c}", "line 3: identity.providers[0].issuer:", ""},
		{"identity:\n  providers:\n  - {id: a, issuer: 'https://i', client_id: c, rules: [{assurence: mfa}]}", "line 3: identity.providers[0].rules[0].assurence: is not a key", "did you mean identity.providers[0].rules[0].assurance?"},
		{"identity:\n  providers:\n  - {id: a, issuer: 'https://i', client_id: c}\n  - {id: a, issuer: 'https://j', client_id: c}", "line 4: identity.providers[1]: has the id of another", ""},
		{"sector: academia", "line 1: sector: \"academia\" is not one of federal", ""},
		{"url: https://example.org/path", "line 1: url:", ""},
		{"log: {level: loud}", "log.level: \"loud\" is not one of debug", ""},
	} {
		_, err := parseConfig("config.yaml", []byte(c.text))
		if c.says == "" {
			if err != nil {
				t.Errorf("%q: %v", c.text, err)
			}
			continue
		}
		if genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if hint := err.(*genesis.Error).Hint; !strings.Contains(hint, c.hint) {
			t.Errorf("%q: hint %q", c.text, hint)
		}
	}
}

// TestKeysCoverConfig: every field of Config has exactly one key, and every key
// says all there is to say.
func TestKeysCoverConfig(t *testing.T) {
	check := func(name string, keys []key, of any) {
		pointed := map[uintptr]string{}
		for _, k := range keys {
			p := reflect.ValueOf(k.field(of)).Pointer()
			if pointed[p] != "" {
				t.Errorf("%s and %s are one field", pointed[p], k.name)
			}
			pointed[p] = k.name
			if k.doc == "" || k.kind == "" || k.kind != objects && k.example == "" || strings.HasSuffix(k.kind2(), "bounds") {
				t.Errorf("%s %s is not declared whole", name, k.name)
			}
		}
		for _, p := range leaves(reflect.ValueOf(of).Elem()) {
			if pointed[p.addr] == "" && p.path != "Limits.Batch" {
				t.Errorf("%s: no key for the field %s", name, p.path)
			}
		}
	}
	check("config", keys, &Config{})
	check("provider", providerKeys, &identity.Provider{})
	check("rule", ruleKeys, &identity.Rule{})
}

// kind2 is "bounds" for what needs bounds and has none.
func (k key) kind2() string {
	switch k.kind {
	case number, decimal, size, duration:
		if k.least == "" || k.most == "" {
			return "bounds"
		}
	case plainText, textList:
		if k.form.ok == nil {
			return "bounds"
		}
	}
	return ""
}

type leaf struct {
	path string
	addr uintptr
}

func leaves(v reflect.Value) (all []leaf) {
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		if f.Kind() == reflect.Struct {
			for _, l := range leaves(f) {
				all = append(all, leaf{name + "." + l.path, l.addr})
			}
			continue
		}
		all = append(all, leaf{name, f.Addr().Pointer()})
	}
	return all
}

// TestExamples: every example and default is taken.
func TestExamples(t *testing.T) {
	for _, k := range keys {
		lines, indent := "", ""
		parts := strings.Split(k.name, ".")
		for i, p := range parts {
			lines += indent + p + ":"
			if indent += "  "; i < len(parts)-1 {
				lines += "\n"
			}
		}
		for _, value := range []string{k.sample(), k.def} {
			if value == "" {
				continue
			}
			_, err := parseConfig("config.yaml", []byte(lines+" "+value+"\n"))
			if err != nil && !strings.Contains(err.Error(), "beside it") && !strings.Contains(err.Error(), "reached by others") && !strings.Contains(err.Error(), "is larger than uploads.quota") {
				t.Error(err)
			}
		}
	}
	if _, err := parseConfig("example", []byte(configExample)); err != nil {
		t.Error(err)
	}
}

// TestTemplate: the keys of a new config.yaml, with the comment signs taken away,
// are YAML that says what holds without them, where that is anything.
func TestTemplate(t *testing.T) {
	text := ""
	for line := range strings.Lines(configTemplate()) {
		if line = strings.TrimPrefix(line, "# "); strings.HasSuffix(line, ":\n") || strings.Contains(line, ": ") {
			text += line
		}
	}
	for _, example := range []string{"institution", "sector", "url", "paths", "hosts", "proxies", "cert", "key", "providers", "passwords", "dir", "endpoint"} {
		text = without(text, example)
	}
	text = strings.Replace(text, "listen: 127.0.0.1:9472", "", 1) // of metrics
	text = strings.NewReplacer("  tls:\n", "", "policy:\n", "", "  metrics:\n", "").Replace(text)
	got, err := parseConfig("template", []byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if diff := cmp.Diff(defaults(), got); diff != "" {
		t.Errorf("%s in\n%s", diff, text)
	}
	if c, err := parseConfig("template", []byte(configTemplate())); err != nil || !cmp.Equal(c, defaults()) {
		t.Errorf("the template itself changes something: %v", err)
	}
}

func without(text, key string) (out string) {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), key+":") {
			out += line
		}
	}
	return out
}

// TestConfigDoc holds docs/config.md against the keys; -update writes it.
func TestConfigDoc(t *testing.T) {
	const path = "../../docs/config.md"
	if *update {
		if err := os.WriteFile(path, []byte(configDoc()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil || string(b) != configDoc() {
		t.Errorf("docs/config.md is not what the keys say (%v): go test ./internal/node -run TestConfigDoc -update", err)
	}
}

func TestConfigResolvesPaths(t *testing.T) {
	c := Config{Serve: ServeConfig{TLS: TLSConfig{Cert: "keys/a", Key: "/etc/b"}}, Identity: IdentityConfig{Passwords: "p", Providers: []identity.Provider{{ClientSecretFile: "s"}}}}
	c.resolve("/home/g")
	if c.Serve.TLS.Cert != "/home/g/keys/a" || c.Serve.TLS.Key != "/etc/b" || c.Policy.Dir != "" || c.Identity.Passwords != "/home/g/p" || c.Identity.Providers[0].ClientSecretFile != "/home/g/s" {
		t.Errorf("%+v", c)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(configTemplate()))
	f.Add([]byte(configExample))
	f.Add([]byte("memory: 512MB\nlimits: {row: 1MiB}"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("identity: {providers: [{id: a, rules: [{when: x}]}]}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseConfig("config.yaml", b)
		if err != nil {
			if genesis.KindOf(err) != genesis.Invalid {
				t.Errorf("%q: %v", b, err)
			}
			return
		}
		if c.Memory < 64<<20 || c.Node == "" || c.Threads < 0 || c.Serve.Body < 64<<10 || c.Limits.Columns < 1 || c.Uploads.Max > c.Uploads.Quota {
			t.Errorf("%q gives %+v", b, c)
		}
		if host := strings.Split(c.Serve.Listen, ":")[0]; host == "0.0.0.0" && !c.Serve.Insecure && c.Serve.TLS.Cert == "" {
			t.Errorf("%q serves strangers in the clear", b)
		}
	})
}
