package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The data sets that bring lists of their own, one image a line.

// eachLine calls use with each line of a list; its error is returned with file
// and line.
func (r request) eachLine(name string, use func(line string) error) error {
	file := r.file(name)
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no list %s: %w", file, fs.ErrNotExist)
	}
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	if !utf8.Valid(content) {
		return fmt.Errorf("list %s: not UTF-8", file)
	}
	n := 0
	for line := range strings.Lines(string(content)) {
		n++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := use(line); err != nil {
			return fmt.Errorf("list %s: line %d: %w", file, n, err)
		}
	}
	return nil
}

// classList reads a list of class names; their labels are their lines.
func (r request) classList(name string, class func(line string) string) (map[string]int, error) {
	labels := map[string]int{}
	err := r.eachLine(name, func(line string) error {
		c := class(line)
		if _, ok := labels[c]; ok {
			return fmt.Errorf("class %q is there twice", c)
		}
		labels[c] = len(labels)
		return nil
	})
	return labels, err
}

// readPets reads the annotations of OxfordPets: "Abyssinian_100 1 1 1" is an
// image, its label from 1, and two numbers that do not matter here.
func readPets(r request) (*Dataset, error) {
	b := newBuilder(r.images())
	b.lister = "list " + r.file("annotations/trainval.txt")
	for _, list := range []struct {
		name string
		part *[]Item
	}{{"annotations/trainval.txt", &b.Train}, {"annotations/test.txt", &b.Test}} {
		err := r.eachLine(list.name, func(line string) error {
			fields := strings.Split(line, " ")
			breed := strings.LastIndex(fields[0], "_")
			if len(fields) != 4 || breed < 0 {
				return fmt.Errorf("wanted Breed_number, label and two numbers, found %q", line)
			}
			label, err := strconv.Atoi(fields[1])
			if err != nil {
				return fmt.Errorf("label %q, wanted a whole number", fields[1])
			}
			return b.add(list.part, fields[0]+".jpg", label-1, strings.ToLower(fields[0][:breed]))
		})
		if err != nil {
			return nil, err
		}
	}
	return finishTrainVal(r, b)
}

func finishTrainVal(r request, b *builder) (*Dataset, error) {
	d, err := b.finish("train", "test")
	if err == nil {
		err = splitTrainVal(d, r.seed)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.lister, err)
	}
	return d, nil
}

// readSUN reads the lists of SUN397: "/c/church/indoor/sun_x.jpg" is an image of
// the class "indoor church".
func readSUN(r request) (*Dataset, error) {
	slash := func(line string) string { return strings.TrimPrefix(line, "/") }
	labels, err := r.classList("ClassName.txt", slash)
	if err != nil {
		return nil, err
	}
	b := newBuilder(r.images())
	b.lister = "list " + r.file("Training_01.txt")
	for _, list := range []struct {
		name string
		part *[]Item
	}{{"Training_01.txt", &b.Train}, {"Testing_01.txt", &b.Test}} {
		err := r.eachLine(list.name, func(line string) error {
			file := slash(line)
			label, ok := labels[path.Dir(file)]
			if !ok {
				return fmt.Errorf("class %q is not in ClassName.txt", path.Dir(file))
			}
			words := strings.Split(path.Dir(file), "/")[1:] // without the letter
			slices.Reverse(words)
			return b.add(list.part, file, label, strings.Join(words, " "))
		})
		if err != nil {
			return nil, err
		}
	}
	return finishTrainVal(r, b)
}

// camel finds the words of ApplyEyeMakeup.
var camel = regexp.MustCompile("[A-Z][^A-Z]*")

// readUCF reads the lists of UCF101: "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi"
// is the video whose middle frame is Apply_Eye_Makeup/v_ApplyEyeMakeup_g08_c01.jpg.
func readUCF(r request) (*Dataset, error) {
	labels, err := r.classList("ucfTrainTestlist/classInd.txt", func(line string) string {
		_, class, _ := strings.Cut(line, " ")
		return class
	})
	if err != nil {
		return nil, err
	}
	b := newBuilder(r.images())
	b.lister = "list " + r.file("ucfTrainTestlist/trainlist01.txt")
	for _, list := range []struct {
		name string
		part *[]Item
	}{{"ucfTrainTestlist/trainlist01.txt", &b.Train}, {"ucfTrainTestlist/testlist01.txt", &b.Test}} {
		err := r.eachLine(list.name, func(line string) error {
			video, _, _ := strings.Cut(line, " ")
			action, file, ok := strings.Cut(video, "/")
			label, known := labels[action]
			if !ok || !known {
				return fmt.Errorf("wanted a class of classInd.txt and a video, found %q", line)
			}
			class := strings.Join(camel.FindAllString(action, -1), "_")
			return b.add(list.part, path.Join(class, strings.ReplaceAll(file, ".avi", ".jpg")), label, class)
		})
		if err != nil {
			return nil, err
		}
	}
	return finishTrainVal(r, b)
}

// readAircraft reads the lists of FGVCAircraft: "0034309 737-300" is an
// image and its variant.
func readAircraft(r request) (*Dataset, error) {
	labels, err := r.classList("variants.txt", func(line string) string { return line })
	if err != nil {
		return nil, err
	}
	b := newBuilder(r.images())
	for _, part := range b.parts() {
		name := "images_variant_" + part.name + ".txt"
		err := r.eachLine(name, func(line string) error {
			image, class, _ := strings.Cut(line, " ")
			label, ok := labels[class]
			if !ok {
				return fmt.Errorf("variant %q is not in variants.txt", class)
			}
			return b.add(part.items, image+".jpg", label, class)
		})
		if err != nil {
			return nil, err
		}
	}
	b.lister = "list " + r.file("images_variant_*.txt")
	d, err := b.finish("train", "val", "test")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.lister, err)
	}
	return d, nil
}
