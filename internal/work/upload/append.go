package upload

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Part is what one request brings.
type Part struct {
	Offset int64
	Body   io.Reader
	Last   bool           // the file ends with it
	SHA256 genesis.Digest // of the whole file, with the last part, or ""
}

// Append takes a part at the session's offset and returns the session as it is
// then, also after most errors: what has come in before them stays. Errors:
// NotFound; Conflict (another offset, another connection, or complete);
// Invalid (more or fewer bytes than announced, or other ones: the session is
// gone then); Permission (over the quota); Unavailable (no room, or the body broke
// off).
func (s *Store) Append(ctx context.Context, who genesis.Principal, id string, p Part) (*genesis.Upload, error) {
	if _, err := s.of(ctx, who, id); err != nil {
		return nil, err
	}
	if !s.take(id) {
		return nil, taken(id)
	}
	defer s.free(id)
	u, err := s.of(ctx, who, id) // as the connection before left it
	if err != nil {
		return nil, err
	}
	if u.Complete && p.Last && p.Offset == u.Offset {
		return &u.Upload, nil // asked again: the answer did not arrive
	}
	if err := u.accepts(p); err != nil {
		return &u.Upload, err
	}
	// The caller may go while the last bytes are written down.
	ctx = context.WithoutCancel(ctx)
	h, err := s.receive(ctx, &u, p.Body)
	if err == nil && p.Last {
		err = s.complete(ctx, &u, h, p.SHA256)
	}
	return &u.Upload, err
}

func (u *session) accepts(p Part) error {
	e := &genesis.Error{Op: "upload", Kind: genesis.Conflict, Subject: u.ID}
	switch {
	case u.Complete:
		e.Msg = "is complete"
	case p.Offset != u.Offset:
		e.Msg, e.Hint = "goes on at another offset", "Upload-Offset in this answer says where"
	default:
		return nil
	}
	return e
}

// receive appends body to the session's file, checkpoint by checkpoint. It returns the
// hash of all there is then.
func (s *Store) receive(ctx context.Context, u *session, body io.Reader) (*blocks, error) {
	f, err := os.OpenFile(s.path(u.ID), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fault("upload", u.ID, err)
	}
	defer f.Close()
	if err := s.rewind(f, u); err != nil {
		return nil, err
	}
	h, err := blocksAt(u.state, f, u.Offset)
	if err != nil {
		return nil, fault("upload", u.ID, err)
	}
	return h, s.fill(ctx, u, f, h, body)
}

func (s *Store) fill(ctx context.Context, u *session, f *os.File, h *blocks, body io.Reader) error {
	limit := s.Max
	if u.Size != nil {
		limit = min(limit, *u.Size)
	}
	for {
		in := &sink{f: f, h: h}
		_, readErr := io.CopyN(in, body, min(checkpoint, limit-u.Offset))
		if in.n > 0 {
			if err := s.commit(ctx, f, u, u.Offset+in.n, h); err != nil {
				_ = f.Truncate(u.Offset) // what no quota counts takes no room; the next part cuts it off else
				return err
			}
		}
		switch {
		case in.err != nil:
			return fault("upload", u.ID, in.err)
		case readErr == io.EOF:
			return nil
		case readErr != nil:
			return brokeOff(u.ID, readErr)
		case u.Offset == limit:
			return atEnd(u, body)
		}
	}
}

// sink writes to file and hash. What the file did not take whole does not count
// and is not hashed: it is behind the offset.
type sink struct {
	f   io.Writer
	h   io.Writer
	n   int64
	err error // of the file
}

func (s *sink) Write(b []byte) (int, error) {
	if _, s.err = s.f.Write(b); s.err != nil {
		return 0, s.err
	}
	s.n += int64(len(b))
	return s.h.Write(b)
}

// rewind cuts off what came after the offset, and makes the file's name durable
// before its first bytes.
func (s *Store) rewind(f *os.File, u *session) error {
	info, err := f.Stat()
	if err != nil {
		return fault("upload", u.ID, err)
	}
	if info.Size() < u.Offset {
		return &genesis.Error{Op: "upload", Kind: genesis.Internal, Subject: u.ID, Msg: "has lost bytes on the node's disk", Hint: "remove this upload and begin again"}
	}
	if err := f.Truncate(u.Offset); err != nil {
		return fault("upload", u.ID, err)
	}
	if _, err := f.Seek(u.Offset, io.SeekStart); err != nil {
		return fault("upload", u.ID, err)
	}
	if u.Offset == 0 {
		return syncDir(s.Dir)
	}
	return nil
}

// commit makes the bytes up to offset durable, then says so.
func (s *Store) commit(ctx context.Context, f *os.File, u *session, offset int64, h *blocks) error {
	if err := f.Sync(); err != nil {
		return fault("upload", u.ID, err)
	}
	state, expires := h.state(), s.Now().Add(s.life(u.person))
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
		if u.Size == nil {
			if err := s.checkQuota(ctx, tx, u.person, u.ID, offset, 0); err != nil {
				return err
			}
		}
		res, err := tx.ExecContext(ctx, `UPDATE uploads SET byte_offset = $1, hash_state = $2, expires_at = $3 WHERE id = $4 AND complete = 0`,
			offset, state, store.Time(expires), u.ID)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, noUpload(u.ID))
		}
		return nil
	})
	if err == nil {
		u.Offset, u.state, u.Expires = offset, state, expires.UTC().Truncate(time.Microsecond)
	}
	return err
}

// atEnd wants nothing more from a body.
func atEnd(u *session, body io.Reader) error {
	var one [1]byte
	n, err := io.ReadFull(body, one[:])
	switch {
	case n == 0 && err == io.EOF:
		return nil
	case n == 0:
		return brokeOff(u.ID, err)
	case u.Size != nil && u.Offset == *u.Size:
		return &genesis.Error{Op: "upload", Kind: genesis.Invalid, Subject: u.ID, Msg: "brings more bytes than were announced"}
	}
	return &genesis.Error{Op: "upload", Kind: genesis.Invalid, Subject: u.ID, Msg: "is larger than one upload may be", Hint: "the operator may raise uploads.max"}
}

// complete checks what was announced. Bytes other than those announced are of no
// use to anybody, so the session ends with them.
func (s *Store) complete(ctx context.Context, u *session, h *blocks, last genesis.Digest) error {
	if u.Size != nil && u.Offset != *u.Size {
		return &genesis.Error{Op: "complete upload", Kind: genesis.Invalid, Subject: u.ID, Msg: "has fewer bytes than were announced", Hint: "bring the rest first"}
	}
	got := genesis.DigestSum(h.sum())
	for _, want := range []genesis.Digest{u.SHA256, last} {
		if want != "" && want != got {
			return errors.Join(s.remove(ctx, u.ID), &genesis.Error{Op: "complete upload", Kind: genesis.Invalid, Subject: u.ID,
				Msg: "arrived with other bytes than its digest says; nothing was kept", Hint: "upload it again"})
		}
	}
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE uploads SET complete = 1, byte_size = byte_offset, sha256 = $1 WHERE id = $2`, got, u.ID)
		return err
	})
	if err == nil {
		size := u.Offset
		u.Complete, u.Size, u.SHA256 = true, &size, got
	}
	return err
}

func brokeOff(id string, err error) error {
	return &genesis.Error{Op: "upload", Kind: genesis.Unavailable, Subject: id, Msg: "the body broke off", Hint: "ask for the offset and go on there", Err: err}
}

// fault gives an error of the file system its kind.
func fault(op, subject string, err error) error {
	e := &genesis.Error{Op: op, Kind: genesis.Internal, Subject: subject, Err: err}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS) {
		e.Kind, e.Msg = genesis.Unavailable, "there is no room on the node's disk"
	}
	return e
}

func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil // has no such thing
	}
	d, err := os.Open(path)
	if err != nil {
		return fault("upload", path, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fault("upload", path, err)
	}
	return nil
}
