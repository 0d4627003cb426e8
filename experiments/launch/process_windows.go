package launch

import (
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// apart keeps a console's Ctrl-C from the worker, which gets our Ctrl-Break
// instead: a second one would end it before its checkpoint.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

func interrupt(p *os.Process) error {
	return windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(p.Pid))
}
