//go:build unix

package launch

import (
	"os"
	"syscall"
)

// apart keeps a terminal's Ctrl-C from the worker, which gets ours instead: a
// second one would end it before its checkpoint.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func interrupt(p *os.Process) error { return p.Signal(os.Interrupt) }
