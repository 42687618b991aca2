package node

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access/identity"
)

// key declares one key of config.yaml: the only place where its type, default,
// bounds and meaning are written. The parser, docs/config.md and the file of a new
// home follow from it.
type key struct {
	name    string // with the groups it is in: "serve.tls.cert"
	kind    kind
	def     string        // as config.yaml spells it; "" for nothing
	least   string        // bounds of numbers, sizes and durations
	most    string        // likewise
	zero    bool          // 0 is taken whatever least says
	form    form          // of texts and of the members of lists
	example string        // for docs/config.md
	doc     string        // one sentence or two
	of      []key         // of objects: the keys of each
	field   func(any) any // pointer into what the keys describe
}

// kind is how a value is spelled.
type kind string

const (
	plainText kind = "text"
	number    kind = "number"
	decimal   kind = "decimal"
	size      kind = "size"
	duration  kind = "duration"
	truth     kind = "true or false"
	textList  kind = "list of texts"
	objects   kind = "list of groups"
)

// form is what a text has to look like.
type form struct {
	says string // "a host and port": for people
	ok   func(string) bool
}

// at makes a field function of one with types.
func at[T any](f func(*T) any) func(any) any {
	return func(v any) any { return f(v.(*T)) }
}

var (
	nodeForm     = form{"1 to 64 of a-z, 0-9 and -", regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`).MatchString}
	lineForm     = form{"a line of at most 200 bytes", isLine(200)}
	scopeForm    = form{"a word", regexp.MustCompile(`^[!#-\[\]-~]{1,100}$`).MatchString}
	urlForm      = form{"an https:// or http:// URL without path", isOrigin}
	issuerForm   = form{"an https:// URL, or http:// on this machine", isIssuer}
	endpointForm = form{"an https:// or http:// URL", isURL}
	listenForm   = form{"a host and port like 127.0.0.1:8472", isListen}
	loopbackForm = form{"a loopback address and port like 127.0.0.1:9472", isLoopback}
	hostForm     = form{"a host name in lower case, without port", regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`).MatchString}
	networkForm  = form{"an IP address or network like 10.0.0.0/8", func(s string) bool { _, err := network(s); return err == nil }}
	pathForm     = form{"a path", func(s string) bool { return !strings.ContainsRune(s, 0) && len(s) < 4096 }}
	rootForm     = form{"an absolute path", func(s string) bool { return filepath.IsAbs(s) && !strings.ContainsRune(s, 0) && len(s) < 4096 }}
	celForm      = form{"a CEL expression of at most 4000 bytes", func(s string) bool { return s != "" && len(s) <= 4000 }}
)

// oneOf is the form of an enumeration.
func oneOf[T ~string](all ...T) form {
	words := make([]string, len(all))
	for i, w := range all {
		words[i] = string(w)
	}
	return form{"one of " + strings.Join(words, ", "), func(s string) bool { return slices.Contains(words, s) }}
}

// groups say what the keys of a group are for, in the order of docs/config.md.
var groups = []struct{ name, doc string }{
	{"", "The node"},
	{"limits", "What a raw file may cost before it is refused"},
	{"serve", "How genesis serve listens, and what it takes on at once"},
	{"uploads", "Files that come in over the network"},
	{"runs", "Preparing, training and predicting"},
	{"identity", "How people sign in"},
	{"policy", "The institution's own rules"},
	{"streams", "Training streams"},
	{"journal", "Evidence"},
	{"telemetry", "Figures and traces for operators"},
	{"log", "What genesis serve logs on standard error"},
}

var keys = []key{
	{name: "node", kind: plainText, def: "local", form: nodeForm, example: "nrel", field: at(func(c *Config) any { return &c.Node }),
		doc: "Id of this node, for others."},
	{name: "institution", kind: plainText, form: lineForm, example: "National Laboratory of the Rockies", field: at(func(c *Config) any { return &c.Institution }),
		doc: "Who runs the node, in words."},
	{name: "sector", kind: plainText, form: oneOf(genesis.Sectors...), example: "laboratory", field: at(func(c *Config) any { return &c.Sector }),
		doc: "What kind of institution that is."},
	{name: "url", kind: plainText, form: urlForm, example: "https://data.example.edu", field: at(func(c *Config) any { return &c.URL }),
		doc: "The URL under which others reach the node. Its host is a name the node answers to."},
	{name: "memory", kind: size, def: "512MB", least: "64MiB", most: "1PiB", example: "8GB", field: at(func(c *Config) any { return &c.Memory }),
		doc: "What work on data may hold in memory at once, whatever its size."},
	{name: "threads", kind: number, def: "0", least: "0", most: "4096", example: "8", field: at(func(c *Config) any { return &c.Threads }),
		doc: "Cores to use; 0 means all."},
	{name: "paths", kind: textList, form: rootForm, example: "[/data/raw]", field: at(func(c *Config) any { return &c.Paths }),
		doc: "Folders at the node from which stewards may name files in requests from elsewhere. Links that lead out are not followed. Commands on this machine need none: they hand over open files."},

	{name: "limits.columns", kind: number, def: "100000", least: "1", most: "100000000", example: "5000", field: at(func(c *Config) any { return &c.Limits.Columns }),
		doc: "Columns of a table."},
	{name: "limits.expansion", kind: number, def: "1000", least: "1", most: "1000000", example: "100", field: at(func(c *Config) any { return &c.Limits.Expansion }),
		doc: "Bytes unpacked per packed byte."},
	{name: "limits.depth", kind: number, def: "1000", least: "1", most: "100000", example: "100", field: at(func(c *Config) any { return &c.Limits.Depth }),
		doc: "Nesting of JSON."},
	{name: "limits.row", kind: size, def: "64MiB", least: "1KiB", most: "1GiB", example: "1MiB", field: at(func(c *Config) any { return &c.Limits.RowBytes }),
		doc: "One row."},
	{name: "limits.members", kind: number, def: "10000", least: "1", most: "10000000", example: "100", field: at(func(c *Config) any { return &c.Limits.Members }),
		doc: "Files in an archive."},

	{name: "serve.listen", kind: plainText, def: "127.0.0.1:8472", form: listenForm, example: "0.0.0.0:443", field: at(func(c *Config) any { return &c.Serve.Listen }),
		doc: "Where HTTP is served. An address that others reach needs serve.tls, or serve.insecure."},
	{name: "serve.insecure", kind: truth, def: "false", example: "true", field: at(func(c *Config) any { return &c.Serve.Insecure }),
		doc: "Serve without TLS on an address that others reach: for a node behind a proxy of its own on a network nobody else listens to. Tokens and data pass in the clear."},
	{name: "serve.hosts", kind: textList, form: hostForm, example: "[data.example.edu]", field: at(func(c *Config) any { return &c.Serve.Hosts }),
		doc: "Further names the node answers to. IP addresses and localhost always are; requests for other names are refused, so that no page can make a browser call the node under a name of the page's choice."},
	{name: "serve.proxies", kind: textList, form: networkForm, example: "[10.0.0.5]", field: at(func(c *Config) any { return &c.Serve.Proxies }),
		doc: "Proxies in front of the node, by address or network. On their connections the caller's address, for limits and the log, is the last one in X-Forwarded-For that is not among them; on others the field is not heeded."},
	{name: "serve.tls.cert", kind: plainText, form: pathForm, example: "keys/tls.crt", field: at(func(c *Config) any { return &c.Serve.TLS.Cert }),
		doc: "File with the certificate chain, PEM; seen from the home. Read again when it changes, and on SIGHUP."},
	{name: "serve.tls.key", kind: plainText, form: pathForm, example: "keys/tls.key", field: at(func(c *Config) any { return &c.Serve.TLS.Key }),
		doc: "File with its private key, PEM."},
	{name: "serve.body", kind: size, def: "16MiB", least: "64KiB", most: "64MiB", example: "4MiB", field: at(func(c *Config) any { return &c.Serve.Body }),
		doc: "The body of a request, except the bytes of uploads."},
	{name: "serve.rate.per_second", kind: decimal, def: "50", least: "0", most: "1000000", example: "10", field: at(func(c *Config) any { return &c.Serve.Rate.PerSecond }),
		doc: "Requests a second that one caller may make for long: a person, or the address of those who did not sign in. 0 means as many as they like."},
	{name: "serve.rate.burst", kind: number, def: "200", least: "1", most: "1000000", example: "20", field: at(func(c *Config) any { return &c.Serve.Rate.Burst }),
		doc: "Requests one caller may make at once after a pause."},
	{name: "serve.concurrency", kind: number, def: "0", least: "0", most: "100000", example: "32", field: at(func(c *Config) any { return &c.Serve.Concurrency }),
		doc: "Short requests answered at once; the rest get 429 without waiting, so that those that are in stay fast. 0 means eight per core."},
	{name: "serve.streams", kind: number, def: "1024", least: "1", most: "1000000", example: "256", field: at(func(c *Config) any { return &c.Serve.Streams }),
		doc: "Long requests at once: uploads, downloads, work that is watched. Heavy ones count for several. One caller gets an eighth of them, or 8; those who did not sign in, and the people of all other nodes, three quarters together, those of one other node half."},
	{name: "serve.drain", kind: duration, def: "30s", least: "0s", most: "1h", example: "5m", field: at(func(c *Config) any { return &c.Serve.Drain }),
		doc: "How long requests may go on after Ctrl-C or SIGTERM before they are cut."},

	{name: "uploads.max", kind: size, def: "100GB", least: "1KiB", most: "1PiB", example: "1TB", field: at(func(c *Config) any { return &c.Uploads.Max }),
		doc: "One file."},
	{name: "uploads.quota", kind: size, def: "500GB", least: "1KiB", most: "1PiB", example: "2TB", field: at(func(c *Config) any { return &c.Uploads.Quota }),
		doc: "One person's files together, until they expire or are removed, and what is kept for their runs until those have ended; all people of one other node have as much together."},
	{name: "uploads.expire", kind: duration, def: "168h", least: "1m", most: "8760h", example: "24h", field: at(func(c *Config) any { return &c.Uploads.Expire }),
		doc: "How long a file stays after its last bytes came in."},

	{name: "runs.concurrent", kind: number, def: "0", least: "0", most: "10000", example: "4", field: at(func(c *Config) any { return &c.Runs.Concurrent }),
		doc: "Runs at once; 0 means one per two cores, and at least two."},
	{name: "runs.queue", kind: number, def: "100", least: "1", most: "1000000", example: "20", field: at(func(c *Config) any { return &c.Runs.Queue }),
		doc: "Runs that wait for their turn; further ones are refused."},
	{name: "runs.memory", kind: size, def: "0", least: "64MiB", most: "1PiB", zero: true, example: "16GB", field: at(func(c *Config) any { return &c.Runs.Memory }),
		doc: "What a run may hold in memory before it is ended; 0 means three quarters of the machine's, shared by those at once."},
	{name: "runs.time", kind: duration, def: "24h", least: "1s", most: "8760h", example: "2h", field: at(func(c *Config) any { return &c.Runs.Time }),
		doc: "How long one try of a run may take before it is ended."},
	{name: "runs.keep", kind: duration, def: "2160h", least: "1h", most: "876000h", example: "720h", field: at(func(c *Config) any { return &c.Runs.Keep }),
		doc: "How long a run that is ended, its result and its log can be looked up; 2160h are 90 days. What it made stays, and the evidence in the journal. Runs that wait or go on are never removed."},
	{name: "runs.keep_last", kind: number, def: "100", least: "1", most: "100000000", example: "1000", field: at(func(c *Config) any { return &c.Runs.KeepLast }),
		doc: "Runs that stay however old they are, the newest."},

	{name: "identity.providers", kind: objects, of: providerKeys, field: at(func(c *Config) any { return &c.Identity.Providers }),
		doc: "OpenID Connect providers by which people sign in, beside the accounts of the node itself."},
	{name: "identity.passwords", kind: plainText, form: pathForm, example: "leaked-passwords.txt", field: at(func(c *Config) any { return &c.Identity.Passwords }),
		doc: "File of passwords that nobody may take, one a line: those that are common, or leaked elsewhere; seen from the home. A million cost 8 MB. Without it, a short list that is in the program."},
	{name: "identity.session.idle", kind: duration, def: "8h", least: "1m", most: "720h", example: "30m", field: at(func(c *Config) any { return &c.Identity.Session.Idle }),
		doc: "How long a session lasts after it was last used."},
	{name: "identity.session.absolute", kind: duration, def: "24h", least: "1m", most: "720h", example: "12h", field: at(func(c *Config) any { return &c.Identity.Session.Absolute }),
		doc: "How long a session lasts after signing in, however much it is used."},

	{name: "policy.dir", kind: plainText, form: pathForm, example: "policy", field: at(func(c *Config) any { return &c.Policy.Dir }),
		doc: "Folder with the institution's own Cedar policies, *.cedar; seen from the home. They are taken or refused whole."},

	{name: "streams.cache", kind: size, def: "20GB", least: "1MiB", most: "1PiB", example: "500GB", field: at(func(c *Config) any { return &c.Streams.Cache }),
		doc: "Rows that streams can be read from in any order, in `cache/` of the home. What was not used for longest goes first; it is made again when it is needed."},
	{name: "streams.memory", kind: size, def: "512MB", least: "1MiB", most: "1PiB", zero: true, example: "16GB", field: at(func(c *Config) any { return &c.Streams.Memory }),
		doc: "Of these rows, copies in memory of those that are being streamed, as far as they fit; 0 for none. It is beside `memory`."},

	{name: "journal.window", kind: duration, def: "1m", least: "0s", most: "1m", example: "10s", field: at(func(c *Config) any { return &c.Journal.Window }),
		doc: "Small reads of one version by one person for one purpose share an opening and a closing entry within this time; 0s gives each its own."},

	{name: "telemetry.metrics.listen", kind: plainText, form: loopbackForm, example: "127.0.0.1:9472", field: at(func(c *Config) any { return &c.Telemetry.Metrics.Listen }),
		doc: "Where Prometheus metrics are served, on this machine alone. Without it they are at /metrics of the home's socket, and nowhere else."},
	{name: "telemetry.otlp.endpoint", kind: plainText, form: endpointForm, example: "http://127.0.0.1:4318", field: at(func(c *Config) any { return &c.Telemetry.OTLP.Endpoint }),
		doc: "OpenTelemetry collector that gets traces over OTLP/HTTP. Without it there are none."},
	{name: "telemetry.otlp.share", kind: decimal, def: "1", least: "0", most: "1", example: "0.1", field: at(func(c *Config) any { return &c.Telemetry.OTLP.Share }),
		doc: "Share of the traces that are sent."},

	{name: "log.level", kind: plainText, def: "info", form: oneOf("debug", "info", "warn", "error"), example: "warn", field: at(func(c *Config) any { return &c.Log.Level }),
		doc: "The least that is logged. info has a line for every request."},
	{name: "log.format", kind: plainText, def: "text", form: oneOf("text", "json"), example: "json", field: at(func(c *Config) any { return &c.Log.Format }),
		doc: "How lines are written."},
}

var providerKeys = []key{
	{name: "id", kind: plainText, form: nodeForm, example: "campus", field: at(func(p *identity.Provider) any { return &p.ID }),
		doc: "Name of the provider, in URLs and accounts. Required."},
	{name: "title", kind: plainText, form: lineForm, example: "Campus login", field: at(func(p *identity.Provider) any { return &p.Title }),
		doc: "What the sign-in page calls it. Without it, the id."},
	{name: "issuer", kind: plainText, form: issuerForm, example: "https://login.example.edu", field: at(func(p *identity.Provider) any { return &p.Issuer }),
		doc: "The provider's issuer. Required."},
	{name: "client_id", kind: plainText, form: lineForm, example: "genesis", field: at(func(p *identity.Provider) any { return &p.ClientID }),
		doc: "What the provider knows the node as. Required."},
	{name: "client_secret_file", kind: plainText, form: pathForm, example: "keys/campus.secret", field: at(func(p *identity.Provider) any { return &p.ClientSecretFile }),
		doc: "File with the client's secret; seen from the home. Without it the node is a public client: PKCE alone."},
	{name: "scopes", kind: textList, def: "[profile, email]", form: scopeForm, example: "[profile, groups]", field: at(func(p *identity.Provider) any { return &p.Scopes }),
		doc: "What is asked for, besides openid."},
	{name: "acr_values", kind: textList, form: scopeForm, example: "[http://idmanagement.gov/ns/assurance/ial/1]", field: at(func(p *identity.Provider) any { return &p.ACRValues }),
		doc: "Kinds of sign-in asked of the provider, in order of preference."},
	{name: "prompt", kind: plainText, form: oneOf("login", "select_account", "consent"), example: "select_account", field: at(func(p *identity.Provider) any { return &p.Prompt }),
		doc: "How the provider is to ask, where it wants to be told."},
	{name: "userinfo", kind: truth, def: "false", example: "true", field: at(func(p *identity.Provider) any { return &p.UserInfo }),
		doc: "Ask the provider's userinfo endpoint for claims that the ID token lacks."},
	{name: "subject_claim", kind: plainText, def: "sub", form: scopeForm, example: "uid", field: at(func(p *identity.Provider) any { return &p.SubjectClaim }),
		doc: "Claim by which a person is known: one that never changes and is never given to somebody else. Not an address or a name."},
	{name: "groups_claim", kind: plainText, def: "groups", form: scopeForm, example: "roles", field: at(func(p *identity.Provider) any { return &p.GroupsClaim }),
		doc: "Claim with the person's groups."},
	{name: "admit", kind: plainText, form: celForm, example: `"claims.affiliation == 'member@example.edu'"`, field: at(func(p *identity.Provider) any { return &p.Admit }),
		doc: "Condition over claims, in CEL, for signing in at all. Without it, whoever the provider knows."},
	{name: "remember", kind: duration, def: "720h", least: "1h", most: "8760h", example: "24h", field: at(func(p *identity.Provider) any { return &p.Remember }),
		doc: "How long what the rules give holds without signing in again."},
	{name: "rules", kind: objects, of: ruleKeys, field: at(func(p *identity.Provider) any { return &p.Rules }),
		doc: "What people get by their claims; all rules that apply add up."},
}

var ruleKeys = []key{
	{name: "when", kind: plainText, form: celForm, example: `"'data' in claims.groups"`, field: at(func(r *identity.Rule) any { return &r.When }),
		doc: "Condition over claims, in CEL. Required."},
	{name: "duties", kind: textList, form: oneOf(genesis.Duties...), example: "[steward]", field: at(func(r *identity.Rule) any { return &r.Duties }),
		doc: "Duties at this node."},
	{name: "assurance", kind: plainText, form: oneOf(genesis.AssurancePassword, genesis.AssuranceMFA), example: "mfa", field: at(func(r *identity.Rule) any { return &r.Assurance }),
		doc: "How surely the person was recognised."},
	{name: "citizenship", kind: plainText, form: oneOf(genesis.USCitizen, genesis.USPerson, genesis.ForeignNational), example: "us-person", field: at(func(r *identity.Rule) any { return &r.Citizenship }),
		doc: "Class of persons that export rules distinguish."},
	{name: "student", kind: truth, def: "false", example: "true", field: at(func(r *identity.Rule) any { return &r.Student }),
		doc: "Whether they are a student."},
	{name: "vetting", kind: plainText, form: oneOf(genesis.Vetted), example: "vetted", field: at(func(r *identity.Rule) any { return &r.Vetting }),
		doc: "vetted: the provider has vetted them."},
}

func isLine(most int) func(string) bool {
	return func(s string) bool { return s != "" && len(s) <= most && !strings.ContainsAny(s, "\n\r\x00") }
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return isURL(s) && err == nil && u.Path == "" && u.Host == strings.ToLower(u.Host)
}

func isIssuer(s string) bool {
	u, err := url.Parse(s)
	return isURL(s) && err == nil && (u.Scheme == "https" || loopback(u.Hostname()))
}

// network reads an address as the network of itself alone.
func network(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return addr.Prefix(addr.BitLen())
	}
	p, err := netip.ParsePrefix(s)
	if err == nil && p != p.Masked() {
		err = errors.New("has bits set outside of its mask")
	}
	return p, err
}

func isListen(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, portErr := strconv.ParseUint(port, 10, 16)
	return err == nil && portErr == nil && strconv.FormatUint(n, 10) == port && (host == "localhost" || net.ParseIP(host) != nil)
}

func isLoopback(s string) bool {
	host, _, err := net.SplitHostPort(s)
	return isListen(s) && err == nil && loopback(host)
}

// loopback reports whether a host is this machine, for itself alone.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
