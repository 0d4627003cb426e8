//go:build cuda_backend

package driver

// #cgo LDFLAGS: -L${SRCDIR}/link -ldl
// int spotlighter_driver_open(const char **why);
import "C"

import (
	"errors"
	"fmt"
	"sync"
)

// Open loads the driver and initialises it, once a process. Before that, and
// where it fails, every function of cu returns an error.
var Open = sync.OnceValue(func() error {
	var why *C.char
	switch code := C.spotlighter_driver_open(&why); code {
	case 0:
		return nil
	case -1:
		return fmt.Errorf("no NVIDIA driver on this machine (%s)", C.GoString(why))
	case 100: // CUDA_ERROR_NO_DEVICE
		return errors.New("the NVIDIA driver finds no card")
	case 803: // CUDA_ERROR_SYSTEM_DRIVER_MISMATCH
		return errors.New("the NVIDIA driver's library and its kernel module are of different versions: restart, or install the driver again")
	default:
		return fmt.Errorf("the NVIDIA driver does not start: error %d of cuInit (nvidia-smi may say more)", code)
	}
})
