package node

import (
	"strings"

	"golang.org/x/sys/unix"
)

var networkNames = map[string]string{
	"nfs": "NFS", "smbfs": "SMB", "afpfs": "AFP", "webdav": "WebDAV", "cifs": "CIFS", "ftp": "FTP",
}

// networkFileSystem names the network file system that holds path, or returns "".
func networkFileSystem(path string) (string, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return "", err
	}
	name := unix.ByteSliceToString(s.Fstypename[:])
	return networkNames[strings.ToLower(name)], nil
}
