package find

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
	"github.com/zeebo/xxh3"
)

// manifest says which segments are the index. It is one file, replaced as a whole:
// until it names a segment, that does not count.
type manifest struct {
	Format   int       `json:"format"`
	Next     int       `json:"next"` // number of the next segment
	Mark     string    `json:"mark,omitempty"`
	Segments []listing `json:"segments"`
}

// listing is a segment in the manifest.
type listing struct {
	Name  string `json:"name"`
	Sum   string `json:"sum"` // of the file's foot
	Flags []byte `json:"flags"`
}

// manifestFormat covers segments as well, and how texts are taken apart.
const manifestFormat = 2

const (
	manifestName  = "index.json"
	segmentSuffix = ".seg"
)

// readManifest reads the manifest; none is an empty index.
func readManifest(dir string) (manifest, error) {
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	if os.IsNotExist(err) {
		return manifest{Format: manifestFormat}, nil
	} else if err != nil {
		return manifest{}, err
	}
	return parseManifest(b)
}

// parseManifest reads a manifest: a line with the checksum of what follows, and JSON.
func parseManifest(b []byte) (manifest, error) {
	var m manifest
	broken := func(msg string, err error) (manifest, error) {
		return manifest{}, &genesis.Error{Op: Damaged, Kind: genesis.Internal, Subject: "the manifest", Msg: msg, Err: err}
	}
	sum, body, _ := strings.Cut(string(b), "\n")
	if sum+"\n" != sumLine([]byte(body)) {
		return broken("does not match its sum", nil)
	}
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		return broken("cannot be read", err)
	}
	if m.Format != manifestFormat {
		return broken(fmt.Sprintf("is of format %d, and this program reads %d", m.Format, manifestFormat), nil)
	}
	for _, l := range m.Segments {
		if _, err := strconv.Atoi(strings.TrimSuffix(l.Name, segmentSuffix)); err != nil || !strings.HasSuffix(l.Name, segmentSuffix) {
			return broken("names a segment wrongly", err)
		}
	}
	return m, nil
}

// sumLine is the first line of a manifest.
func sumLine(body []byte) string { return fmt.Sprintf("%016x\n", xxh3.Hash(body)) }

func (m manifest) bytes() []byte {
	body, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings, numbers and bytes
	}
	return append([]byte(sumLine(body)), body...)
}

// writeManifest makes segments with their flags the index.
func (ix *Index) writeManifest(segs []*segment, fl []*flags, mark string) error {
	m := manifest{Format: manifestFormat, Next: ix.next, Mark: mark}
	for i, s := range segs {
		m.Segments = append(m.Segments, listing{s.name, fmt.Sprintf("%016x", s.sum), fl[i].pack()})
	}
	if err := disk.Replace(ix.disk, filepath.Join(ix.dir, manifestName), m.bytes()); err != nil {
		return err
	}
	return ix.disk.SyncDir(ix.dir)
}

// load opens the segments of the manifest.
func (ix *Index) load() (segs []*segment, fl []*flags, err error) {
	defer faults()()
	defer guard(&err)
	m, err := readManifest(ix.dir)
	if err != nil {
		return nil, nil, err
	}
	ix.next, ix.mark = m.Next, m.Mark
	for _, l := range m.Segments {
		s, err := openSegment(filepath.Join(ix.dir, l.Name), l.Name)
		if err != nil {
			return segs, fl, err
		}
		segs = append(segs, s)
		if fmt.Sprintf("%016x", s.sum) != l.Sum {
			return segs, fl, damage("is not the one that the manifest names")
		}
		f, err := unpackFlags(l.Flags, s.docs)
		if err != nil {
			return segs, fl, err
		}
		fl = append(fl, f)
	}
	return segs, fl, nil
}

// tidy removes files that the index does not need: what a crash left behind.
func (ix *Index) tidy(keep []*segment) error {
	entries, err := os.ReadDir(ix.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		kept := name == manifestName && keep != nil || slices.ContainsFunc(keep, func(s *segment) bool { return s.name == name })
		ours := strings.HasSuffix(name, segmentSuffix) || strings.HasSuffix(name, disk.Temporary) || name == manifestName
		if ours && !kept {
			if err := ix.disk.Remove(filepath.Join(ix.dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}
