package identity

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// DeviceError is why a terminal that polls gets no session yet, or never: the
// error codes of RFC 8628, section 3.5. It is the cause of the [genesis.Error]
// that [Identity.PollDevice] returns, for errors.Is.
type DeviceError string

const (
	AuthorizationPending DeviceError = "authorization_pending"
	SlowDown             DeviceError = "slow_down" // and wait 5 s longer from now on
	AccessDenied         DeviceError = "access_denied"
	ExpiredDevice        DeviceError = "expired_token"
)

func (e DeviceError) Error() string { return string(e) }

const (
	deviceInterval = 5 * time.Second
	deviceSlower   = 5 * time.Second // added by each slow_down
	deviceJitter   = 500 * time.Millisecond
	// userLetters are consonants: nothing that looks like something else, and no
	// words. Eight of them are 34 bits, which last ten minutes against ten tries a
	// person.
	userLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userLength  = 8
	// mostDevices is how many terminals may wait at once; about 300 bytes each.
	mostDevices = 10_000
	// mostDevicesOf is how many of one network may: a cluster of people who begin, and
	// no stranger who fills all places.
	mostDevicesOf = 50
)

type deviceState int

const (
	devicePending deviceState = iota
	deviceApproved
	deviceDenied
)

// deviceLogin is one terminal that waits.
type deviceLogin struct {
	hash     [32]byte
	user     string
	remote   string // the network it is in, as remoteKey says
	expires  time.Time
	interval time.Duration
	polled   time.Time
	state    deviceState
	by       genesis.Principal // who approved it
}

// devices are the terminals that wait. They live in memory: strangers begin
// them, and a node that starts again has forgotten them, as if they had expired.
type devices struct {
	mu       sync.Mutex
	byHash   map[[32]byte]*deviceLogin
	byUser   map[string]*deviceLogin
	byRemote map[string]map[*deviceLogin]struct{}
}

func newDevices() devices {
	return devices{byHash: map[[32]byte]*deviceLogin{}, byUser: map[string]*deviceLogin{}, byRemote: map[string]map[*deviceLogin]struct{}{}}
}

// add keeps one. The lock is held.
func (d *devices) add(l *deviceLogin) {
	d.byHash[l.hash], d.byUser[l.user] = l, l
	if d.byRemote[l.remote] == nil {
		d.byRemote[l.remote] = map[*deviceLogin]struct{}{}
	}
	d.byRemote[l.remote][l] = struct{}{}
}

// remove forgets one. The lock is held.
func (d *devices) remove(l *deviceLogin) {
	delete(d.byHash, l.hash)
	delete(d.byUser, l.user)
	if delete(d.byRemote[l.remote], l); len(d.byRemote[l.remote]) == 0 {
		delete(d.byRemote, l.remote)
	}
}

// room makes room for one more of a network by what has expired, and returns why there
// is none, and for how long there may be none. The lock is held.
func (d *devices) room(remote string, now time.Time) (string, time.Duration) {
	if len(d.byRemote[remote]) >= mostDevicesOf {
		next := now.Add(time.Hour)
		for l := range d.byRemote[remote] {
			if !now.Before(l.expires) {
				d.remove(l)
			} else if l.expires.Before(next) {
				next = l.expires
			}
		}
		if len(d.byRemote[remote]) >= mostDevicesOf {
			return "too many terminals of your network are waiting", next.Sub(now)
		}
	}
	if len(d.byHash) >= mostDevices {
		for _, l := range d.byHash {
			if !now.Before(l.expires) {
				d.remove(l)
			}
		}
		if len(d.byHash) >= mostDevices {
			return "too many terminals are waiting", time.Minute
		}
	}
	return "", 0
}

// StartDevice begins the sign-in of a terminal; remote is the address it comes from. Errors: Unavailable (too many
// wait, with [TooMany] as its cause), Unsupported (no external URL).
func (i *Identity) StartDevice(ctx context.Context, remote string) (genesis.DeviceLogin, error) {
	const op = "sign in at terminal"
	if i.external == "" {
		return genesis.DeviceLogin{}, &genesis.Error{Op: op, Kind: genesis.Unsupported, Msg: "the node does not know its own URL", Hint: "the operator sets it in the configuration"}
	}
	now, d := i.now(), &i.devices
	secret, hash := newSecret(deviceSecret)
	l := &deviceLogin{hash: hash, remote: remoteKey(remote), expires: now.Add(i.limits.Device), interval: deviceInterval}
	d.mu.Lock()
	defer d.mu.Unlock()
	if full, wait := d.room(l.remote, now); full != "" {
		return genesis.DeviceLogin{}, &genesis.Error{Op: op, Kind: genesis.Unavailable, Msg: full, Hint: "try again in a few minutes", Err: TooMany(wait)}
	}
	for l.user == "" || d.byUser[l.user] != nil {
		l.user = randomOf(userLetters, userLength)
	}
	d.add(l)
	return genesis.DeviceLogin{DeviceCode: secret, UserCode: l.user[:4] + "-" + l.user[4:], VerificationURI: i.external + DevicePath,
		ExpiresIn: int(i.limits.Device / time.Second), Interval: int(deviceInterval / time.Second)}, nil
}

// ApproveDevice lets the terminal of a user code sign in as who. It takes a
// session: tokens do not sign in. Errors: Permission, NotFound (no such code, or
// it expired), Conflict (it was answered), Unavailable (too many wrong codes).
func (i *Identity) ApproveDevice(ctx context.Context, who genesis.Principal, userCode string) error {
	return i.answerDevice(ctx, who, userCode, deviceApproved)
}

// DenyDevice refuses the terminal of a user code. Errors: as of ApproveDevice.
func (i *Identity) DenyDevice(ctx context.Context, who genesis.Principal, userCode string) error {
	return i.answerDevice(ctx, who, userCode, deviceDenied)
}

func (i *Identity) answerDevice(ctx context.Context, who genesis.Principal, userCode string, answer deviceState) error {
	const op = "answer terminal"
	if _, err := i.session(ctx, op, who, anytime); err != nil {
		return err
	}
	if err := i.take(i.attempts.devices, op, who.Subject); err != nil {
		return err
	}
	err := i.devices.pending(op, normalUserCode(userCode), i.now())
	if err != nil {
		return err
	}
	i.attempts.devices.giveBack(who.Subject)
	outcome := genesis.Done
	if answer == deviceDenied {
		outcome = genesis.Refused
	}
	err = i.db.Tx(ctx, func(tx *sql.Tx) error {
		return i.event(ctx, tx, i.actor(who), "sign-in", outcome, who.Subject, map[string]any{"how": "device", "change": "answered", "credential": who.Credential})
	})
	if err != nil {
		return err
	}
	return i.devices.answer(op, normalUserCode(userCode), i.now(), answer, who)
}

// pending reports why the terminal of a user code does not wait for an answer,
// or nil.
func (d *devices) pending(op, user string, now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.check(op, user, now)
}

func (d *devices) check(op, user string, now time.Time) error {
	l := d.byUser[user]
	if l == nil || !now.Before(l.expires) {
		return &genesis.Error{Op: op, Kind: genesis.NotFound, Msg: "no terminal waits with this code", Hint: "codes expire after some minutes; begin again at the terminal"}
	}
	if l.state != devicePending {
		return &genesis.Error{Op: op, Kind: genesis.Conflict, Msg: "this terminal was answered"}
	}
	return nil
}

func (d *devices) answer(op, user string, now time.Time, answer deviceState, who genesis.Principal) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.check(op, user, now); err != nil {
		return err
	}
	l := d.byUser[user]
	l.state, l.by = answer, who
	return nil
}

// normalUserCode forgives how people type.
func normalUserCode(s string) string {
	if len(s) > 64 {
		return ""
	}
	return strings.NewReplacer("-", "", " ", "").Replace(strings.ToUpper(s))
}

// PollDevice returns the session of a terminal, once it was approved, and once
// only. Errors: Unavailable (pending, slow down), Permission (denied, expired),
// each with a [DeviceError] as its cause; others when the session cannot be made,
// after which the terminal may poll again.
func (i *Identity) PollDevice(ctx context.Context, deviceCode string) (genesis.NewToken, error) {
	const op = "sign in at terminal"
	if !wellFormed(deviceCode) {
		return genesis.NewToken{}, deviceError(op, ExpiredDevice)
	}
	l, err := i.devices.poll(op, sha256.Sum256([]byte(deviceCode)), i.now())
	if err != nil {
		return genesis.NewToken{}, err
	}
	token, err := i.deviceSession(ctx, op, l)
	if kind := genesis.KindOf(err); err != nil && kind != genesis.Permission {
		i.devices.putBack(l)
	}
	return token, err
}

// poll answers a terminal that asks. One that was approved is taken out.
func (d *devices) poll(op string, hash [32]byte, now time.Time) (*deviceLogin, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.byHash[hash]
	switch {
	case l == nil:
		return nil, deviceError(op, ExpiredDevice)
	case !now.Before(l.expires):
		d.remove(l)
		return nil, deviceError(op, ExpiredDevice)
	case l.state == deviceDenied:
		d.remove(l)
		return nil, deviceError(op, AccessDenied)
	case l.state == deviceApproved:
		d.remove(l)
		return l, nil
	}
	early := !l.polled.IsZero() && now.Sub(l.polled) < l.interval-deviceJitter
	l.polled = now
	if early {
		l.interval += deviceSlower
		return nil, deviceError(op, SlowDown)
	}
	return nil, deviceError(op, AuthorizationPending)
}

// putBack returns one that was taken out for nothing.
func (d *devices) putBack(l *deviceLogin) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.add(l)
}

// deviceSession makes the session. It is as good as the one in which it was
// approved, and ends with it: nobody stays signed in by approving themselves.
func (i *Identity) deviceSession(ctx context.Context, op string, l *deviceLogin) (genesis.NewToken, error) {
	var out genesis.NewToken
	err := i.db.Tx(ctx, func(tx *sql.Tx) error {
		approving, err := i.valid(ctx, tx, op, l.by)
		if err != nil {
			return err
		}
		a, err := find(ctx, tx, op, l.by.Subject)
		if err != nil {
			return err
		}
		if a.Disabled {
			return refused(Disabled, a.Subject)
		}
		out, err = i.newSession(ctx, tx, a, session{assurance: genesis.Assurance(approving.assurance), how: "device", via: approving.via,
			signedIn: store.TimeAt(approving.signedIn), detail: map[string]any{"approved_by": approving.id}})
		return err
	})
	if err != nil {
		return genesis.NewToken{}, err
	}
	return out, nil
}

func deviceError(op string, code DeviceError) error {
	e := &genesis.Error{Op: op, Kind: genesis.Permission, Err: code}
	switch code {
	case AuthorizationPending:
		e.Kind, e.Msg, e.Hint = genesis.Unavailable, "nobody has approved it yet", "enter the code in a browser, and keep waiting"
	case SlowDown:
		e.Kind, e.Msg, e.Hint = genesis.Unavailable, "this terminal asks too often", "wait 5 seconds longer between questions"
	case AccessDenied:
		e.Msg, e.Hint = "it was denied", "begin again, if that was a mistake"
	case ExpiredDevice:
		e.Msg, e.Hint = "the code has expired, or is not of this node", "begin again"
	}
	return e
}
