package file

import (
	"context"
	"os"
)

// Room is not known on Windows, where no node runs.
func (d *Driver) Room(context.Context) (int64, error) { return -1, nil }

// tryLock does nothing on Windows, where no node runs.
func tryLock(*os.File) (bool, error) { return true, nil }
