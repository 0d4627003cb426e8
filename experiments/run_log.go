package experiments

import (
	"fmt"
	"io"
	"os"

	"github.com/sirupsen/logrus"
)

// newLog is a log of JSON lines that goes nowhere yet.
func newLog() *logrus.Logger {
	log := logrus.New()
	log.SetFormatter(&logrus.JSONFormatter{})
	log.SetOutput(io.Discard)
	return log
}

// noteHook shows warnings to the user, as text and where the progress allows it.
type noteHook struct{ lab *Lab }

func (noteHook) Levels() []logrus.Level { return []logrus.Level{logrus.WarnLevel} }

func (h noteHook) Fire(e *logrus.Entry) error {
	h.lab.Note(e.Message)
	return nil
}

// logFile is a run's log. The logger would tell of a write that fails on stderr,
// in words of its own: the first failure is kept for Close instead.
type logFile struct {
	f   *os.File
	err error
}

func openLog(path string) (*logFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	return &logFile{f: f}, nil
}

func (l *logFile) Write(p []byte) (int, error) {
	if l.err == nil {
		if _, err := l.f.Write(p); err != nil {
			l.err = fmt.Errorf("log: %w", err)
		}
	}
	return len(p), nil
}

// Close returns the first failure.
func (l *logFile) Close() error {
	if l == nil { // the run was done
		return nil
	}
	if err := l.f.Close(); l.err == nil && err != nil {
		l.err = fmt.Errorf("log: %w", err)
	}
	return l.err
}
