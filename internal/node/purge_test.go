//go:build linux || darwin

package node

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/testdata"
)

// cell is what is in every file that is to be purged.
const cell = "Zebedee-4711"

// people is a table with the cell, which a finding quotes.
func people() string {
	csv := "a,b,c\n"
	for i := range 150 {
		c := fmt.Sprint(i * 7919 % 101)
		if i == 75 {
			c = cell
		}
		csv += []string{"1.5", "2.5"}[i%2] + "," + []string{"3", "4", "5"}[i%3] + "," + c + "\n"
	}
	return csv
}

// upload brings a file as somebody, and returns how a request names it.
func (w *town) upload(who, name, content string) string {
	w.Helper()
	status, body := w.call(who, "POST", "/v1/uploads", `{"name":"`+name+`"}`)
	var u genesis.Upload
	if err := json.Unmarshal(body, &u); err != nil || status != 200 {
		w.Fatalf("%d %s", status, body)
	}
	req, err := http.NewRequestWithContext(w.Context(), "PATCH", w.url+"/v1/uploads/"+u.ID, strings.NewReader(content))
	if err != nil {
		w.Fatal(err)
	}
	for k, v := range map[string]string{"Authorization": "Bearer " + w.token[who], "Content-Type": "application/partial-upload", "Upload-Offset": "0", "Upload-Complete": "?1"} {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 {
		w.Fatalf("%d %s", resp.StatusCode, b)
	}
	return `{"path":"` + name + `","token":"` + genesis.UploadToken + u.ID + `"}`
}

// run has a run carried out, and returns it as it ended.
func (w *town) run(who, request string) genesis.Run {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), "POST", w.url+"/v1/runs", strings.NewReader(request))
	if err != nil {
		w.Fatal(err)
	}
	for k, v := range map[string]string{"Authorization": "Bearer " + w.token[who], "Content-Type": "application/json"} {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	var r genesis.Run
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || json.Unmarshal(b, &r) != nil {
		w.Fatalf("%d %s", resp.StatusCode, b)
	}
	for began := time.Now(); !r.State.Ended(); time.Sleep(20 * time.Millisecond) {
		_, body := w.call(who, "GET", "/v1/runs/"+r.ID, "")
		if err := json.Unmarshal(body, &r); err != nil || time.Since(began) > time.Minute {
			w.Fatalf("%s", body)
		}
	}
	return r
}

// TestPurgeLeavesNothing: after a purge no run, no log, no upload and no file of the home
// holds what was in the version; that the runs were is still known.
func TestPurgeLeavesNothing(t *testing.T) {
	var home string
	w := newTown(t, func(h *Home, _ *Options) { home = h.Path })
	csv := people()
	file, other := w.upload("sam", "people.csv", csv), w.upload("sam", "other.csv", "a,b\n1,2\n")
	made := w.run("sam", `{"kind":"prepare","request":{"name":"people","files":[`+file+`],"options":{"no_proof":true}}}`)
	if made.State != genesis.RunDone {
		t.Fatalf("%+v %+v", made, made.Error)
	}
	failed := w.run("sam", `{"kind":"prepare","request":{"name":"people","recipe":"no recipe `+cell+`","files":[`+file+`]}}`)
	if failed.State != genesis.RunFailed {
		t.Fatalf("%+v", failed)
	}
	w.must(w.works.SetCard(t.Context(), w.local, "people", map[string]string{"title": "People"}))
	trained := w.run("sam", `{"kind":"train","request":{"dataset":"people","name":"net","target":["a"],"epochs":1,"members":1}}`)
	if trained.State != genesis.RunDone {
		t.Fatalf("%+v", trained.Error)
	}
	v, err := w.works.Describe(t.Context(), w.local, "people")
	w.must(v, err)
	if len(testdata.Holding(t, home, cell)) == 0 || !bytes.Contains(made.Result, []byte(cell)) {
		t.Fatalf("the cell is nowhere to begin with: %s", made.Result)
	}
	kept := `INSERT INTO idempotency (claim, person, request, status, content_type, location, body, expires_at) VALUES ('c', 'here/sam', 'r', 200, 'application/json', '', 'x', 9000000000000000)`
	w.must(nil, w.works.db.Tx(t.Context(), func(tx *sql.Tx) error { _, err := tx.Exec(kept); return err }))
	out, err := w.works.Purge(t.Context(), w.local, v.Version.Ref().String(), "a spill", nil)
	if err != nil || out.Runs != 3 || out.Uploads != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	for _, r := range []genesis.Run{made, failed, trained} {
		status, body := w.call("sam", "GET", "/v1/runs/"+r.ID, "")
		var now genesis.Run
		if err := json.Unmarshal(body, &now); err != nil || status != 200 || now.State != r.State || now.By.Subject != "sam" || now.Subject != r.Subject {
			t.Errorf("%d %s", status, body)
		}
		if strings.Contains(string(body), cell) || strings.Contains(string(body), `"rmse"`) {
			t.Errorf("the run tells on: %s", body)
		}
		if r.State == genesis.RunDone && !strings.Contains(string(body), `"digest":"`) {
			t.Errorf("it is not known what it made: %s", body)
		}
		if _, body := w.call("sam", "GET", "/v1/runs/"+r.ID+"/log", ""); strings.Contains(string(body), "try 1 starts") {
			t.Errorf("the log is there: %s", body)
		}
	}
	if left := testdata.Holding(t, home, cell); len(left) > 0 {
		t.Errorf("it is still in %v", left)
	}
	status, body := w.call("sam", "GET", "/v1/uploads", "")
	if status != 200 || strings.Contains(string(body), "people.csv") || !strings.Contains(string(body), "other.csv") {
		t.Errorf("uploads are %s (of %s and %s)", body, file, other)
	}
	var bodies int
	if err := w.works.db.Read().QueryRow("SELECT count(body) FROM idempotency").Scan(&bodies); err != nil || bodies != 0 {
		t.Errorf("%d answers are remembered, %v", bodies, err)
	}
	if _, err := w.works.Purge(t.Context(), w.local, v.Version.Ref().String(), "again", nil); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

// TestResultsAfterwards: what a run came to is told as a description is: whole to who may
// read the version now.
func TestResultsAfterwards(t *testing.T) {
	w := newTown(t)
	made := w.run("sam", `{"kind":"prepare","request":{"name":"people","files":[`+w.upload("sam", "people.csv", people())+`]}}`)
	trained := w.run("sam", `{"kind":"train","request":{"dataset":"people","name":"net","target":["a"],"epochs":1,"members":1}}`)
	if made.State != genesis.RunDone || trained.State != genesis.RunDone {
		t.Fatalf("%+v %+v", made.Error, trained.Error)
	}
	for _, c := range []struct {
		tier  genesis.Tier
		whole bool
	}{{"", true}, {genesis.TierControlled, true}, {genesis.TierRestricted, false}} {
		if c.tier != "" {
			w.must(w.works.Publish(t.Context(), w.local, "people", genesis.PublishRequest{Tier: c.tier}))
		}
		for id, quoted := range map[string]string{made.ID: cell, trained.ID: `"rmse"`} {
			status, body := w.call("sam", "GET", "/v1/runs/"+id, "")
			if status != 200 || strings.Contains(string(body), quoted) != c.whole || !strings.Contains(string(body), `"digest":"`) {
				t.Errorf("at tier %q: %d %.600s", c.tier, status, body)
			}
			if _, body := w.call("sam", "GET", "/v1/runs/"+id+"/log", ""); id == trained.ID && strings.Contains(string(body), "epoch 1") != c.whole {
				t.Errorf("at tier %q its log is %.600s", c.tier, body)
			}
			if _, body := w.call("sam", "GET", "/v1/runs/"+id+"/events", ""); !c.whole && strings.Contains(string(body), quoted) {
				t.Errorf("at tier %q it is followed to %.600s", c.tier, body)
			}
		}
	}
}
