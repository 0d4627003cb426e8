package datasets

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// picture is a small JPEG; each n is another one.
func picture(t *testing.T, n int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 24, 16))
	for i := range 24 * 16 {
		img.Set(i%24, i/24, color.RGBA{uint8(n * 37), uint8(n >> 3 * 50), uint8(10 * (i % 24)), 255})
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// put writes files below root: text, or a picture of its own where the text is
// empty. Links are written "-> target".
func put(t *testing.T, root string, files map[string]string) {
	t.Helper()
	n := 0
	for name, text := range files {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		content := []byte(text)
		if text == "" {
			n++
			content = picture(t, n)
		}
		var err error
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			err = os.Symlink(target, file)
		} else {
			err = os.WriteFile(file, content, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// pictures adds n files to a tree: folder/prefix0.jpg, ....
func pictures(files map[string]string, n int, prefix string) {
	for i := range n {
		files[fmt.Sprintf("%s%d.jpg", prefix, i)] = ""
	}
}

func load(t *testing.T, name, root string) *Dataset {
	t.Helper()
	d, err := Open(name, root, 1)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// rel are paths below the data set's images with their labels and classes.
func rel(t *testing.T, d *Dataset, items []Item) (out []string) {
	t.Helper()
	for _, it := range items {
		p, err := filepath.Rel(d.Images, it.Path)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %d %s", filepath.ToSlash(p), it.Label, d.Classes[it.Label]))
	}
	return out
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// TestSplitFiles puts each data set where CoOp's instructions say.
func TestSplitFiles(t *testing.T) {
	for name, c := range map[string]struct{ split, images string }{
		"caltech101":     {"caltech-101/split_zhou_Caltech101.json", "caltech-101/101_ObjectCategories"},
		"oxford_pets":    {"oxford_pets/split_zhou_OxfordPets.json", "oxford_pets/images"},
		"stanford_cars":  {"stanford_cars/split_zhou_StanfordCars.json", "stanford_cars"},
		"oxford_flowers": {"oxford_flowers/split_zhou_OxfordFlowers.json", "oxford_flowers/jpg"},
		"food101":        {"food-101/split_zhou_Food101.json", "food-101/images"},
		"sun397":         {"sun397/split_zhou_SUN397.json", "sun397/SUN397"},
		"dtd":            {"dtd/split_zhou_DescribableTextures.json", "dtd/images"},
		"eurosat":        {"eurosat/split_zhou_EuroSAT.json", "eurosat/2750"},
		"ucf101":         {"ucf101/split_zhou_UCF101.json", "ucf101/UCF-101-midframes"},
	} {
		root := t.TempDir()
		put(t, root, map[string]string{
			c.split: `{"train": [["x/0.jpg", 0, "one"], ["x/1.jpg", 1, "two"]], "val": [["x/2.jpg", 0, "one"]],
				"test": [["x/3.jpg", 1, "two"], ["x/4.jpg", 0, "one"]]}`,
			c.images + "/x/0.jpg": "", c.images + "/x/1.jpg": "", c.images + "/x/2.jpg": "", c.images + "/x/3.jpg": "", c.images + "/x/4.jpg": "",
		})
		d := load(t, name, root)
		same(t, name, rel(t, d, d.Train), []string{"x/0.jpg 0 one", "x/1.jpg 1 two"})
		same(t, name, rel(t, d, d.Test), []string{"x/3.jpg 1 two", "x/4.jpg 0 one"})
		if len(d.Notes) > 0 {
			t.Errorf("%s: %q", name, d.Notes)
		}
	}
}

// TestUnsplitFolders splits class folders as Python does, with CoOp's names.
func TestUnsplitFolders(t *testing.T) {
	for name, c := range map[string]struct {
		images  string
		folders []string
		classes []string
	}{
		"caltech101": {"caltech-101/101_ObjectCategories", []string{"BACKGROUND_Google", "Faces", "Faces_easy", "airplanes"}, []string{"face", "airplane"}},
		"eurosat":    {"eurosat/2750", []string{"AnnualCrop", "Forest", "SeaLake"}, []string{"Annual Crop Land", "Forest", "Sea or Lake"}},
		"dtd":        {"dtd/images", []string{"banded", "dotted"}, []string{"banded", "dotted"}},
		"food101":    {"food-101/images", []string{"apple_pie", "ramen"}, []string{"apple_pie", "ramen"}},
	} {
		root, files, kept := t.TempDir(), map[string]string{}, map[string][]string{}
		for i, folder := range c.folders {
			n := 7 + 4*i // 7 and 15 round to even
			pictures(files, n, path.Join(c.images, folder, "image_"))
			files[path.Join(c.images, folder, ".directory")] = "x"
			if folder == "BACKGROUND_Google" || folder == "Faces_easy" {
				continue
			}
			for i := range n {
				kept[folder] = append(kept[folder], fmt.Sprintf("image_%d.jpg", i))
			}
		}
		put(t, root, files)
		d := load(t, name, root)
		same(t, name, d.Classes, c.classes)
		var want parts
		python(t, &want, kept, "split.py", "folders", "1")
		for part, c := range map[string]struct {
			got  []Item
			want [][]any
		}{"train": {d.Train, want.Train}, "val": {d.Val, want.Val}, "test": {d.Test, want.Test}} {
			same(t, name+" "+part, c.got, items(c.want, d.Images))
		}
		if len(d.Notes) != 1 || !strings.Contains(d.Notes[0], "not as published") {
			t.Errorf("%s: notes %q", name, d.Notes)
		}
	}
}

// TestLists reads the lists that OxfordPets, SUN397 and UCF101 bring; their
// validation images are those that Python would take.
func TestLists(t *testing.T) {
	type entry = []any
	for name, c := range map[string]struct {
		files   func(i, class int) (line, image string)
		lists   [2]string
		more    map[string]string
		images  string
		classes []string
	}{
		"oxford_pets": {
			files: func(i, class int) (string, string) {
				name := fmt.Sprintf("%s_%d", []string{"Abyssinian", "American_Bulldog"}[class], i)
				return fmt.Sprintf("%s %d 1 1", name, class+1), name + ".jpg"
			},
			lists: [2]string{"annotations/trainval.txt", "annotations/test.txt"}, images: "images",
			classes: []string{"abyssinian", "american_bulldog"},
		},
		"sun397": {
			files: func(i, class int) (string, string) {
				name := fmt.Sprintf("%s/sun_%d.jpg", []string{"a/abbey", "c/church/indoor"}[class], i)
				return "/" + name, name
			},
			lists: [2]string{"Training_01.txt", "Testing_01.txt"}, images: "SUN397",
			more:    map[string]string{"ClassName.txt": "/a/abbey\n/c/church/indoor\n"},
			classes: []string{"abbey", "indoor church"},
		},
		"ucf101": {
			files: func(i, class int) (string, string) {
				action := []string{"ApplyEyeMakeup", "YoYo"}[class]
				video := fmt.Sprintf("v_%s_g%02d_c01", action, i)
				return fmt.Sprintf("%s/%s.avi %d", action, video, class+1), []string{"Apply_Eye_Makeup", "Yo_Yo"}[class] + "/" + video + ".jpg"
			},
			lists: [2]string{"ucfTrainTestlist/trainlist01.txt", "ucfTrainTestlist/testlist01.txt"}, images: "UCF-101-midframes",
			more:    map[string]string{"ucfTrainTestlist/classInd.txt": "1 ApplyEyeMakeup\n2 YoYo\n"},
			classes: []string{"Apply_Eye_Makeup", "Yo_Yo"},
		},
	} {
		l, _ := find(name)
		root, files := t.TempDir(), map[string]string{}
		for file, text := range c.more {
			files[path.Join(l.folder, file)] = text
		}
		var train, test []entry
		for i := range 12 {
			class := i % 3 / 2 // 8 of the first, 4 of the second
			line, image := c.files(i, class)
			files[path.Join(l.folder, c.lists[0])] += line + "\n"
			files[path.Join(l.folder, c.images, image)] = ""
			train = append(train, entry{image, float64(class)})
			line, image = c.files(100+i, 1-class)
			files[path.Join(l.folder, c.lists[1])] += line + "\r\n"
			files[path.Join(l.folder, c.images, image)] = ""
			test = append(test, entry{image, float64(1 - class)})
		}
		put(t, root, files)
		d := load(t, name, root)
		same(t, name, d.Classes, c.classes)
		var want parts
		python(t, &want, train, "split.py", "trainval", "1")
		same(t, name+" train", d.Train, items(want.Train, d.Images))
		same(t, name+" val", d.Val, items(want.Val, d.Images))
		same(t, name+" test", d.Test, items(test, d.Images))
	}
}

func TestAircraft(t *testing.T) {
	root := t.TempDir()
	files := map[string]string{
		"fgvc_aircraft/variants.txt":             "707-320\nF/A-18\nModel B200\n",
		"fgvc_aircraft/images_variant_train.txt": "0001 Model B200\n0002 707-320\n0003 F/A-18\n",
		"fgvc_aircraft/images_variant_val.txt":   "0004 707-320\n0005 F/A-18\n0006 Model B200\n",
		"fgvc_aircraft/images_variant_test.txt":  "0007 F/A-18\n0008 707-320\n0009 Model B200\n",
	}
	pictures(files, 10, "fgvc_aircraft/images/000")
	put(t, root, files)
	d := load(t, "fgvc_aircraft", root)
	same(t, "train", rel(t, d, d.Train), []string{"0001.jpg 2 Model B200", "0002.jpg 0 707-320", "0003.jpg 1 F/A-18"})
	same(t, "val", rel(t, d, d.Val), []string{"0004.jpg 0 707-320", "0005.jpg 1 F/A-18", "0006.jpg 2 Model B200"})
	same(t, "test", rel(t, d, d.Test), []string{"0007.jpg 1 F/A-18", "0008.jpg 0 707-320", "0009.jpg 2 Model B200"})

	os.Remove(filepath.Join(root, "fgvc_aircraft/images/0005.jpg"))
	if _, err := Open("fgvc_aircraft", root, 1); err == nil || !strings.Contains(err.Error(), "images_variant_*.txt: val[1]: no image") {
		t.Errorf("a missing image: %v", err)
	}
}

// imageNet is a tree of ImageNet and its shifts: two synsets are called missile.
func imageNet(t *testing.T) string {
	root, files := t.TempDir(), map[string]string{}
	names := "n01 tench\nn02 great white shark\nn03 missile\nn04 missile\n"
	for _, folder := range []string{"imagenet", "imagenetv2", "imagenet-adversarial", "imagenet-rendition"} {
		files[folder+"/classnames.txt"] = names
	}
	for i, synset := range []string{"n01", "n02", "n03", "n04"} {
		pictures(files, 5, "imagenet/images/train/"+synset+"/"+synset+"_")
		pictures(files, 2, "imagenet/images/val/"+synset+"/ILSVRC2012_val_0000")
		pictures(files, 1, fmt.Sprintf("imagenetv2/imagenetv2-matched-frequency-format-val/%d/", i))
		pictures(files, 1, "imagenet-sketch/images/"+synset+"/sketch_")
	}
	for _, synset := range []string{"n02", "n04"} {
		pictures(files, 2, "imagenet-adversarial/imagenet-a/"+synset+"/")
		pictures(files, 1, "imagenet-rendition/imagenet-r/"+synset+"/art_")
	}
	files["imagenet-adversarial/imagenet-a/README.txt"] = "x"
	put(t, root, files)
	return root
}

func TestImageNet(t *testing.T) {
	root := imageNet(t)
	d := load(t, "imagenet", root)
	same(t, "classes", d.Classes, []string{"tench", "great white shark", "missile", "missile"})
	same(t, "train", rel(t, d, d.Train)[4:6], []string{"train/n01/n01_4.jpg 0 tench", "train/n02/n02_0.jpg 1 great white shark"})
	same(t, "test", rel(t, d, d.Test)[7:], []string{"val/n04/ILSVRC2012_val_00001.jpg 3 missile"})
	if len(d.Train) != 20 || d.Val != nil || len(d.Test) != 8 {
		t.Errorf("%v", d.Size())
	}
	few, err := d.FewShot(2, 1)
	if err != nil || len(few.Train) != 8 || len(few.Val) != 0 {
		t.Errorf("few: %v, %v", few, err)
	}
	for name, want := range map[string]struct {
		classes, test []string
		labels        []int
	}{
		"imagenetv2": {d.Classes, []string{"0/0.jpg 0 tench", "1/0.jpg 1 great white shark", "2/0.jpg 2 missile", "3/0.jpg 3 missile"}, []int{0, 1, 2, 3}},
		"imagenet_sketch": {d.Classes, []string{"n01/sketch_0.jpg 0 tench", "n02/sketch_0.jpg 1 great white shark",
			"n03/sketch_0.jpg 2 missile", "n04/sketch_0.jpg 3 missile"}, []int{0, 1, 2, 3}},
		"imagenet_a": {[]string{"great white shark", "missile"}, []string{"n02/0.jpg 0 great white shark", "n02/1.jpg 0 great white shark",
			"n04/0.jpg 1 missile", "n04/1.jpg 1 missile"}, []int{1, 3}},
		"imagenet_r": {[]string{"great white shark", "missile"}, []string{"n02/art_0.jpg 0 great white shark", "n04/art_0.jpg 1 missile"}, []int{1, 3}},
	} {
		s := load(t, name, root)
		same(t, name+" classes", s.Classes, want.classes)
		same(t, name+" test", rel(t, s, s.Test), want.test)
		same(t, name+" ImageNet's labels", s.ImageNet, want.labels)
		if len(s.Train)+len(s.Val) > 0 {
			t.Errorf("%s: images for training", name)
		}
	}
}

func TestImageNetErrors(t *testing.T) {
	for want, change := range map[string]func(root string){
		`class folder "n99" is not in classnames.txt`: func(root string) {
			put(t, root, map[string]string{"imagenet/images/train/n99/0.jpg": "", "imagenet/images/val/n99/0.jpg": ""})
		},
		"class folder n04 is in only one of train and val": func(root string) { os.RemoveAll(filepath.Join(root, "imagenet/images/val/n04")) },
		"no list":                   func(root string) { os.Remove(filepath.Join(root, "imagenet/classnames.txt")) },
		"synset n01 is there twice": func(root string) { put(t, root, map[string]string{"imagenet/classnames.txt": "n01 a\nn01 b\n"}) },
		"line 2: wanted a synset":   func(root string) { put(t, root, map[string]string{"imagenet/classnames.txt": "n01 a\nn02\n"}) },
		"class folder n03 has no image": func(root string) {
			os.RemoveAll(filepath.Join(root, "imagenet/images/train/n03"))
			os.Mkdir(filepath.Join(root, "imagenet/images/train/n03"), 0o755)
		},
	} {
		root := imageNet(t)
		change(root)
		if _, err := Open("imagenet", root, 1); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), root) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	root := imageNet(t)
	put(t, root, map[string]string{"imagenetv2/imagenetv2-matched-frequency-format-val/07/0.jpg": ""})
	if _, err := Open("imagenetv2", root, 1); err == nil || !strings.Contains(err.Error(), `class folder "07", wanted 0 to 3`) {
		t.Errorf("imagenetv2: %v", err)
	}
}

// TestNoSplit says what is missing where no split can be made.
func TestNoSplit(t *testing.T) {
	for name, c := range map[string]struct{ image, want string }{
		"stanford_cars":  {"stanford_cars/cars_train/1.jpg", "split_zhou_StanfordCars.json (it is needed: devkit/cars_meta.mat is a MATLAB file, which is not read): file does not exist"},
		"oxford_flowers": {"oxford_flowers/jpg/1.jpg", "split_zhou_OxfordFlowers.json (it is needed: imagelabels.mat is a MATLAB file, which is not read): file does not exist"},
		"oxford_pets":    {"oxford_pets/images/1.jpg", "split_zhou_OxfordPets.json, and without it: no list "},
		"sun397":         {"sun397/SUN397/a/abbey/1.jpg", "sun397/ClassName.txt: file does not exist"},
		"ucf101":         {"ucf101/UCF-101-midframes/Yo_Yo/1.jpg", "ucf101/ucfTrainTestlist/classInd.txt: file does not exist"},
		"dtd":            {"dtd/images/banded/1.jpg", "split_zhou_DescribableTextures.json, and without it: class folder "},
	} {
		root := t.TempDir()
		put(t, root, map[string]string{c.image: ""})
		if _, err := Open(name, root, 1); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), root) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// TestListErrors wants the list and the line.
func TestListErrors(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"oxford_pets", "annotations/trainval.txt", "Beagle_1 1 1 1\nBeagle_2 1\n", "line 2: wanted Breed_number"},
		{"oxford_pets", "annotations/trainval.txt", "Beagle_1 x 1 1\n", `line 1: label "x"`},
		{"oxford_pets", "annotations/trainval.txt", "../Beagle_1 1 1 1\n", "line 1: path"},
		{"oxford_pets", "annotations/trainval.txt", "Beagle_1 0 1 1\n", "line 1: label -1"},
		{"oxford_pets", "annotations/trainval.txt", "\xff", "not UTF-8"},
		{"sun397", "ClassName.txt", "/a/abbey\n/a/abbey\n", `line 2: class "a/abbey" is there twice`},
		{"sun397", "Training_01.txt", "/a/alley/1.jpg\n", `line 1: class "a/alley" is not in ClassName.txt`},
		{"ucf101", "ucfTrainTestlist/trainlist01.txt", "YoYo/v.avi 1\nDiving/v.avi 2\n", "line 2: wanted a class of classInd.txt"},
		{"fgvc_aircraft", "images_variant_val.txt", "001 747\n", `line 1: variant "747" is not in variants.txt`},
	} {
		l, _ := find(c.name)
		root := t.TempDir()
		files := map[string]string{
			"oxford_pets/images/Beagle_1.jpg": "",
			"sun397/ClassName.txt":            "/a/abbey\n", "sun397/SUN397/a/abbey/1.jpg": "",
			"ucf101/ucfTrainTestlist/classInd.txt": "1 YoYo\n", "ucf101/UCF-101-midframes/Yo_Yo/v.jpg": "",
			"fgvc_aircraft/variants.txt": "737\n", "fgvc_aircraft/images_variant_train.txt": "001 737\n", "fgvc_aircraft/images/001.jpg": "",
		}
		files[l.folder+"/"+c.file] = c.text
		put(t, root, files)
		if _, err := Open(c.name, root, 1); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.file) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
