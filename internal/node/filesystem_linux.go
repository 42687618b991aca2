package node

import (
	"golang.org/x/sys/unix"
)

// networkMagic are the statfs magic numbers of network file systems: from
// linux/magic.h, and from the sources of those that are built outside Linux.
var networkMagic = map[uint32]string{
	unix.NFS_SUPER_MAGIC:  "NFS",
	unix.SMB_SUPER_MAGIC:  "SMB",
	unix.SMB2_SUPER_MAGIC: "SMB",
	unix.CIFS_SUPER_MAGIC: "CIFS",
	unix.CEPH_SUPER_MAGIC: "Ceph",
	unix.AFS_SUPER_MAGIC:  "AFS",
	unix.CODA_SUPER_MAGIC: "Coda",
	unix.NCP_SUPER_MAGIC:  "NCP",
	0x0bd00bd0:            "Lustre",
	0x47504653:            "GPFS",
	0x19830326:            "BeeGFS",
	0xaad7aaea:            "Panasas",
	0x20030528:            "OrangeFS",
	0x7461636f:            "OCFS2",
	0x01161970:            "GFS2",
}

// networkFileSystem names the network file system that holds path, or returns "".
func networkFileSystem(path string) (string, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return "", err
	}
	return networkMagic[uint32(s.Type)], nil
}
