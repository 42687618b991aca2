package store

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/zeebo/xxh3"
	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// The database engine believes what it reads. It therefore reads through a layer of
// ours, a VFS in its words, which ends every page of the database with a checksum
// when it is written and compares it when it is read: a page that the disk changed
// is an error that names the page, whatever is on it, and never an answer. Pages of
// the write-ahead log have checksums already, which the engine looks at only after a
// crash; the layer looks at them at every read.
//
// The layer is the operating system's own VFS with another way to open files: it
// puts functions of ours in place of a few methods of an open file.

// vfsName is the name of the layer. uncheckedName is that of one that checks nothing,
// by which a database without checksums is read to be written anew.
const (
	vfsName       = "genesis"
	uncheckedName = "genesis-unchecked"
)

// pageSize is that of our databases: what the engine makes unless told otherwise.
const pageSize = 4096

// reserved is how many bytes at the end of each page the engine leaves to us: xxh3
// of the bytes before them, seeded with the page's number, little-endian.
const reserved = 8

func pageSum(page []byte, number int64) uint64 {
	return xxh3.HashSeed(page[:len(page)-reserved], uint64(number))
}

// soundPage reports whether a page is what was written. One of zeros is not: all that
// the engine reads was written, also what it freed, since that is overwritten.
func soundPage(page []byte, number int64) bool {
	return binary.LittleEndian.Uint64(page[len(page)-reserved:]) == pageSum(page, number)
}

// methods are the methods of an open file with ours in place, and where the others
// are.
type methods struct {
	lib.Tsqlite3_io_methods
	original uintptr // *lib.Tsqlite3_io_methods
}

// layer is the VFS.
var layer struct {
	once     sync.Once
	err      error
	original uintptr   // *lib.Tsqlite3_vfs
	ours     []uintptr // of the same

	mu     sync.Mutex
	tables map[[2]uintptr]uintptr // *methods by original methods and kind of file
	files  sync.Map               // *openFile by the engine's file
	damage atomic.Pointer[string] // what was found damaged last

	// opening is held for writing while a database is read past the engine, which
	// then opens none (see quietly).
	opening sync.RWMutex
}

// openFile is what is known of a file.
type openFile struct {
	path string
	kind int32
	log  walWriter
}

// at gives a pointer from the engine a type. Its memory is none that Go manages, and it
// is given none that is: what it reads and writes for us is of its own stack (tls.Alloc).
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// function makes a value that the engine can call of a function.
func function[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// fn makes a function of a value that the engine can call.
func fn[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&p)) }

type (
	openFunc  = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32
	closeFunc = func(tls *libc.TLS, file uintptr) int32
	ioFunc    = func(tls *libc.TLS, file, buf uintptr, amount int32, offset int64) int32
	initFunc  = func(tls *libc.TLS, db, errMsg, api uintptr) int32
)

// registerLayer makes the layer known to the engine, once.
func registerLayer() error {
	layer.once.Do(func() { layer.err = register() })
	return layer.err
}

func register() error {
	tls := libc.NewTLS() // lives as long as the process
	layer.tables = map[[2]uintptr]uintptr{}
	layer.original = lib.Xsqlite3_vfs_find(tls, 0)
	if layer.original == 0 {
		return Error("open database", "", fmt.Errorf("the engine has no VFS"))
	}
	for name, open := range map[string]openFunc{vfsName: openChecked, uncheckedName: openPlain} {
		if err := registerVFS(tls, name, open); err != nil {
			return Error("open database", "", err)
		}
	}
	if rc := lib.Xsqlite3_auto_extension(tls, function(initFunc(reserve))); rc != lib.SQLITE_OK {
		return Error("open database", "", fmt.Errorf("room for checksums cannot be reserved: %d", rc))
	}
	return nil
}

// registerVFS makes a VFS known that differs from the original in how it opens files.
func registerVFS(tls *libc.TLS, name string, open openFunc) error {
	cname, err := libc.CString(name)
	if err != nil {
		return err
	}
	p := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_vfs{})))
	if p == 0 {
		return fmt.Errorf("out of memory")
	}
	vfs := at[lib.Tsqlite3_vfs](p)
	*vfs = *at[lib.Tsqlite3_vfs](layer.original)
	vfs.FpNext, vfs.FzName, vfs.FxOpen = 0, cname, function(open)
	if rc := lib.Xsqlite3_vfs_register(tls, p, 0); rc != lib.SQLITE_OK {
		return fmt.Errorf("the VFS cannot be registered: %d", rc)
	}
	layer.ours = append(layer.ours, p)
	return nil
}

// reserve asks, for each connection that is opened through us, to leave us room in
// pages. It takes effect where a database is made or written anew.
func reserve(tls *libc.TLS, db, _, _ uintptr) int32 {
	name, err := libc.CString("main")
	if err != nil {
		return lib.SQLITE_NOMEM
	}
	defer libc.Xfree(tls, name)
	const room = 8
	arg := tls.Alloc(room)
	defer tls.Free(room)
	lib.Xsqlite3_file_control(tls, db, name, lib.SQLITE_FCNTL_VFS_POINTER, arg)
	if slices.Contains(layer.ours, *at[uintptr](arg)) {
		*at[int32](arg) = reserved
		lib.Xsqlite3_file_control(tls, db, name, lib.SQLITE_FCNTL_RESERVE_BYTES, arg)
	}
	return lib.SQLITE_OK
}

// openPlain opens a file as the original does.
func openPlain(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32 {
	return fn[openFunc](at[lib.Tsqlite3_vfs](layer.original).FxOpen)(tls, vfs, name, file, flags, outFlags)
}

// openChecked opens a file and puts our methods in place.
func openChecked(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32 {
	layer.opening.RLock()
	defer layer.opening.RUnlock()
	rc := openPlain(tls, vfs, name, file, flags, outFlags)
	kind := flags & (lib.SQLITE_OPEN_MAIN_DB | lib.SQLITE_OPEN_WAL)
	f := at[lib.Tsqlite3_file](file)
	if rc != lib.SQLITE_OK || kind == 0 || f.FpMethods == 0 {
		return rc
	}
	table := tableFor(tls, f.FpMethods, uintptr(kind))
	if table == 0 {
		fn[closeFunc](at[lib.Tsqlite3_io_methods](f.FpMethods).FxClose)(tls, file)
		f.FpMethods = 0
		return lib.SQLITE_NOMEM
	}
	layer.files.Store(file, &openFile{path: libc.GoString(name), kind: kind})
	f.FpMethods = table
	return rc
}

// tableFor returns the methods for a kind of file whose original methods are these.
func tableFor(tls *libc.TLS, original, kind uintptr) uintptr {
	layer.mu.Lock()
	defer layer.mu.Unlock()
	key := [2]uintptr{original, kind}
	if p := layer.tables[key]; p != 0 {
		return p
	}
	p := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(methods{})))
	if p == 0 {
		return 0
	}
	m := at[methods](p)
	m.Tsqlite3_io_methods, m.original = *at[lib.Tsqlite3_io_methods](original), original
	m.FiVersion = min(m.FiVersion, 2) // without memory mapping, which would go round us
	m.FxClose = function(closeFunc(closeFile))
	m.FxRead, m.FxWrite = function(ioFunc(readPage)), function(ioFunc(writePage))
	if kind == lib.SQLITE_OPEN_WAL {
		m.FxRead, m.FxWrite = function(ioFunc(readLog)), function(ioFunc(writeLog))
	}
	layer.tables[key] = p
	return p
}

// originalOf returns the methods that ours stand for.
func originalOf(file uintptr) *lib.Tsqlite3_io_methods {
	return at[lib.Tsqlite3_io_methods](at[methods](at[lib.Tsqlite3_file](file).FpMethods).original)
}

func closeFile(tls *libc.TLS, file uintptr) int32 {
	original := originalOf(file)
	layer.files.Delete(file)
	return fn[closeFunc](original.FxClose)(tls, file)
}

// quietly runs act, which opens and closes the database file at path past the engine,
// unless this process has it open: closing a file gives up all locks that a process
// has on it (https://www.sqlite.org/howtocorrupt.html, 2.2). It reports whether it did.
func quietly(path string, act func() error) (done bool, err error) {
	layer.opening.Lock()
	defer layer.opening.Unlock()
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	open := false
	layer.files.Range(func(_, f any) bool {
		if f := f.(*openFile); f.kind == lib.SQLITE_OPEN_MAIN_DB {
			other, err := os.Stat(f.path)
			open = err == nil && os.SameFile(info, other)
		}
		return !open
	})
	if open {
		return false, nil
	}
	return true, act()
}

// readPage reads from the database: whole pages, the content of pages that hold the
// rest of long rows, and on opening the header. That is read again with its page, and
// must be readable where a crash left the page torn.
func readPage(tls *libc.TLS, file, buf uintptr, amount int32, offset int64) int32 {
	read := fn[ioFunc](originalOf(file).FxRead)
	rc := read(tls, file, buf, amount, offset)
	if rc != lib.SQLITE_OK && rc != lib.SQLITE_IOERR_SHORT_READ || offset+int64(amount) <= headerLen {
		return rc
	}
	into := unsafe.Slice(at[byte](buf), amount)
	if rc == lib.SQLITE_IOERR_SHORT_READ && isZero(into) { // behind the end of the file
		return rc
	}
	if rc == lib.SQLITE_OK && amount == pageSize && offset%pageSize == 0 {
		return checkPage(file, into, offset/pageSize+1)
	}
	if bad := readParts(tls, read, file, into, offset); bad != lib.SQLITE_OK {
		return bad
	}
	return rc
}

// readParts reads from pages that it checks. Behind the end of the file are zeros.
func readParts(tls *libc.TLS, read ioFunc, file uintptr, into []byte, offset int64) int32 {
	buf := tls.Alloc(pageSize)
	defer tls.Free(pageSize)
	page := unsafe.Slice(at[byte](buf), pageSize)
	for done := int64(0); done < int64(len(into)); {
		number := (offset+done)/pageSize + 1
		start := (number - 1) * pageSize
		rc := read(tls, file, buf, pageSize, start)
		behind := rc == lib.SQLITE_IOERR_SHORT_READ && isZero(page)
		if rc == lib.SQLITE_OK || rc == lib.SQLITE_IOERR_SHORT_READ && !behind {
			rc = checkPage(file, page, number)
		}
		if rc != lib.SQLITE_OK && !behind {
			return rc
		}
		done += int64(copy(into[done:], page[offset+done-start:]))
	}
	return lib.SQLITE_OK
}

// headerLen is how long the header of a database is.
const headerLen = 100

func checkPage(file uintptr, page []byte, number int64) int32 {
	if soundPage(page, number) {
		return lib.SQLITE_OK
	}
	return damaged(file, fmt.Sprintf("page %d", number))
}

// writePage writes to the database.
func writePage(tls *libc.TLS, file, buf uintptr, amount int32, offset int64) int32 {
	write := fn[ioFunc](originalOf(file).FxWrite)
	if amount != pageSize {
		return write(tls, file, buf, amount, offset)
	}
	summed := tls.Alloc(pageSize) // the engine's own copy is not ours to change
	defer tls.Free(pageSize)
	page := unsafe.Slice(at[byte](summed), pageSize)
	copy(page, unsafe.Slice(at[byte](buf), amount))
	binary.LittleEndian.PutUint64(page[pageSize-reserved:], pageSum(page, offset/pageSize+1))
	return write(tls, file, summed, amount, offset)
}

// damaged notes what is damaged and returns the engine's code for it.
func damaged(file uintptr, what string) int32 {
	if f, ok := layer.files.Load(file); ok {
		what += " of " + filepath.Base(f.(*openFile).path)
	}
	layer.damage.Store(&what)
	return lib.SQLITE_IOERR_DATA
}

// lastDamage returns what was found damaged last.
func lastDamage() string {
	if what := layer.damage.Load(); what != nil {
		return *what
	}
	return "a page"
}
