package datasets

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"unicode/utf8"
)

// splitOr reads the data set by its split file, or without one as unsplit does.
func splitOr(unsplit func(request) (*Dataset, error)) func(request) (*Dataset, error) {
	return func(r request) (*Dataset, error) {
		path, ok := r.splitFile()
		if !ok {
			d, err := unsplit(r)
			var matlab matlabError
			switch {
			case errors.Is(err, errNoClasses):
				return nil, fmt.Errorf("no split file %s: %w", path, os.ErrNotExist)
			case errors.As(err, &matlab):
				return nil, fmt.Errorf("no split file %s (it is needed: %w): %w", path, err, os.ErrNotExist)
			case err != nil:
				return nil, fmt.Errorf("no split file %s, and without it: %w", path, err)
			}
			d.Notes = append(d.Notes, fmt.Sprintf("no %s: split by seed %d, not as published", path, r.seed))
			return d, nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("split file: %w", err)
		}
		d, err := parseSplit(content, r.images())
		if err != nil {
			return nil, fmt.Errorf("split file %s: %w", path, err)
		}
		d.lister = "split file " + path
		return d, nil
	}
}

// matlabError is a data set's own list, by its name, that is a MATLAB file.
type matlabError string

func (e matlabError) Error() string { return string(e) + " is a MATLAB file, which is not read" }

// needsSplit is for data sets whose own lists are MATLAB files.
func needsSplit(list string) func(request) (*Dataset, error) {
	return func(request) (*Dataset, error) { return nil, matlabError(list) }
}

// parseSplit reads a split file: for each part a list of [path, label, class
// name], paths being relative to the folder images. It does not touch the disk.
func parseSplit(content []byte, images string) (*Dataset, error) {
	if !utf8.Valid(content) {
		return nil, errors.New("not UTF-8")
	}
	var parts map[string][]json.RawMessage
	if err := json.Unmarshal(content, &parts); err != nil {
		return nil, fmt.Errorf("bad JSON: %w", err)
	}
	b := newBuilder(images)
	for _, part := range b.parts() {
		for i, raw := range parts[part.name] {
			path, label, class, err := parseEntry(raw)
			if err == nil {
				err = b.add(part.items, path, label, class)
			}
			if err != nil {
				return nil, fmt.Errorf("%s[%d]: %w", part.name, i, err)
			}
		}
	}
	if len(b.Train)+len(b.Val)+len(b.Test) == 0 {
		return nil, errors.New(`no images: wanted lists "train", "val" and "test"`)
	}
	return b.finish("train", "test") // not every data set has validation images
}

// parseEntry reads one [path, label, class name].
func parseEntry(raw json.RawMessage) (path string, label int, class string, err error) {
	var fields []json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || len(fields) != 3 || !isSet(fields) ||
		json.Unmarshal(fields[0], &path) != nil ||
		json.Unmarshal(fields[1], &label) != nil ||
		json.Unmarshal(fields[2], &class) != nil {
		return "", 0, "", fmt.Errorf("wanted [path, label, class name], found %.120s", compact(raw))
	}
	return path, label, class, nil
}

// isSet refuses null, which would leave a field as it is.
func isSet(fields []json.RawMessage) bool {
	for _, f := range fields {
		if string(f) == "null" {
			return false
		}
	}
	return true
}

// compact puts JSON on one line.
func compact(raw json.RawMessage) []byte {
	line, err := json.Marshal(raw)
	if err != nil {
		return raw
	}
	return line
}
