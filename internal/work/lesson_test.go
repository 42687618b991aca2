package work

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/compare"
)

// school is a service at which bob trains on what he may not read.
type school struct {
	*testing.T
	*Service
	me, bob genesis.Principal
}

func newSchool(t *testing.T) *school {
	s, _ := OpenTest(t)
	return &school{t, s, access.Local("here"), genesis.Principal{Subject: "bob", Node: "here", Assurance: genesis.AssurancePassword}}
}

// ward is rows first to last of a table whose rows all differ; extra adds columns.
func ward(first, last int, extra ...string) string {
	var b strings.Builder
	b.WriteString(strings.Join(append([]string{"a", "b", "y"}, extra...), ",") + "\n")
	for i := first; i < last; i++ {
		fmt.Fprintf(&b, "%d.5,%d.25,%d.75", i*7919%100_003, i*104729%99_991, i*31%89)
		for k := range extra {
			fmt.Fprintf(&b, ",%d.125", i*(k+37)%1009)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// publish makes a version of tables, by their names, and lets bob train on it.
func (s *school) publish(name string, tables map[string]string) genesis.Version {
	s.Helper()
	var parts []string
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		var rows []string
		lines := strings.Split(strings.TrimSpace(tables[table]), "\n")
		heads := strings.Split(lines[0], ",")
		for _, line := range lines[1:] {
			cells := strings.Split(line, ",")
			for i := range cells {
				cells[i] = fmt.Sprintf("%q:%s", heads[i], cells[i])
			}
			rows = append(rows, "{"+strings.Join(cells, ",")+"}")
		}
		parts = append(parts, fmt.Sprintf("%q:[%s]", table, strings.Join(rows, ",")))
	}
	text := "{" + strings.Join(parts, ",") + "}"
	files := []*format.Raw{{Name: name + ".json", Size: int64(len(text)), At: strings.NewReader(text)}}
	made, err := s.Prepare(s.Context(), s.me, genesis.PrepareRequest{Name: genesis.Name(name), Options: genesis.PrepareOptions{NoProof: true}}, files, nil, nil)
	if err != nil {
		s.Fatal(err)
	}
	if len(made.Manifest.Tables) != len(tables) {
		s.Fatalf("%s has %d tables of %d", name, len(made.Manifest.Tables), len(tables))
	}
	v, err := s.Publish(s.Context(), s.me, made.Version.Ref().String(), genesis.PublishRequest{Tier: genesis.TierControlled, Training: &genesis.TrainingTerms{Targets: []string{"y"}, Features: []string{"a", "b"}}})
	if err != nil {
		s.Fatal(err)
	}
	if _, err := s.Grant(s.Context(), s.me, genesis.GrantRequest{Ref: name, To: "person:bob", Actions: []genesis.Action{genesis.TrainOn}}); err != nil {
		s.Fatal(err)
	}
	return v.Version
}

// train asks for a training by bob, and reports whether it is allowed. Every other
// refusal than that of tables too alike is an error.
func (s *school) train(ref, table string, features ...string) bool {
	s.Helper()
	err := s.allowTraining(s.Context(), s.bob, genesis.TrainRequest{Dataset: ref, Table: table, Target: []string{"y"}, Features: features, Name: "~bob/net"}, &pinned{})
	if err != nil && !strings.Contains(err.Error(), "unread-difference") {
		s.Fatalf("%s, table %q: %v", ref, table, err)
	}
	return err == nil
}

// TestNearlyTheSame: every way to have two tables that differ in a row trained on is
// refused, and what is not so alike is not.
func TestNearlyTheSame(t *testing.T) {
	one := func(csv string) map[string]string { return map[string]string{"rows": csv} }
	for name, c := range map[string]struct {
		second func(s *school) (ref, table string, features []string)
		want   bool
	}{
		"the same again": {func(s *school) (string, string, []string) { return "data@1", "", []string{"a"} }, true},
		"a row less": {func(s *school) (string, string, []string) {
			s.publish("data", one(ward(0, 299)))
			return "data@2", "", nil
		}, false},
		"a row less of what was erased": {func(s *school) (string, string, []string) {
			s.publish("data", one(ward(0, 299)))
			if _, err := s.Erase(s.Context(), s.me, "data@1", "wrong"); err != nil {
				s.Fatal(err)
			}
			return "data@2", "", nil
		}, false},
		"a row less of what was erased, by other columns": {func(s *school) (string, string, []string) {
			s.publish("data", one(ward(0, 299)))
			if _, err := s.Erase(s.Context(), s.me, "data@1", "wrong"); err != nil {
				s.Fatal(err)
			}
			return "data@2", "", []string{"a"}
		}, false},
		"a row less of what was purged": {func(s *school) (string, string, []string) {
			s.publish("data", one(ward(0, 299)))
			if _, err := s.Purge(s.Context(), s.me, "data@1", "a spill", nil); err != nil {
				s.Fatal(err)
			}
			var kept string
			if err := s.DB.Read().QueryRow("SELECT sketch FROM unread_tables").Scan(&kept); err != nil || kept != "" {
				s.Errorf("after the purge there is still a sketch of %d bytes, %v", len(kept), err)
			}
			return "data@2", "", nil
		}, false},
		"much more than what was erased": {func(s *school) (string, string, []string) {
			s.publish("data", one(ward(0, 400)))
			if _, err := s.Erase(s.Context(), s.me, "data@1", "wrong"); err != nil {
				s.Fatal(err)
			}
			return "data@2", "", []string{"a"}
		}, true},
		"fifty other rows than those erased": {func(s *school) (string, string, []string) {
			s.publish("data", one(ward(50, 350)))
			if _, err := s.Erase(s.Context(), s.me, "data@1", "wrong"); err != nil {
				s.Fatal(err)
			}
			return "data@2", "", nil
		}, true},
		"a sheet under another name beside a second": {func(s *school) (string, string, []string) {
			s.publish("data", map[string]string{"rows-2024": ward(0, 299), "other": "k,l\n1,2\n3,4\n"})
			return "data@2", "rows_2024", nil
		}, false},
		"two sheets of one version": {func(s *school) (string, string, []string) {
			s.publish("both", map[string]string{"whole": ward(1000, 1300), "less": ward(1000, 1299, "extra")})
			if !s.train("both@1", "whole") {
				s.Error("the first sheet is refused")
			}
			return "both@1", "less", nil
		}, false},
		"another name and a column more": {func(s *school) (string, string, []string) {
			s.publish("copy", one(ward(0, 299, "extra")))
			return "copy@1", "", nil
		}, false},
		"another name and a column more, by one feature": {func(s *school) (string, string, []string) {
			s.publish("copy", one(ward(0, 299, "extra")))
			return "copy@1", "", []string{"b"}
		}, false},
		"other rows, as many": {func(s *school) (string, string, []string) {
			s.publish("copy", one(ward(5000, 5300)))
			return "copy@1", "", nil
		}, true},
		"fifty other rows": {func(s *school) (string, string, []string) {
			s.publish("data", one(ward(50, 350)))
			return "data@2", "", nil
		}, true},
		"nine other rows": {func(s *school) (string, string, []string) {
			s.publish("data", one(ward(9, 309)))
			return "data@2", "", nil
		}, false},
		"a row less of what was trained on before tables were remembered": {func(s *school) (string, string, []string) {
			s.forgetTables()
			s.publish("data", one(ward(0, 299)))
			return "data@2", "", []string{"a"}
		}, false},
		"what that was, and is erased": {func(s *school) (string, string, []string) {
			s.forgetTables()
			s.publish("data", one(ward(0, 299)))
			if _, err := s.Erase(s.Context(), s.me, "data@1", "wrong"); err != nil {
				s.Fatal(err)
			}
			return "data@2", "", nil
		}, false},
		"the same again, with a key that was lost": {func(s *school) (string, string, []string) {
			s.Secret = []byte("another")
			return "data@1", "", nil
		}, true},
		"a row less, with a key that was lost": {func(s *school) (string, string, []string) {
			s.Secret = []byte("another")
			s.publish("data", one(ward(0, 299)))
			return "data@2", "", nil
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSchool(t)
			s.publish("data", one(ward(0, 300)))
			if !s.train("data@1", "") {
				t.Fatal("the first training is refused")
			}
			ref, table, features := c.second(s)
			if got := s.train(ref, table, features...); got != c.want {
				t.Errorf("the second training is allowed: %v, want %v", got, c.want)
			}
		})
	}
}

// forgetTables leaves what nodes of before have: the version alone.
func (s *school) forgetTables() {
	err := s.DB.Tx(s.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM unread_tables")
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
}

// TestReadingsAreBounded: to compare with many tables by other columns is refused, not
// tried.
func TestReadingsAreBounded(t *testing.T) {
	s := newSchool(t)
	s.publish("data", map[string]string{"rows": ward(0, 300)})
	now := func(features ...string) *lesson {
		v, err := s.Catalog.Resolve(t.Context(), genesis.Ref{Name: "data"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.Catalog.Describe(t.Context(), v, nil)
		if err != nil {
			t.Fatal(err)
		}
		l, err := s.lesson(t.Context(), learner{id: "here/bob"}, &d, genesis.TrainRequest{Table: d.Manifest.Tables[0].Name, Features: features, Target: []string{"y"}})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	left := 3
	for _, c := range []struct {
		features []string
		refused  bool
	}{{[]string{"a", "b"}, false}, {[]string{"a"}, false}, {[]string{"b"}, false}, {[]string{"b"}, false}, {[]string{"b"}, true}} {
		before := now("a", "b")
		before.version = "sha256:other" // of the same rows
		err := s.differs(t.Context(), before, now(c.features...), &left)
		if (err != nil) != c.refused {
			t.Errorf("by %v: %v, with %d readings left", c.features, err, left)
		}
	}
}

// TestSketchSurvives: a sketch reads as it was written, and nothing else does.
func TestSketchSurvives(t *testing.T) {
	s := newSchool(t)
	s.publish("data", map[string]string{"rows": ward(0, 300)})
	s.train("data", "")
	var text string
	if err := s.DB.Read().QueryRow("SELECT sketch FROM unread_tables").Scan(&text); err != nil {
		t.Fatal(err)
	}
	got, ok := compare.ParseSketch(text)
	if !ok || got.Rows != 300 || got.Text() != text || got.Few(got, genesis.LeastGroup) {
		t.Errorf("%d rows, %v", got.Rows, ok)
	}
	if _, ok := compare.ParseSketch(text[:len(text)-4]); ok {
		t.Error("half a sketch is one")
	}
}
