package cache

import (
	"os"
	"path/filepath"

	"github.com/opengenesis/genesis"
)

// Now counts what was forgotten so far, for [ID.Since].
func (s *Store) Now() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forgets
}

// Forget removes everything of a version, also what is being made. What is in use goes on
// from memory; of the folder it is gone when Forget returns.
func (s *Store) Forget(version genesis.Digest) error {
	folder := filepath.Dir(ID{Version: version}.path())
	s.mu.Lock()
	s.forgets++
	s.forgotten[folder] = s.forgets // who asked before may be about to have it made
	for path, it := range s.items {
		if filepath.Dir(path) == folder {
			s.forgetLocked(it)
		}
	}
	for path := range s.refused {
		if filepath.Dir(path) == folder {
			delete(s.refused, path)
		}
	}
	var pending []*making
	for path, k := range s.making {
		if filepath.Dir(path) == folder {
			k.stop(forgottenError())
			pending = append(pending, k)
		}
	}
	s.mu.Unlock()
	for _, k := range pending {
		<-k.done
	}
	return diskError(os.RemoveAll(filepath.Join(s.dir, folder)))
}
