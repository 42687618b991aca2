package identity

import (
	"context"
	"crypto/fips140"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"golang.org/x/crypto/argon2"
)

// Cost is what it takes to compute the hash as which a password is kept: Argon2id
// (RFC 9106), and PBKDF2-HMAC-SHA256 (SP 800-132) in FIPS 140-3 mode, which does not know
// Argon2. A hash says how it was made:
//
//	argon2id$m=65536,t=2,p=1$‹salt›$‹key›   memory in KiB, passes, lanes
//	pbkdf2-sha256$i=600000$‹salt›$‹key›
type Cost struct {
	Memory     uint32 // KiB, of Argon2id
	Passes     uint32 // of Argon2id
	Iterations int    // of PBKDF2
}

// usualCost takes about 0.2 s of one core, and is more than what OWASP asks for
// (19 MiB and two passes; 600,000 iterations).
var usualCost = Cost{Memory: 64 << 10, Passes: 2, Iterations: 600_000}

const (
	saltBytes = 16
	keyBytes  = 32
	// What a hash from the database may ask for, whoever wrote it there.
	maxMemory     = 256 << 10
	maxPasses     = 16
	maxIterations = 10_000_000
)

// hasher computes few hashes at a time, so that a flood of sign-ins takes
// neither all memory nor all cores, and lets few wait.
type hasher struct {
	cost    Cost
	fips    bool
	running chan struct{}
	waiting chan struct{}
	dummy   string // verified where there is no account
}

// hashWait is how long somebody waits for their turn.
const hashWait = 10 * time.Second

func newHasher(c Cost) *hasher {
	if c == (Cost{}) {
		c = usualCost
	}
	return newHasherOf(c, fips140.Enabled())
}

func newHasherOf(c Cost, fips bool) *hasher {
	h := &hasher{cost: c, fips: fips, running: make(chan struct{}, max(1, min(4, runtime.GOMAXPROCS(0)/2))), waiting: make(chan struct{}, 64)}
	h.dummy = h.text(randomBytes(saltBytes), make([]byte, keyBytes))
	return h
}

// turn waits until a hash may be computed, and returns what ends the turn.
func (h *hasher) turn(ctx context.Context, op string) (func(), error) {
	busy := &genesis.Error{Op: op, Kind: genesis.Unavailable, Msg: "too many people are signing in", Hint: "try again in a moment", Err: TooMany(hashWait)}
	select {
	case h.waiting <- struct{}{}:
		defer func() { <-h.waiting }()
	default:
		return nil, busy
	}
	timer := time.NewTimer(hashWait)
	defer timer.Stop()
	select {
	case h.running <- struct{}{}:
		return func() { <-h.running }, nil
	case <-timer.C:
		return nil, busy
	case <-ctx.Done():
		return nil, &genesis.Error{Op: op, Kind: genesis.Canceled, Msg: "stopped", Err: ctx.Err()}
	}
}

// hash returns what is kept of a password.
func (h *hasher) hash(ctx context.Context, op, password string) (string, error) {
	done, err := h.turn(ctx, op)
	if err != nil {
		return "", err
	}
	defer done()
	salt := randomBytes(saltBytes)
	var key []byte
	if h.fips {
		key, err = pbkdf2.Key(sha256.New, password, salt, h.cost.Iterations, keyBytes)
	} else {
		key = argon2.IDKey([]byte(password), salt, h.cost.Passes, h.cost.Memory, 1, keyBytes)
	}
	if err != nil {
		return "", fault(op, "", err)
	}
	return h.text(salt, key), nil
}

// text writes a hash of the kind made now.
func (h *hasher) text(salt, key []byte) string {
	parameters := fmt.Sprintf("argon2id$m=%d,t=%d,p=1", h.cost.Memory, h.cost.Passes)
	if h.fips {
		parameters = fmt.Sprintf("pbkdf2-sha256$i=%d", h.cost.Iterations)
	}
	b64 := base64.RawStdEncoding
	return parameters + "$" + b64.EncodeToString(salt) + "$" + b64.EncodeToString(key)
}

// verify reports whether a password is the one of a hash, and whether the hash
// was made otherwise than it would be now. Errors: Unsupported (made by a method
// that this mode does not permit), Unavailable, Canceled, Internal.
func (h *hasher) verify(ctx context.Context, op, password, hash string) (ok, stale bool, err error) {
	parsed, err := parseHash(hash)
	if err != nil {
		return false, false, fault(op, "", err)
	}
	if h.fips && parsed.cost.Memory > 0 {
		return false, false, &genesis.Error{Op: op, Kind: genesis.Unsupported,
			Msg: "the password was set before this node went into FIPS mode, which does not permit how it is kept", Hint: "ask an operator for a new password"}
	}
	done, err := h.turn(ctx, op)
	if err != nil {
		return false, false, err
	}
	defer done()
	var key []byte
	if parsed.cost.Memory > 0 {
		key = argon2.IDKey([]byte(password), parsed.salt, parsed.cost.Passes, parsed.cost.Memory, 1, keyBytes)
	} else if key, err = pbkdf2.Key(sha256.New, password, parsed.salt, parsed.cost.Iterations, keyBytes); err != nil {
		return false, false, fault(op, "", err)
	}
	want := Cost{Memory: h.cost.Memory, Passes: h.cost.Passes}
	if h.fips {
		want = Cost{Iterations: h.cost.Iterations}
	}
	return subtle.ConstantTimeCompare(key, parsed.key) == 1, parsed.cost != want, nil
}

type parsedHash struct {
	cost      Cost
	salt, key []byte
}

// parseHash reads a hash within the limits.
func parseHash(hash string) (parsedHash, error) {
	var p parsedHash
	bad := fmt.Errorf("the hash of a password cannot be read")
	parts := strings.Split(hash, "$")
	if len(parts) != 4 {
		return p, bad
	}
	ok := false
	switch parts[0] {
	case "argon2id":
		var memory, passes int
		memory, passes, ok = argonParameters(parts[1])
		p.cost.Memory, p.cost.Passes = uint32(memory), uint32(passes)
	case "pbkdf2-sha256":
		p.cost.Iterations, ok = parameter(parts[1], "i=", 1000, maxIterations)
	}
	var err1, err2 error
	p.salt, err1 = base64.RawStdEncoding.DecodeString(parts[2])
	p.key, err2 = base64.RawStdEncoding.DecodeString(parts[3])
	if !ok || err1 != nil || err2 != nil || len(p.salt) != saltBytes || len(p.key) != keyBytes {
		return p, bad
	}
	return p, nil
}

func argonParameters(text string) (memory, passes int, ok bool) {
	parts := strings.Split(text, ",")
	if len(parts) != 3 || parts[2] != "p=1" {
		return 0, 0, false
	}
	memory, ok1 := parameter(parts[0], "m=", 8, maxMemory)
	passes, ok2 := parameter(parts[1], "t=", 1, maxPasses)
	return memory, passes, ok1 && ok2
}

func parameter(text, name string, least, most int) (int, bool) {
	digits, ok := strings.CutPrefix(text, name)
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n >= least && n <= most
}
