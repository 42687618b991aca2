package identity

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/opengenesis/genesis"
)

func (w *world) startDevice(t testing.TB) genesis.DeviceLogin {
	t.Helper()
	d, err := w.StartDevice(t.Context(), "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDevice(t *testing.T) {
	w := open(t)
	w.account(t, "ada", genesis.DutySteward)
	ada, _ := w.signIn(t, "ada")
	d := w.startDevice(t)
	if !regexp.MustCompile(`^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$`).MatchString(d.UserCode) || d.VerificationURI != "https://data.example.edu/device" || d.ExpiresIn != 600 || d.Interval != 5 {
		t.Errorf("%+v", d)
	}
	poll := func(want DeviceError) {
		t.Helper()
		_, err := w.PollDevice(t.Context(), d.DeviceCode)
		kind := genesis.Permission
		if want == AuthorizationPending || want == SlowDown {
			kind = genesis.Unavailable
		}
		wants(t, err, kind, want)
	}
	poll(AuthorizationPending)
	w.clock.add(5 * time.Second)
	poll(AuthorizationPending)
	w.clock.add(time.Second)
	poll(SlowDown) // now 10 s
	w.clock.add(6 * time.Second)
	poll(SlowDown) // now 15 s
	w.clock.add(15 * time.Second)
	poll(AuthorizationPending)

	_, err := w.Authenticate(t.Context(), d.DeviceCode)
	wants(t, err, genesis.Permission, Unknown) // it is no token
	if err := w.ApproveDevice(t.Context(), ada, " "+strings.ToLower(strings.ReplaceAll(d.UserCode, "-", " "))); err != nil {
		t.Fatal(err)
	}
	wants(t, w.ApproveDevice(t.Context(), ada, d.UserCode), genesis.Conflict, nil)
	wants(t, w.DenyDevice(t.Context(), ada, d.UserCode), genesis.Conflict, nil)
	token, err := w.PollDevice(t.Context(), d.DeviceCode)
	if err != nil {
		t.Fatal(err)
	}
	p := w.who(t, token.Secret)
	equal(t, p, genesis.Principal{Subject: "ada", Node: "nrel", Institution: "National Laboratory", Sector: genesis.Laboratory,
		Duties: []genesis.Duty{genesis.DutySteward}, Assurance: genesis.AssurancePassword, Credential: token.Token.ID})
	if !strings.Contains(w.last(), `"how":"device"`) || !strings.Contains(w.last(), `"approved_by":"`+ada.Credential) {
		t.Errorf("the last event is %s", w.last())
	}
	poll(ExpiredDevice) // once only

	d = w.startDevice(t)
	if err := w.DenyDevice(t.Context(), ada, d.UserCode); err != nil {
		t.Fatal(err)
	}
	poll(AccessDenied)
	poll(ExpiredDevice)

	d = w.startDevice(t)
	w.clock.add(10 * time.Minute)
	wants(t, w.ApproveDevice(t.Context(), ada, d.UserCode), genesis.NotFound, nil)
	poll(ExpiredDevice)
	for _, d.DeviceCode = range []string{"", "x", token.Secret} {
		poll(ExpiredDevice)
	}
}

// TestDeviceInTime runs a terminal that waits as RFC 8628 says beside a person
// who takes her time, in the bubble's clock.
func TestDeviceInTime(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	ada, _ := w.signIn(t, "ada")
	// In FIPS mode randomness is measured from the clock, which stands still here.
	cryptotest.SetGlobalRandom(t, 1)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		devices := newDevices()
		// The database belongs outside the bubble, so that the terminal polls what is
		// in memory alone.
		l := &deviceLogin{hash: [32]byte{1}, user: "BCDFGHJK", expires: began.Add(10 * time.Minute), interval: deviceInterval}
		devices.byHash[l.hash], devices.byUser[l.user] = l, l
		go func() {
			time.Sleep(97 * time.Second)
			if err := devices.answer("test", "BCDFGHJK", time.Now(), deviceApproved, ada); err != nil {
				t.Error(err)
			}
		}()
		wait, polls := deviceInterval, 0
		for {
			if polls++; polls == 3 {
				time.Sleep(time.Second) // an impatient one, once
			} else {
				time.Sleep(wait)
			}
			got, err := devices.poll("test", l.hash, time.Now())
			if err == nil {
				if got.by.Subject != "ada" {
					t.Errorf("approved by %+v", got.by)
				}
				break
			}
			if deviceCause(err) == SlowDown {
				wait += 5 * time.Second
			}
			if polls > 100 {
				t.Fatal(err)
			}
		}
		if wait != 10*time.Second || time.Since(began) != 101*time.Second {
			t.Errorf("after %s, with %d polls, one each %s", time.Since(began), polls, wait)
		}
	})
}

func deviceCause(err error) DeviceError {
	var code DeviceError
	errors.As(err, &code)
	return code
}

// TestDeviceIsNoWiderThanItsApproval holds that a terminal ends with the session
// in which it was approved, and that nobody goes on for ever by approving
// themselves.
func TestDeviceIsNoWiderThanItsApproval(t *testing.T) {
	w := open(t, func(c *Config) { c.Limits.Session, c.Limits.Idle = 10*time.Hour, 10*time.Hour })
	w.account(t, "ada")
	p, _ := w.signIn(t, "ada")
	ends := w.clock.now().Add(10 * time.Hour)
	for range 3 {
		w.clock.add(3 * time.Hour)
		d := w.startDevice(t)
		if err := w.ApproveDevice(t.Context(), p, d.UserCode); err != nil {
			t.Fatal(err)
		}
		token, err := w.PollDevice(t.Context(), d.DeviceCode)
		if err != nil {
			t.Fatal(err)
		}
		if !token.Token.Expires.Equal(ends) {
			t.Errorf("it ends on %s, the first session on %s", token.Token.Expires, ends)
		}
		p = w.who(t, token.Secret)
		_, err = w.ChangeAccount(t.Context(), p, "ada", genesis.AccountChange{Password: ref("a new one entirely")})
		wants(t, err, genesis.Permission, nil) // the terminal is new, the sign-in is not
	}
}

func TestDeviceTakesASession(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	ada, secret := w.signIn(t, "ada")
	token, err := w.CreateToken(t.Context(), ada, genesis.TokenRequest{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	d := w.startDevice(t)
	narrowed := ada
	narrowed.Scopes = []genesis.Scope{"read"}
	for name, p := range map[string]genesis.Principal{"nobody": {}, "owner": local, "token": w.who(t, token.Secret), "narrowed": narrowed} {
		if err := w.ApproveDevice(t.Context(), p, d.UserCode); genesis.KindOf(err) != genesis.Permission {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.ApproveDevice(t.Context(), ada, d.UserCode); err != nil {
		t.Fatal(err)
	}
	if err := w.SignOut(t.Context(), w.who(t, secret)); err != nil { // before the terminal asks
		t.Fatal(err)
	}
	_, err = w.PollDevice(t.Context(), d.DeviceCode)
	wants(t, err, genesis.Permission, Revoked)
	_, err = w.PollDevice(t.Context(), d.DeviceCode)
	wants(t, err, genesis.Permission, ExpiredDevice)
}

func TestDeviceOfADisabledAccount(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	ada, _ := w.signIn(t, "ada")
	d := w.startDevice(t)
	if err := w.ApproveDevice(t.Context(), ada, d.UserCode); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ChangeAccount(t.Context(), local, "ada", genesis.AccountChange{Disabled: ref(true)}); err != nil {
		t.Fatal(err)
	}
	_, err := w.PollDevice(t.Context(), d.DeviceCode)
	wants(t, err, genesis.Permission, Disabled)
}

// TestDeviceAfterTrouble holds that an approval is not lost when the session
// cannot be made.
func TestDeviceAfterTrouble(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	ada, _ := w.signIn(t, "ada")
	d := w.startDevice(t)
	if err := w.ApproveDevice(t.Context(), ada, d.UserCode); err != nil {
		t.Fatal(err)
	}
	w.fail = &genesis.Error{Op: "record", Kind: genesis.Unavailable}
	_, err := w.PollDevice(t.Context(), d.DeviceCode)
	wants(t, err, genesis.Unavailable, w.fail)
	w.fail = nil
	if _, err = w.PollDevice(t.Context(), d.DeviceCode); err != nil {
		t.Error(err)
	}
}

// TestDeviceOnce polls an approved terminal at once from many sides: one gets the
// session.
func TestDeviceOnce(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	ada, _ := w.signIn(t, "ada")
	d := w.startDevice(t)
	if err := w.ApproveDevice(t.Context(), ada, d.UserCode); err != nil {
		t.Fatal(err)
	}
	var got atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := w.PollDevice(context.Background(), d.DeviceCode); err == nil {
				got.Add(1)
			}
		})
	}
	all.Wait()
	if got.Load() != 1 {
		t.Errorf("%d sessions", got.Load())
	}
}

func TestDevicesAreLimited(t *testing.T) {
	w := open(t)
	begin := func(remote string) error {
		_, err := w.StartDevice(t.Context(), remote)
		return err
	}
	// One network fills its own places, not those of others.
	for n := range mostDevicesOf {
		wants(t, begin(fmt.Sprintf("[2001:db8::%x]:%d", n, 1000+n)), "", nil)
	}
	err := begin("2001:db8::ffff")
	wants(t, err, genesis.Unavailable, nil)
	if often := TooMany(0); !errors.As(err, &often) || time.Duration(often) != 10*time.Minute {
		t.Errorf("says to wait %s", time.Duration(often))
	}
	for n := mostDevicesOf; n < mostDevices; n++ {
		wants(t, begin(fmt.Sprintf("10.1.%d.%d:4711", n/mostDevicesOf/250, n/mostDevicesOf%250)), "", nil)
	}
	wants(t, begin("192.0.2.1"), genesis.Unavailable, nil)
	w.clock.add(10 * time.Minute)
	w.startDevice(t)
	if len(w.devices.byHash) != 1 || len(w.devices.byUser) != 1 || len(w.devices.byRemote) != 1 {
		t.Errorf("%d, %d and %d stay", len(w.devices.byHash), len(w.devices.byUser), len(w.devices.byRemote))
	}
	for range mostDevicesOf - 1 {
		wants(t, begin("192.0.2.1:1"), "", nil)
	}
	wants(t, begin("192.0.2.1:1"), genesis.Unavailable, nil)
	w.clock.add(10 * time.Minute)
	wants(t, begin("192.0.2.1:1"), "", nil) // those of a network that expired make room in it
	w.account(t, "ada")
	ada, _ := w.signIn(t, "ada")
	tries := 0
	for ; genesis.KindOf(err) != genesis.Unavailable || tries == 0; tries++ {
		err = w.ApproveDevice(t.Context(), ada, fmt.Sprintf("BBBB-%04d", tries))
	}
	if tries != 11 {
		t.Errorf("the %d. code is refused: %v", tries, err)
	}
	_, err = open(t, func(c *Config) { c.External = "" }).StartDevice(t.Context(), "192.0.2.1")
	wants(t, err, genesis.Unsupported, nil)
}
