package catalogue

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// Fetcher downloads files.
type Fetcher struct {
	// Client makes the requests; its transport should respect the environment's
	// proxy, as http.DefaultTransport does.
	Client *http.Client
	// Progress, if not nil, is told how many bytes are on the disk.
	Progress func(done, total int64)
	// Stall is how long a connection may send nothing.
	Stall time.Duration
	// Retries is how often a connection that is cut is taken up again, Pause
	// after it was cut.
	Retries int
	Pause   time.Duration
}

// NewFetcher waits a minute for silent servers and takes a cut connection up
// again five times.
func NewFetcher(progress func(done, total int64)) *Fetcher {
	return &Fetcher{Client: http.DefaultClient, Progress: progress, Stall: time.Minute, Retries: 5, Pause: 2 * time.Second}
}

// errCut is a connection that ended too early: another may go on from there.
var errCut = errors.New("the connection was cut")

// Get makes path the file of m, fetched from url. What has come of it is kept
// in path.part when something fails, and the next call goes on from there. The
// file takes its name only once its size and SHA-256 are the catalogue's. A
// file that is there already is only checked.
func (f *Fetcher) Get(ctx context.Context, m Model, url, path string) error {
	if info, err := os.Stat(path); err == nil {
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is there and is not a file", path)
		}
		if err := verify(path, m); err != nil {
			return fmt.Errorf("%s is there already, but %w: remove it first", path, err)
		}
		return nil
	}
	part := path + ".part"
	for try := 0; ; try++ {
		err := f.fetch(ctx, m, url, part)
		if err == nil {
			break
		}
		if !errors.Is(err, errCut) || try == f.Retries || ctx.Err() != nil {
			return fmt.Errorf("%s: %w", url, err)
		}
		select {
		case <-time.After(f.Pause):
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", url, ctx.Err())
		}
	}
	if err := verify(part, m); err != nil {
		os.Remove(part) // nothing in it can be trusted
		return fmt.Errorf("%s: what came is not the published file: %w", url, err)
	}
	return os.Rename(part, path)
}

// fetch appends to part until it has the file's size.
func (f *Fetcher) fetch(ctx context.Context, m Model, url, part string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	file, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	have, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if have == m.Bytes {
		return nil
	}
	if have > m.Bytes {
		have = 0
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	timer := time.AfterFunc(f.Stall, func() { cancel(fmt.Errorf("%w: nothing came for %v", errCut, f.Stall)) })
	defer timer.Stop()
	resp, err := f.Client.Do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	defer resp.Body.Close()
	if have, err = begin(resp, m, have); err != nil {
		return err
	}
	if err := file.Truncate(have); err != nil {
		return err
	}
	if _, err := file.Seek(have, io.SeekStart); err != nil {
		return err
	}
	return f.copy(ctx, file, resp.Body, m, have, timer)
}

// begin checks what the server is about to send and returns where in the file
// it starts.
func begin(resp *http.Response, m Model, have int64) (int64, error) {
	switch resp.StatusCode {
	case http.StatusOK: // from the beginning, asked for or not
		have = 0
	case http.StatusPartialContent:
		if !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)) {
			return 0, fmt.Errorf("the server sends %.60q, asked for what follows byte %d", resp.Header.Get("Content-Range"), have)
		}
	default:
		return 0, fmt.Errorf("the server answers %.60q", resp.Status)
	}
	if kind := resp.Header.Get("Content-Type"); strings.HasPrefix(kind, "text/") {
		return 0, fmt.Errorf("the server sends a page (%.60s), not the file", kind)
	}
	if n := resp.ContentLength; n >= 0 && have+n != m.Bytes {
		return 0, fmt.Errorf("the server offers a file of %d bytes, the published one has %d", have+n, m.Bytes)
	}
	return have, nil
}

// copy writes the body to the file, never more than is missing.
func (f *Fetcher) copy(ctx context.Context, file *os.File, body io.Reader, m Model, have int64, timer *time.Timer) error {
	buffer := make([]byte, 256<<10)
	for {
		timer.Reset(f.Stall)
		n, err := body.Read(buffer[:min(int64(len(buffer)), m.Bytes-have)])
		if n > 0 {
			if have == 0 && bytes.HasPrefix(bytes.TrimSpace(buffer[:min(n, 512)]), []byte("<")) {
				return errors.New("the server sends a web page, not the file")
			}
			if _, err := file.Write(buffer[:n]); err != nil {
				return err
			}
			have += int64(n)
			if f.Progress != nil {
				f.Progress(have, m.Bytes)
			}
		}
		switch {
		case have == m.Bytes:
			return file.Sync()
		case err == nil:
		case errors.Is(context.Cause(ctx), errCut):
			return fmt.Errorf("%w, at %d of %d bytes; the same command goes on from there", context.Cause(ctx), have, m.Bytes)
		case ctx.Err() != nil:
			return fmt.Errorf("stopped at %d of %d bytes; the same command goes on from there: %w", have, m.Bytes, ctx.Err())
		default:
			return fmt.Errorf("%w at %d of %d bytes; the same command goes on from there", errCut, have, m.Bytes)
		}
	}
}

// verify compares a file's size and hash with the catalogue's.
func verify(path string, m Model) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != m.Bytes {
		return fmt.Errorf("it has %d bytes, wanted %d", info.Size(), m.Bytes)
	}
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != m.SHA256 {
		return fmt.Errorf("its SHA-256 is %s, wanted %s", sum, m.SHA256)
	}
	return nil
}
