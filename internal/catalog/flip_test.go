package catalog

import (
	"database/sql"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/file"
	"github.com/opengenesis/genesis/internal/store"
)

// smallWorld is a catalogue with versions in every state, closed, and its answers.
func smallWorld(t *testing.T) (dir string, answers map[string]string) {
	t.Helper()
	w := newWorld(t)
	all := func(genesis.Version) bool { return true }
	for _, a := range acts(rand.New(rand.NewPCG(3, 4)), 150, func(genesis.Version) bool { return false }) {
		w.do(a, all)
	}
	answers = w.answers(nil)
	for _, state := range []string{"draft", "published", "withdrawn", "erased"} {
		found := false
		for _, text := range answers {
			found = found || strings.Contains(text, `"state":"`+state)
		}
		if !found {
			t.Fatalf("no version is %s", state)
		}
	}
	if err := errors.Join(w.db.Close(), w.blobs.Close()); err != nil {
		t.Fatal(err)
	}
	return w.dir, answers
}

// reopen opens a home that was closed.
func reopen(t *testing.T, dir string) (home, error) {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(dir, "catalog.db"))
	if err != nil {
		return home{}, err
	}
	files, err := file.Open(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	return home{New(db, blob.Open(files)), dir}, nil
}

func flip(t *testing.T, path string, bit int64) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		b[bit/8] ^= 1 << (bit % 8)
		err = errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, b, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFlippedDatabase flips bits of the database: every answer is right or an error
// that names the page.
func TestFlippedDatabase(t *testing.T) {
	dir, want := smallWorld(t)
	path := filepath.Join(dir, "catalog.db")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 5))
	wrong := 0
	for range 40 {
		bit := random.Int64N(info.Size() * 8)
		flip(t, path, bit)
		h, err := reopen(t, dir)
		if err != nil {
			wantKind(t, err, genesis.Internal)
			wrong++
		} else {
			got := world{h, t}.answers(nil)
			for question, answer := range got {
				if strings.HasPrefix(answer, "internal ") && strings.Contains(answer, "catalog.db is damaged") {
					wrong++
				} else if answer != want[question] {
					t.Errorf("bit %d: %s\nis %s\nnot %s", bit, question, answer, want[question])
				}
			}
			if damage, err := h.Check(t.Context()); err != nil || len(damage) == 0 {
				t.Errorf("bit %d: Check finds %v, %v", bit, damage, err)
			}
			h.db.Close()
			h.blobs.Close()
		}
		flip(t, path, bit)
	}
	if wrong == 0 {
		t.Error("no flip did anything: the test shows nothing")
	}
	h, err := reopen(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer h.db.Close()
	if diff := cmp.Diff(want, world{h, t}.answers(nil)); diff != "" {
		t.Errorf("after all bits are back:\n%s", diff)
	}
}

// TestChangedRows changes what rows say as the database itself would, which no page
// knows of: sums and digests find it, and name it.
func TestChangedRows(t *testing.T) {
	for change, named := range map[string]string{
		"UPDATE versions SET state = 'published' WHERE id = 1":                      "row 1 of versions",
		"UPDATE versions SET number = 7 WHERE id = 2":                               "row 2 of versions",
		"UPDATE versions SET byte_count = byte_count + 1 WHERE id = 1":              "row 1 of versions",
		"UPDATE versions SET row_count = row_count + 1 WHERE id = 1":                "row 1 of versions",
		"UPDATE versions SET title = 'other' WHERE id = 1":                          "row 1 of versions",
		"UPDATE versions SET created_by = 'eve' WHERE id = 1":                       "row 1 of versions",
		"UPDATE versions SET created_at = created_at + 1 WHERE id = 1":              "row 1 of versions",
		"UPDATE versions SET turn = 99 WHERE id = 1":                                "row 1 of versions",
		"UPDATE versions SET digest = replace(digest, '1', '2') WHERE id = 1":       "row 1 of versions",
		"UPDATE versions SET asset_id = 2 WHERE id = 1":                             "row 1 of versions",
		"UPDATE assets SET name = 'eve' WHERE id = 1":                               "row 1 of versions",
		"UPDATE assets SET kind = 'model' WHERE id = 1":                             "row 1 of versions",
		"UPDATE records SET body = replace(body, 'i', 'j') WHERE kind = 'card'":     "card",
		"UPDATE records SET created_by = 'eve' WHERE kind = 'card'":                 "card",
		"UPDATE records SET kind = 'recipe' WHERE kind = 'card' AND version_id = 1": "recipe",
		"UPDATE lineage SET parent_id = 1 WHERE child_id = 3":                       "row 3 of lineage",
	} {
		h := open(t)
		in := commitOf("wind", dataset("a"))
		in.Records = map[genesis.RecordKind]any{genesis.RecordCard: genesis.Card{Title: "Wind"}}
		first := h.mustCommit(t, in)
		second := h.mustCommit(t, commitOf("sun", dataset("b")))
		in = commitOf("third", dataset("c"))
		in.Parents = []genesis.Version{second}
		h.mustCommit(t, in)
		h.change(t, change)

		var errs []string
		note := func(err error) {
			if err != nil {
				wantKind(t, err, genesis.Internal)
				errs = append(errs, err.Error())
			}
		}
		_, _, err := h.List(t.Context(), ListQuery{})
		note(err)
		if found, err := h.Resolve(t.Context(), genesis.Ref{Name: "third"}, nil); err == nil {
			_, err = h.Describe(t.Context(), found, nil)
			note(err)
		}
		if found, err := h.Resolve(t.Context(), genesis.Ref{Name: "wind"}, nil); err == nil && found == first {
			d, err := h.Describe(t.Context(), found, nil)
			if err == nil && d.Card.Title != "Wind" {
				t.Logf("%s: the card is lost, and Check alone can tell", change)
				errs = append(errs, "lost")
			}
			note(err)
		}
		damage, err := h.Check(t.Context())
		if err != nil || len(damage) == 0 {
			t.Errorf("%s: Check finds %v, %v", change, damage, err)
		}
		all := strings.Join(errs, "\n")
		for _, d := range damage {
			all += "\n" + d.Msg
		}
		if len(errs) == 0 || !strings.Contains(all, named) {
			t.Errorf("%s: %d errors, of which none names %s:\n%s", change, len(errs), named, all)
		}
	}
}

// change changes rows behind the catalogue's back.
func (h home) change(t *testing.T, stmt string) {
	t.Helper()
	err := h.db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(stmt)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", stmt, err)
	}
}

// TestFlippedBlobs flips bits of every file of the blob store and reads everything
// that a version needs, whole and in ranges.
func TestFlippedBlobs(t *testing.T) {
	h := open(t)
	content := make([]byte, 2<<20+777)
	random := rand.New(rand.NewPCG(1, 6))
	for i := range content {
		content[i] = byte(random.Uint32())
	}
	part := h.put(t, string(content))
	in := commitOf("model", genesis.Manifest{Format: 1, Kind: genesis.Model, Parts: map[string]genesis.Digest{"w": part.Digest}})
	in.Layout.Parts = map[string]genesis.Blob{"w": part}
	model := h.mustCommit(t, in)
	paged := h.mustCommit(t, commitOf("wide", wide(9000)))
	wantModel, err := h.Manifest(t.Context(), model)
	if err != nil {
		t.Fatal(err)
	}
	wantPaged, err := h.Manifest(t.Context(), paged)
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(h.dir, "blobs", "??", "*"))
	if err != nil || len(paths) < 12 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if info.Size() == 0 {
				continue
			}
			bit := random.Int64N(info.Size() * 8)
			flip(t, path, bit)
			name := strings.TrimSuffix(filepath.Base(path), ".tree")
			failed := 0
			expect := func(same bool, err error) {
				t.Helper()
				if err == nil && !same {
					t.Errorf("%s, bit %d: wrong bytes are served", filepath.Base(path), bit)
				}
				if err != nil {
					failed++
					if genesis.KindOf(err) != genesis.Internal || !strings.Contains(err.Error(), name) {
						t.Errorf("%s, bit %d: %v", filepath.Base(path), bit, err)
					}
				}
			}
			m, err := h.Manifest(t.Context(), model)
			expect(cmp.Equal(m, wantModel), err)
			m, err = h.Manifest(t.Context(), paged)
			expect(err != nil || cmp.Equal(m, wantPaged), err)
			expect(readRanges(t, h, part, content, random))
			if failed == 0 {
				t.Errorf("%s, bit %d: nobody noticed", filepath.Base(path), bit)
			}
			flip(t, path, bit)
		}
	}
}

// readRanges reads a blob in pieces of many sizes, the whole of it in all.
func readRanges(t *testing.T, h home, b genesis.Blob, want []byte, random *rand.Rand) (same bool, err error) {
	t.Helper()
	r, err := h.blobs.Open(t.Context(), b)
	if err != nil {
		return true, err
	}
	defer r.Close()
	same = true
	for off := int64(0); off < b.Size; {
		p := make([]byte, min(1+random.Int64N(200_000), b.Size-off))
		n, readErr := r.ReadAt(p, off)
		if string(p[:n]) != string(want[off:off+int64(n)]) {
			same = false
		}
		if readErr != nil && readErr != io.EOF {
			err = readErr
		}
		off += int64(len(p))
	}
	return same, err
}
