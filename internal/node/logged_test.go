//go:build linux || darwin

package node

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/testdata"
)

// tensors is a safetensors file of one array with those bytes.
func tensors(data string) string {
	head := fmt.Sprintf(`{"__metadata__":{"format":"pt"},"w":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}`, len(data), len(data))
	return string(binary.LittleEndian.AppendUint64(nil, uint64(len(head)))) + head + data
}

// weights is the data of those files.
const weights = "Quagga-1883 weights"

// logged logs a model of one part.
func (w *town) logged(who, name string, inputs ...string) genesis.LoggedModel {
	w.Helper()
	status, body := w.logs(who, name, "model.safetensors", tensors(weights), inputs...)
	var line genesis.Line[genesis.LoggedModel]
	if err := json.Unmarshal(lastLine(body), &line); err != nil || status != 200 || line.Result == nil {
		w.Fatalf("%d %s", status, body)
	}
	return *line.Result
}

func (w *town) logs(who, name, part, content string, inputs ...string) (int, []byte) {
	w.Helper()
	refs := []string{}
	for _, in := range inputs {
		refs = append(refs, `{"ref":"`+in+`","split":"train","epochs":"0-3"}`)
	}
	return w.call(who, "POST", "/v1/models", `{"name":"`+name+`","framework":"pytorch","framework_version":"2.9","parts":{"`+part+`":`+w.upload(who, part, content)+
		`},"inputs":[`+strings.Join(refs, ",")+`],"metrics":[{"name":"rmse","value":0.7319,"split":"test"}],"parameters":{"lr":0.001}}`)
}

func lastLine(body []byte) []byte {
	lines := bytes.Split(bytes.TrimSpace(body), []byte("\n"))
	return lines[len(lines)-1]
}

// exact is the reference by digest of what a name means now.
func (w *town) exact(name string) string {
	w.Helper()
	d, err := w.works.Describe(w.Context(), w.local, name)
	if err != nil {
		w.Fatal(err)
	}
	return d.Version.Ref().String()
}

// tables are the names of the tables of a version.
func (w *town) tables(name string) (names []string) {
	w.Helper()
	d, err := w.works.Describe(w.Context(), w.local, name)
	if err != nil {
		w.Fatal(err)
	}
	for _, t := range d.Manifest.Tables {
		names = append(names, t.Name)
	}
	return names
}

// TestConstraintsTravelOutside: a model that was trained elsewhere is open to exactly
// those to whom one is that was trained here on the same, whatever becomes of that.
func TestConstraintsTravelOutside(t *testing.T) {
	w := newTown(t)
	hidden, shown := true, false
	grant := w.lend("source", long(300), genesis.TrainOn, genesis.Read, genesis.Infer)
	source := w.exact("source")
	if status, body := w.call("gil", "POST", "/v1/train", `{"dataset":"source","name":"~gil/here","target":["a"],"epochs":1,"members":1}`); status != 200 || !strings.Contains(string(body), `"result"`) {
		t.Fatalf("%d %s", status, body)
	}
	if made := w.logged("gil", "~gil/there", source); made.Version.State != genesis.Draft || made.Version.Kind != genesis.Model || len(made.Findings) != 0 {
		t.Errorf("it is %+v", made)
	}
	see := func(name, part string) map[string]string {
		all := map[string]string{}
		for _, who := range kinds {
			for _, path := range []string{"/v1/versions/", "/v1/models/"} {
				path += url.PathEscape(name)
				if strings.HasPrefix(path, "/v1/models/") {
					path += "/parts/" + part
				}
				status, _ := w.call(who, "GET", path, "")
				all[who+" GET"] += fmt.Sprint(" ", status)
			}
			var c genesis.Conditions
			status, body := w.call(who, "GET", "/v1/versions/"+url.PathEscape(name)+"/conditions", "")
			if status == 200 && json.Unmarshal(body, &c) != nil {
				t.Fatalf("%s", body)
			}
			all[who+" may"] = fmt.Sprint(c.You, len(c.Constraints))
		}
		return all
	}
	same := func(when string) {
		t.Helper()
		here, there := see("~gil/here", "model.json"), see("~gil/there", "model.safetensors")
		if diff := cmp.Diff(here, there); diff != "" {
			t.Errorf("%s, -trained here +trained elsewhere:\n%s", when, diff)
		}
	}
	same("drafts")
	for _, name := range []string{"~gil%2Fhere", "~gil%2Fthere"} {
		if status, body := w.call("gil", "POST", "/v1/versions/"+name+"/publish", `{"tier":"public"}`); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
	}
	same("published as public")
	if there := see("~gil/there", "model.safetensors"); there["nobody GET"] != " 404 404" || there["ada GET"] != " 200 403" || there["gil GET"] != " 200 200" || there["sam GET"] != " 200 200" {
		t.Errorf("who sees it: %v", there)
	}
	for _, step := range []struct {
		when string
		req  genesis.PublishRequest
	}{
		{"hidden", genesis.PublishRequest{Hidden: &hidden}},
		{"shown", genesis.PublishRequest{Hidden: &shown}},
		{"partner", genesis.PublishRequest{Tier: genesis.TierPartner, Partners: []string{"university"}}},
		{"restricted", genesis.PublishRequest{Tier: genesis.TierRestricted}},
		{"no inferring", genesis.PublishRequest{Tier: genesis.TierControlled, Uses: &genesis.Uses{Infer: genesis.UseNo, Train: genesis.UseNo}}},
	} {
		w.must(w.works.Publish(t.Context(), w.local, "source", step.req))
		same(step.when)
	}
	w.must(w.works.Revoke(t.Context(), w.local, grant.ID, "over"))
	same("revoked")
	for _, tier := range []genesis.Tier{genesis.TierRegistered, genesis.TierPublic} {
		w.must(w.works.Publish(t.Context(), w.local, "source", genesis.PublishRequest{Tier: tier, Uses: &genesis.Uses{}}))
		same(string(tier))
	}
	w.must(w.works.Withdraw(t.Context(), w.local, "source", "wrong"))
	same("withdrawn")
	d, err := w.works.Describe(t.Context(), w.local, source)
	if err != nil || len(d.UsedBy) != 2 {
		t.Errorf("its source is used by %v, %v", d.UsedBy, err)
	}
}

// TestInputsMustBeReadable: an input that one may not know of is as if it were not
// there, one that may not be read is refused with the rule, and what may be read and not
// trained on is a question to who publishes the model.
func TestInputsMustBeReadable(t *testing.T) {
	w := newTown(t)
	w.prepare("secret", "a,b\n1,2\n3,4\n")
	there := w.exact("secret")
	absent := genesis.Ref{Name: "absent", Digest: genesis.DigestOf([]byte("x"))}.String()
	answer := func(ref string) string {
		status, body := w.logs("ada", "~ada/net", "model.safetensors", tensors(weights), ref)
		return fmt.Sprint(status, " ", strings.NewReplacer(ref, "REF", strings.Split(ref, "@")[0], "NAME").Replace(steady(string(body))))
	}
	if a, b := answer(there), answer(absent); a != b || !strings.HasPrefix(a, "404 ") {
		t.Errorf("what is hidden: %s\nwhat is absent: %s", a, b)
	}
	for _, c := range []struct {
		name    string
		actions []genesis.Action
		want    int
		finding string
	}{
		{"trainable", []genesis.Action{genesis.TrainOn}, 403, ""},
		{"readable", []genesis.Action{genesis.Read}, 200, "not-for-training"},
		{"both", []genesis.Action{genesis.Read, genesis.TrainOn}, 200, ""},
	} {
		w.lend(c.name, "a,b\n1,2\n3,"+c.name+"\n", c.actions...)
		ref := w.exact(c.name)
		status, body := w.logs("gil", "~gil/"+c.name, "model.safetensors", tensors(weights), ref)
		if status != c.want || strings.Contains(string(body), `"code":"not-for-training"`) != (c.finding != "") {
			t.Errorf("%s: %d %s", c.name, status, body)
		}
		page, err := w.works.Audit(t.Context(), w.local, genesis.AuditQuery{Act: "log-model", Actor: "here/gil", Limit: 1})
		if logged := err == nil && len(page.Entries) == 1 && page.Entries[0].Subject == "~gil/"+c.name; logged != (c.want == 200) || logged && !strings.Contains(string(page.Entries[0].Detail), ref) {
			t.Errorf("%s: the log has %+v, %v", c.name, page, err)
		}
	}
	if status, _ := w.call("gil", "GET", "/v1/versions/~gil%2Ftrainable", ""); status != 404 {
		t.Errorf("a refused one is there: %d", status)
	}
	for name, body := range map[string]string{"a bare name": "both", "a number": "both@1"} {
		if status, b := w.logs("gil", "~gil/loose", "model.safetensors", tensors(weights), body); status != 422 || !strings.Contains(string(b), w.exact("both")) {
			t.Errorf("%s: %d %s", name, status, b)
		}
	}
	if status, body := w.logs("gil", "gils", "model.safetensors", tensors(weights), w.exact("both")); status != 403 {
		t.Errorf("another's name: %d %s", status, body)
	}
	input := func(more string) string { return `{"ref":"` + w.exact("both") + `",` + more + `}` }
	for name, c := range map[string]struct {
		input string
		want  int
	}{
		"a table":         {input(`"table":"` + w.tables("both")[0] + `"`), 200},
		"no table":        {input(`"table":"other"`), 422},
		"no split":        {input(`"split":"mine/train"`), 422},
		"no key":          {input(`"key":"ABC"`), 422},
		"a key":           {input(`"key":"` + genesis.DigestOf(nil).Hex() + `"`), 200},
		"a long epoch":    {input(`"epochs":"` + strings.Repeat("x", 1001) + `"`), 422},
		"another member":  {input(`"rows":5`), 422},
		"not a reference": {`{"ref":"../x"}`, 422},
		"nothing":         {`{"ref":""}`, 422},
		"too many":        {strings.Repeat(input(`"split":"train"`)+",", 100) + input(`"split":"train"`), 422},
	} {
		status, body := w.call("gil", "POST", "/v1/models", `{"name":"~gil/in","framework":"jax","parts":{"a.bin":`+w.upload("gil", "a.bin", "x")+`},"inputs":[`+c.input+`]}`)
		if status != c.want {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

// TestStatedInputsStay: the same parts logged again without their inputs go on owing to
// them, and a model of this node is not made one of elsewhere.
func TestStatedInputsStay(t *testing.T) {
	w := newTown(t)
	w.lend("one", long(300), genesis.Read, genesis.TrainOn)
	w.lend("two", "a,b\n1,2\n", genesis.Read, genesis.TrainOn)
	one, two := w.exact("one"), w.exact("two")
	first := w.logged("gil", "~gil/net", one)
	w.must(w.works.SetCard(t.Context(), w.local, "~gil/net", map[string]string{"title": "Mine"}))
	again := w.logged("gil", "~gil/net", two)
	none := w.logged("gil", "~gil/net")
	if !again.Unchanged || !none.Unchanged || none.Version.Digest != first.Version.Digest || len(none.Findings) != 0 {
		t.Errorf("%+v", none)
	}
	var refs []string
	for _, in := range none.Report.Logged.Inputs {
		refs = append(refs, in.Ref.String())
	}
	if slices.Sort(refs); !cmp.Equal(refs, []string{one, two}) {
		t.Errorf("inputs are %v", refs)
	}
	d, err := w.works.Describe(t.Context(), w.local, "~gil/net")
	if err != nil || d.Card.Title != "Mine" || len(d.Provenance.Parents) != 2 {
		t.Errorf("%+v, %v", d, err)
	}
	// the parts of a model that was trained here
	if status, body := w.call("gil", "POST", "/v1/train", `{"dataset":"one","name":"~gil/own","target":["a"],"epochs":1,"members":1}`); status != 200 || !strings.Contains(string(body), `"result"`) {
		t.Fatalf("%d %s", status, body)
	}
	parts := []string{}
	for _, part := range []string{"model.json", "weights.safetensors"} {
		status, content := w.call("gil", "GET", "/v1/models/~gil%2Fown/parts/"+part, "")
		if status != 200 {
			t.Fatalf("%d %s", status, content)
		}
		parts = append(parts, `"`+part+`":`+w.upload("gil", part, string(content)))
	}
	body := `{"name":"~gil/own","framework":"other","parts":{` + strings.Join(parts, ",") + `}}`
	if status, b := w.call("gil", "POST", "/v1/models", body); status != 409 || !strings.Contains(string(b), "trained here") {
		t.Errorf("%d %s", status, b)
	}
	if status, b := w.logs("gil", "~gil/own", "model.json", "{}"); status != 200 {
		t.Errorf("another version: %d %s", status, b)
	}
	// a model may be an input
	status, b := w.logs("gil", "~gil/tuned", "tuned.safetensors", tensors("x"), w.exact("~gil/net"))
	if status != 422 || !strings.Contains(string(b), "is no table") {
		t.Errorf("a split of a model: %d %s", status, b)
	}
	body = `{"name":"~gil/tuned","framework":"other","parts":{"m.safetensors":` + w.upload("gil", "m", tensors("x")) + `},"inputs":[{"ref":"` + w.exact("~gil/net") + `"}]}`
	if status, b := w.call("gil", "POST", "/v1/models", body); status != 200 || !strings.Contains(string(b), `"result"`) {
		t.Errorf("a model that was trained further: %d %s", status, b)
	}
	var c genesis.Conditions
	if _, b := w.call("gil", "GET", "/v1/versions/~gil%2Ftuned/conditions", ""); json.Unmarshal(b, &c) != nil || len(c.Constraints) != 3 {
		t.Errorf("it owes %s", b)
	}
}

// TestOddModels: what is no model is refused, and leaves nothing.
func TestOddModels(t *testing.T) {
	w := newTown(t)
	good := tensors(weights)
	for name, c := range map[string]struct {
		part, content string
		want          int
	}{
		"good":                {"model.safetensors", good, 200},
		"any file":            {"config.json", "{}", 200},
		"empty":               {"config.json", "", 422},
		"cut tensors":         {"m.safetensors", good[:len(good)-1], 422},
		"longer tensors":      {"m.safetensors", good + "x", 422},
		"a pickle as tensors": {"m.safetensors", "\x80\x04\x95" + strings.Repeat("x", 50), 422},
		"a pickle as ONNX":    {"m.onnx", "\x80\x04\x95" + strings.Repeat("x", 50), 422},
		"text as ONNX":        {"M.ONNX", "not a model", 422},
		"ONNX":                {"m.onnx", "\x08\x09\x3a\x02\x0a\x00\x42\x02\x10\x15", 200},
		"up":                  {"../m.bin", "x", 422}, "absolute": {"/etc/passwd", "x", 422}, "a folder": {"a/b", "x", 422}, "backslash": {`a\\b`, "x", 422},
		"dots": {"..", "x", 422}, "hidden": {".bashrc", "x", 422}, "a device": {"NUL.bin", "x", 422}, "ends in a dot": {"model.", "x", 422},
		"a control": {`a\u0007b`, "x", 422}, "a line": {`a\nb`, "x", 422}, "turned round": {"a\u202eb", "x", 422}, "no name": {"", "x", 422}, "long": {strings.Repeat("a", 101), "x", 422},
	} {
		up := w.upload("ada", "f", c.content)
		status, body := w.call("ada", "POST", "/v1/models", `{"name":"~ada/`+genesis.DigestOf([]byte(name)).Hex()[:8]+`","framework":"pytorch","parts":{"`+c.part+`":`+up+`}}`)
		if status != c.want || status == 200 && !strings.Contains(string(body), `"result"`) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	other := w.upload("gil", "gils", good)
	file := w.upload("ada", "f", good)
	absent := `{"path":"f","token":"upload:none"}`
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"no parts":            {`"parts":{}`, 422},
		"another's upload":    {`"parts":{"a":` + other + `}`, 404},
		"no upload":           {`"parts":{"a":` + absent + `}`, 404},
		"one file twice":      {`"parts":{"a":` + file + `,"b":` + file + `}`, 422},
		"case":                {`"parts":{"a":` + file + `,"A":` + w.upload("ada", "g", "x") + `}`, 422},
		"no framework":        {`"framework":"My Framework","parts":{"a":` + file + `}`, 422},
		"nameless metric":     {`"framework":"jax","metrics":[{"name":" ","value":1}],"parts":{"a":` + file + `}`, 422},
		"not a number":        {`"framework":"jax","metrics":[{"name":"rmse","value":"1"}],"parts":{"a":` + file + `}`, 422},
		"a long version":      {`"framework":"jax","framework_version":"` + strings.Repeat("v", 101) + `","targets":["` + strings.Repeat("v", 101) + `"],"parts":{"a":` + file + `}`, 422},
		"no code":             {`"framework":"jax","code":"main.py","parts":{"a":` + file + `}`, 422},
		"large parameters":    {`"framework":"jax","parameters":{"a":"` + strings.Repeat("x", 64<<10) + `"},"parts":{"a":` + file + `}`, 422},
		"deep parameters":     {`"framework":"jax","parameters":{"a":` + strings.Repeat("[", 8) + strings.Repeat("]", 8) + `},"parts":{"a":` + file + `}`, 422},
		"parameters":          {`"framework":"jax","parameters":{"a":` + strings.Repeat("[", 7) + "12345678901234567890" + strings.Repeat("]", 7) + `},"parts":{"a":` + file + `}`, 200},
		"name of a dataset":   {`"framework":"jax","parts":{"a":` + file + `}`, 409},
		"a file at the node":  {`"framework":"jax","parts":{"a":{"token":"path:/etc/passwd"}}`, 403},
		"sixty-five of them":  {`"framework":"jax","parts":{` + manyParts(65) + `}`, 422},
		"a long description":  {`"framework":"jax","description":"` + strings.Repeat("x", 64<<10+1) + `","parts":{"a":` + file + `}`, 422},
		"a hundred-one goals": {`"framework":"jax","targets":["a"` + strings.Repeat(`,"a"`, 100) + `],"parts":{"a":` + file + `}`, 422},
	} {
		asset := "~ada/odd"
		if name == "name of a dataset" {
			asset = "~ada/rows"
			w.must(nil, func() error { w.prepare(asset, "a,b\n1,2\n"); return nil }())
		}
		framework := `"framework":"jax",`
		if strings.Contains(c.body, `"framework"`) {
			framework = ""
		}
		status, body := w.call("ada", "POST", "/v1/models", `{"name":"`+asset+`",`+framework+c.body+`}`)
		if status != c.want || status == 200 && !strings.Contains(string(body), `"result"`) {
			t.Errorf("%s: %d %.300s", name, status, body)
		}
		if status == 200 && !strings.Contains(string(body), "12345678901234567890") {
			t.Errorf("%s: a number was changed: %s", name, body)
		}
	}
}

func manyParts(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"p%d":{"path":"p","token":"upload:%d"}`, i, i))
	}
	return strings.Join(all, ",")
}

// TestLoggingTwice: under one key a model is logged once.
func TestLoggingTwice(t *testing.T) {
	w := newTown(t)
	body := `{"name":"~ada/net","framework":"jax","parts":{"a.bin":` + w.upload("ada", "a", "x") + `}}`
	ask := func(body string) (int, string, string) {
		req, err := http.NewRequestWithContext(t.Context(), "POST", w.url+"/v1/models", strings.NewReader(body))
		w.must(nil, err)
		for k, v := range map[string]string{"Authorization": "Bearer " + w.token["ada"], "Content-Type": "application/json", "Idempotency-Key": "once"} {
			req.Header.Set(k, v)
		}
		resp, err := http.DefaultClient.Do(req)
		w.must(nil, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		w.must(nil, err)
		return resp.StatusCode, resp.Header.Get("Idempotency-Replayed"), string(lastLine(b))
	}
	status, replayed, first := ask(body)
	if status != 200 || replayed != "" || !strings.Contains(first, `"result"`) {
		t.Fatalf("%d %s", status, first)
	}
	if status, replayed, again := ask(body); status != 200 || replayed != "true" || again != first {
		t.Errorf("again: %d %s %s, not %s", status, replayed, again, first)
	}
	if status, _, other := ask(strings.Replace(body, "jax", "other", 1)); status != 422 {
		t.Errorf("another request: %d %s", status, other)
	}
	page, err := w.works.Audit(t.Context(), w.local, genesis.AuditQuery{Act: "log-model"})
	if err != nil || len(page.Entries) != 1 {
		t.Errorf("the log has %+v, %v", page, err)
	}
}

// TestModelParts: the bytes of a part, whole and by ranges.
func TestModelParts(t *testing.T) {
	w := newTown(t)
	w.lend("source", "a,b\n1,2\n", genesis.Read, genesis.TrainOn)
	content := tensors(weights)
	made := w.logged("gil", "~gil/net", w.exact("source"))
	tag := `"` + string(genesis.DigestOf([]byte(content))) + `"`
	for name, c := range map[string]struct {
		part   string
		header map[string]string
		want   int
		body   string
	}{
		"whole":          {"model.safetensors", nil, 200, content},
		"a range":        {"model.safetensors", map[string]string{"Range": "bytes=8-9"}, 206, content[8:10]},
		"the end":        {"model.safetensors", map[string]string{"Range": "bytes=-7"}, 206, content[len(content)-7:]},
		"of this":        {"model.safetensors", map[string]string{"Range": "bytes=0-0", "If-Range": tag}, 206, content[:1]},
		"of another":     {"model.safetensors", map[string]string{"Range": "bytes=0-0", "If-Range": `"x"`}, 200, content},
		"behind the end": {"model.safetensors", map[string]string{"Range": "bytes=9999-"}, 416, ""},
		"no part":        {"config.json", nil, 404, ""},
		"up":             {"..%2F..%2Fconfig.yaml", nil, 404, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/v1/models/"+url.PathEscape(made.Version.Ref().String())+"/parts/"+c.part, nil)
		w.must(nil, err)
		req.Header.Set("Authorization", "Bearer "+w.token["gil"])
		for k, v := range c.header {
			req.Header.Set(k, v)
		}
		resp, err := http.DefaultClient.Do(req)
		w.must(nil, err)
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.want || c.body != "" && string(b) != c.body || c.want < 300 && resp.Header.Get("Etag") != tag {
			t.Errorf("%s: %d %v %q, %v", name, resp.StatusCode, resp.Header, b, err)
		}
	}
	page, err := w.works.Audit(t.Context(), w.local, genesis.AuditQuery{Act: "read", Actor: "here/gil"})
	if err != nil || !slices.ContainsFunc(page.Entries, func(e genesis.AuditEntry) bool { return e.Subject == "~gil/net" && e.Outcome == genesis.Allowed }) {
		t.Errorf("the log has %+v, %v", page, err)
	}
	status, body := w.call("gil", "POST", "/v1/predict", `{"model":"~gil/net","files":[],"format":"csv"}`)
	if status != 501 || !strings.Contains(string(body), "genesis model get") {
		t.Errorf("predicting: %d %s", status, body)
	}
	status, body = w.call("gil", "POST", "/v1/versions/~gil%2Fnet/verify", "")
	if status != 200 || !strings.Contains(string(body), `"blobs":1`) || !strings.Contains(string(body), `"damage":[]`) {
		t.Errorf("verifying: %d %s", status, body)
	}
	if status, body := w.call("gil", "GET", "/v1/diff?from=~gil%2Fnet&to=~gil%2Fnet", ""); status != 422 {
		t.Errorf("comparing: %d %s", status, body)
	}
}

// TestRevocationEndsModelDownloads: also in the middle of a part.
func TestRevocationEndsModelDownloads(t *testing.T) {
	w := newTown(t)
	g := w.lend("source", "a,b\n1,2\n", genesis.Read, genesis.TrainOn)
	if status, body := w.logs("gil", "~gil/net", "model.bin", strings.Repeat("0123456789abcdef", 4<<20), w.exact("source")); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/v1/models/~gil%2Fnet/parts/model.bin", nil)
	w.must(nil, err)
	req.Header.Set("Authorization", "Bearer "+w.token["gil"])
	resp, err := http.DefaultClient.Do(req)
	w.must(nil, err)
	defer resp.Body.Close()
	if _, err := io.CopyN(io.Discard, resp.Body, 1<<20); err != nil {
		t.Fatal(err)
	}
	w.must(w.works.Revoke(t.Context(), w.local, g.ID, "over"))
	time.Sleep(1500 * time.Millisecond)
	if n, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Errorf("%d bytes more came, to the end", n)
	}
	if status, _ := w.call("gil", "GET", "/v1/models/~gil%2Fnet/parts/model.bin", ""); status != 403 {
		t.Errorf("afterwards: %d", status)
	}
}

// TestLoggedModelsAreToldOf: what is said of a model to whom.
func TestLoggedModelsAreToldOf(t *testing.T) {
	w := newTown(t)
	hidden := true
	w.lend("source", "a,b\n1,2\n", genesis.Read, genesis.TrainOn)
	w.must(w.works.Publish(t.Context(), w.local, "source", genesis.PublishRequest{Hidden: &hidden}))
	source := w.exact("source")
	w.logged("gil", "~gil/net", source)
	if status, body := w.call("gil", "POST", "/v1/versions/~gil%2Fnet/publish", `{"tier":"controlled"}`); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	told := func(who string) string {
		status, body := w.call(who, "GET", "/v1/versions/~gil%2Fnet", "")
		return fmt.Sprint(status, " ", string(body))
	}
	if got := told("gil"); !strings.Contains(got, "0.7319") || !strings.Contains(got, source) || !strings.Contains(got, `"inputs_stated":true`) {
		t.Errorf("its maker: %s", got)
	}
	if got := told("ada"); !strings.HasPrefix(got, "404 ") {
		t.Errorf("a stranger: %s", got)
	}
	w.must(w.works.Lower(t.Context(), w.local, "~gil/net", genesis.LowerRequest{Source: source, Tier: genesis.TierRegistered, Reason: "open"}))
	if got := told("ada"); !strings.HasPrefix(got, "200 ") || strings.Contains(got, "0.7319") || strings.Contains(got, "source@") || strings.Contains(got, "epochs\":\"") || strings.Contains(got, `"lr"`) || !strings.Contains(got, `"inputs_stated":true`) {
		t.Errorf("who may know of it: %s", got)
	}
	w.must(w.works.Publish(t.Context(), w.local, "~gil/net", genesis.PublishRequest{Tier: genesis.TierRegistered}))
	if got := told("ada"); !strings.Contains(got, "0.7319") || strings.Contains(got, "source@") {
		t.Errorf("who may read it: %s", got)
	}
}

// TestLifeOfLoggedModels: published once what is asked was answered, opened, withdrawn,
// purged; swept and backed up like any version.
func TestLifeOfLoggedModels(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	w, stop, _ := settled(t, home)
	net := w.logged("gil", "~gil/net")
	if len(net.Findings) != 1 || net.Findings[0].ID != "inputs-not-stated" || net.Report.Logged.InputsStated || net.Report.Logged.Inputs == nil {
		t.Errorf("%+v", net)
	}
	version := "/v1/versions/~gil%2Fnet"
	if status, body := w.call("gil", "POST", version+"/publish", `{"tier":"controlled"}`); status < 400 || !strings.Contains(string(body), "inputs-not-stated") {
		t.Errorf("published unanswered: %d %s", status, body)
	}
	for _, step := range [][2]string{{version + "/findings/inputs-not-stated", `{"answer":"made up"}`}, {version + "/publish", `{"tier":"controlled"}`}} {
		if status, body := w.call("gil", "POST", step[0], step[1]); status != 200 {
			t.Fatalf("%s: %d %s", step[0], status, body)
		}
	}
	part := "/v1/models/~gil%2Fnet/parts/model.safetensors"
	status := func(who string) int { s, _ := w.call(who, "GET", part, ""); return s }
	if got := status("nobody"); got != 404 {
		t.Errorf("before it opens: %d", got)
	}
	w.must(w.works.Publish(t.Context(), w.local, "~gil/net", genesis.PublishRequest{Openings: []genesis.Opening{{At: time.Now().Add(time.Second), Tier: genesis.TierPublic}}}))
	for began := time.Now(); status("nobody") != 200; time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("it does not open: %d", status("nobody"))
		}
	}
	w.must(w.works.Sweep(t.Context(), w.local, false, nil))
	if got := status("nobody"); got != 200 {
		t.Errorf("after a sweep: %d", got)
	}
	to := filepath.Join(t.TempDir(), "copy")
	b := w.backUp(to)
	token := w.token
	stop()
	restored := filepath.Join(t.TempDir(), "home")
	if _, err := Restore(t.Context(), to, restored, b.Digest, nil); err != nil {
		t.Fatal(err)
	}
	w, _ = reopen(t, restored, token)
	if s, body := w.call("nobody", "GET", part, ""); s != 200 || string(body) != tensors(weights) {
		t.Errorf("restored: %d %q", s, body)
	}
	w.must(w.works.Withdraw(t.Context(), w.local, "~gil/net", "wrong"))
	if got := []int{status("nobody"), status("gil")}; !cmp.Equal(got, []int{410, 200}) {
		t.Errorf("withdrawn: %v", got)
	}
	if s, body := w.logs("gil", "~gil/net", "model.safetensors", tensors(weights)); s != 409 {
		t.Errorf("withdrawn and logged again: %d %s", s, body)
	}
	if len(testdata.Holding(t, restored, weights)) == 0 {
		t.Fatal("the weights are nowhere to begin with")
	}
	out, err := w.works.Purge(t.Context(), w.local, "~gil/net", "a spill", nil)
	if err != nil || out.Uploads != 2 {
		t.Errorf("%+v, %v", out, err)
	}
	if left := testdata.Holding(t, restored, weights); len(left) > 0 {
		t.Errorf("it is still in %v", left)
	}
	if s, body := w.logs("gil", "~gil/net", "model.safetensors", tensors(weights)); s != 409 {
		t.Errorf("purged and logged again: %d %s", s, body)
	}
}

// turning is a file in the middle of which something happens.
type turning struct {
	io.ReaderAt
	turn func()
}

func (f turning) ReadAt(b []byte, at int64) (int, error) {
	if at > 0 {
		f.turn()
	}
	return f.ReaderAt.ReadAt(b, at)
}

// person is who comes with somebody's token.
func (w *town) person(name string) genesis.Principal {
	w.Helper()
	who, err := w.works.Authenticate(&http.Request{Header: http.Header{"Authorization": {"Bearer " + w.token[name]}}})
	w.must(nil, err)
	return who
}

// TestRevocationEndsLogging: a right that ends while the parts are stored ends it.
func TestRevocationEndsLogging(t *testing.T) {
	w := newTown(t)
	g := w.lend("source", "a,b\n1,2\n", genesis.Read, genesis.TrainOn)
	var req genesis.LogModelRequest
	if err := json.Unmarshal([]byte(`{"name":"~gil/net","framework":"jax","parts":{"a.bin":{"token":"x"}},"inputs":[{"ref":"`+w.exact("source")+`"}]}`), &req); err != nil {
		t.Fatal(err)
	}
	content := make([]byte, 3<<20)
	file := turning{bytes.NewReader(content), sync.OnceFunc(func() {
		w.must(w.works.Revoke(t.Context(), w.local, g.ID, "over"))
		time.Sleep(1500 * time.Millisecond)
	})}
	who := w.person("gil")
	_, err := w.works.LogModel(t.Context(), who, req, map[string]*format.Raw{"a.bin": {Name: "a.bin", Size: int64(len(content)), At: file}}, nil)
	if k := genesis.KindOf(err); k != genesis.Permission && k != genesis.Private {
		t.Errorf("%v", err)
	}
	if _, err := w.works.Describe(t.Context(), w.local, "~gil/net"); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("it is there: %v", err)
	}
}

// TestStatedAtOnce: what several say at once of the same parts is all kept.
func TestStatedAtOnce(t *testing.T) {
	w := newTown(t)
	var inputs []string
	for i := range 4 {
		name := fmt.Sprintf("source-%d", i)
		w.lend(name, fmt.Sprintf("a,b\n1,%d\n", i), genesis.Read, genesis.TrainOn)
		inputs = append(inputs, w.exact(name))
	}
	who := w.person("gil")
	for round := range 5 {
		content := fmt.Sprint("weights ", round)
		var wg sync.WaitGroup
		for _, in := range inputs {
			var req genesis.LogModelRequest
			w.must(nil, json.Unmarshal([]byte(`{"name":"~gil/net","framework":"jax","parts":{"a.bin":{"token":"x"}},"inputs":[{"ref":"`+in+`"}]}`), &req))
			wg.Go(func() {
				_, err := w.works.LogModel(t.Context(), who, req, map[string]*format.Raw{"a.bin": {Name: "a.bin", Size: int64(len(content)), At: strings.NewReader(content)}}, nil)
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		d, err := w.works.Describe(t.Context(), w.local, "~gil/net")
		w.must(nil, err)
		var got []string
		for _, in := range d.Report.Logged.Inputs {
			got = append(got, in.Ref.String())
		}
		if slices.Sort(got); !cmp.Equal(got, inputs) || len(d.Provenance.Parents) != len(inputs) {
			t.Errorf("round %d: %d inputs and %d parents are kept", round, len(got), len(d.Provenance.Parents))
		}
	}
}

// TestAnswersAreOfWhatWasAsked: that somebody agreed to training on one input says nothing
// of another one.
func TestAnswersAreOfWhatWasAsked(t *testing.T) {
	w := newTown(t)
	w.lend("one", "a,b\n1,2\n", genesis.Read)
	w.lend("two", "a,b\n3,4\n", genesis.Read)
	answer := func(inputs ...string) string {
		t.Helper()
		for _, f := range w.logged("gil", "~gil/net", inputs...).Findings {
			if f.ID == "not-for-training" {
				return f.Answer
			}
		}
		return "no question"
	}
	if got := answer(w.exact("one")); got != "" {
		t.Fatal(got)
	}
	_, err := w.works.Answer(t.Context(), w.local, "~gil/net", "not-for-training", "ada agreed")
	w.must(nil, err)
	for _, step := range []struct {
		inputs []string
		want   string
	}{{[]string{w.exact("one")}, "ada agreed"}, {nil, "ada agreed"}, {[]string{w.exact("one"), w.exact("two")}, ""}} {
		if got := answer(step.inputs...); got != step.want {
			t.Errorf("with %v the answer is %q", step.inputs, got)
		}
	}
}
