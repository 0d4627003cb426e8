package datasets

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"spotlighter/internal/atomicfile"
)

// A large tree's listing is kept in the user's cache folder: for each class
// folder when it last changed (adding, removing or renaming a file changes it)
// and its images. Without a cache folder the tree is listed each time.

const (
	indexHeader = "spotlighter index 1"
	indexEnd    = "." // no class folder's name
	// minIndexed is the number of images from which a listing is kept.
	minIndexed = 10000
	// unsettled is how young a change may be for another one soon after it to
	// bear the same time, on the coarsest clock of a file system in use.
	unsettled = 2 * time.Second
)

// indexPath is where the listing of dir is kept; "" if nowhere.
func indexPath(dir string) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "spotlighter", "index", fmt.Sprintf("%x", sha256.Sum256([]byte(dir)))[:32])
}

// readIndex returns what is known of dir's class folders, by name. Anything that
// cannot be read, or was not written for dir, is as good as nothing.
func readIndex(dir string) map[string]classFolder {
	content, err := os.ReadFile(indexPath(dir))
	if err != nil {
		return nil
	}
	next := lines(string(content))
	if next() != indexHeader || next() != strconv.Quote(dir) {
		return nil
	}
	known := map[string]classFolder{}
	for {
		name := next()
		if name == indexEnd {
			return known
		}
		changed, err := strconv.ParseInt(next(), 10, 64)
		count, err2 := strconv.Atoi(next())
		if err != nil || err2 != nil || count < 0 || count > len(content) { // or the text has ended
			return nil
		}
		f := classFolder{name: name, changed: time.Unix(0, changed), images: make([]string, count)}
		for i := range f.images {
			f.images[i] = next()
		}
		known[name] = f
	}
}

// lines returns the lines of a text one by one, "" after the last. They share
// its memory.
func lines(text string) func() string {
	return func() (line string) {
		line, text, _ = strings.Cut(text, "\n")
		return line
	}
}

// writeIndex keeps a listing of dir, begun at started. A folder that changed just
// before is left out, and so listed again the next time. That it cannot be
// written costs time, not correctness.
func writeIndex(dir string, folders []classFolder, started time.Time) {
	path, total := indexPath(dir), 0
	for _, f := range folders {
		total += len(f.images)
	}
	if path == "" || total < minIndexed || os.MkdirAll(filepath.Dir(path), 0o755) != nil {
		return
	}
	_ = atomicfile.Write(path, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<20)
		fmt.Fprintf(b, "%s\n%q\n", indexHeader, dir)
		for _, f := range folders {
			if started.Sub(f.changed) < unsettled || !f.lined() {
				continue
			}
			fmt.Fprintf(b, "%s\n%d\n%d\n", f.name, f.changed.UnixNano(), len(f.images))
			for _, name := range f.images {
				b.WriteString(name)
				b.WriteByte('\n')
			}
		}
		fmt.Fprintf(b, "%s\n", indexEnd)
		return b.Flush()
	})
}

// lined says whether the folder's names are lines of text.
func (f classFolder) lined() bool {
	for _, name := range append(f.images[:len(f.images):len(f.images)], f.name) {
		if strings.ContainsRune(name, '\n') {
			return false
		}
	}
	return true
}
