package weights

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Format is how a file stores tensors. It is found by the file's content.
type Format string

// The formats, by the names that messages use.
const (
	Safetensors   Format = "safetensors"
	TorchScript   Format = "TorchScript archive"
	PyTorchZip    Format = "PyTorch state dict (zip)"
	PyTorchLegacy Format = "PyTorch state dict (old format)"
)

// parse finds out which format a file has and reads it.
func parse(content []byte) (*parsed, error) {
	text := strings.ToLower(string(bytes.TrimSpace(content[:min(len(content), 512)])))
	switch {
	case len(content) == 0:
		return nil, errors.New("the file is empty")
	case bytes.HasPrefix(content, []byte("PK\x03\x04")), bytes.HasPrefix(content, []byte("PK\x05\x06")):
		return parseArchive(content)
	case bytes.HasPrefix(content, legacyMagic):
		return parseLegacy(content)
	case isJSON(content):
		return nil, errors.New("JSON, not weights")
	case len(content) > 8 && content[8] == '{':
		return parseSafetensors(content)
	case strings.HasPrefix(text, "<!doctype") || strings.HasPrefix(text, "<html") || strings.HasPrefix(text, "<?xml") || strings.HasPrefix(text, "<head"):
		return nil, errors.New("a web page, not weights: the download answered with a message instead of the file")
	case strings.HasPrefix(text, "version https://git-lfs"):
		return nil, errors.New("a Git LFS pointer, not the weights that it points to: fetch them with git lfs pull")
	case len(content) > 262 && string(content[257:262]) == "ustar":
		return nil, errors.New("a tar archive; PyTorch's format of before 2017 and packed folders are not read: unpack it, or save it again")
	case bytes.HasPrefix(content, []byte("GGUF")), bytes.HasPrefix(content, []byte("\x89HDF")):
		return nil, errors.New("GGUF or HDF5, which are not read; wanted safetensors or PyTorch")
	case bytes.HasPrefix(content, []byte("\x80\x02")), bytes.HasPrefix(content, []byte("\x80\x04")):
		return nil, errors.New("a bare pickle, not a PyTorch checkpoint")
	case len(content) < 8:
		return nil, fmt.Errorf("not weights: %d bytes are too few", len(content))
	}
	return nil, fmt.Errorf("not weights: wanted safetensors or PyTorch, it starts with %.16q", content)
}

// isJSON says whether content begins as a JSON object does. A safetensors file
// may begin with the same byte, but its first eight, a length, hold a zero.
func isJSON(content []byte) bool {
	head := bytes.TrimLeft(content[:min(len(content), 512)], " \t\r\n")
	return len(head) > 0 && head[0] == '{' && bytes.IndexByte(content[:min(len(content), 8)], 0) < 0
}
