package identity

import (
	"database/sql"
	"encoding/base32"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
)

func equal(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want −, got +:\n%s", diff)
	}
}

// secondFactor sets up a second factor.
func (w *world) secondFactor(t testing.TB, p genesis.Principal) (TOTPSetup, []string) {
	t.Helper()
	setup, err := w.SetupTOTP(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	codes, err := w.ConfirmTOTP(t.Context(), p, w.codeOf(t, setup))
	if err != nil {
		t.Fatal(err)
	}
	return setup, codes
}

// codeOf is what the person's app shows now.
func (w *world) codeOf(t testing.TB, setup TOTPSetup) string {
	t.Helper()
	secret, err := base32.StdEncoding.DecodeString(setup.Secret)
	if err != nil {
		t.Fatal(err)
	}
	return code(secret, w.clock.now().Unix()/int64(totpStep/time.Second))
}

// write changes the database behind the back of the Identity, as another process
// would.
func (w *world) write(t testing.TB, query string, args ...any) (out sql.Result, err error) {
	t.Helper()
	err = w.db.Tx(t.Context(), func(tx *sql.Tx) (err error) {
		out, err = tx.ExecContext(t.Context(), query, args...)
		return err
	})
	return out, err
}

// TestThrottleClockSetBack: what was counted by a clock that was a day ahead keeps nobody
// out once it is right.
func TestThrottleClockSetBack(t *testing.T) {
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	th := newThrottle(3, time.Second)
	fill := func(at time.Time) {
		t.Helper()
		for range 3 {
			if _, ok := th.take("ada", at); !ok {
				t.Fatalf("refused at %v", at)
			}
		}
		if wait, ok := th.take("ada", at); ok || wait > time.Second {
			t.Fatalf("a fourth at once: %v %v", wait, ok)
		}
	}
	fill(now.Add(24 * time.Hour))
	fill(now)
}
