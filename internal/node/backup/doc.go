// Package backup writes and reads backups: copies of the files of a home that
// show one moment, each with its digest. It knows nothing of what the files are;
// internal/node says which belong to a home and in what order they are read.
//
// A backup is a folder or an archive.
//
//	folder/                      archive.tar.zst
//	  backup.json                  format
//	  files/ab/abcd…               catalog.db
//	                               blobs/ab/abcd…
//	                               …
//	                               backup.json
//
// A folder keeps every file once, under the SHA-256 of its bytes, so that the
// next backup into it writes what is new and nothing else; what no backup needs
// any more is removed after the new one is whole. An archive holds the files
// under their own paths. Either way backup.json ([genesis.BackupManifest])
// names every file with size and digest, carries the digest of itself in its last
// line, and is written last, after everything it names is on disk: a folder
// or archive without it is not a backup.
//
// Reading believes nothing. [Open] and [Source.Extract] take regular files with
// plain relative paths, no links, no more bytes than the manifest or the size
// of the archive allows, and refuse by name what is damaged, missing or beside the
// manifest.
package backup
