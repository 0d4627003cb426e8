package datasets

// layout is where a data set keeps its files, and how they are read.
type layout struct {
	name   string
	folder string // the data set's own folder below the common root
	images string // images, below folder
	split  string // split file, below folder; "" if the data set has none
	read   func(request) (*Dataset, error)
	size   Size
	steps  [3]string // what to download from where, how to unpack
}

// splits is where CoOp's instructions link the split files.
const splits = "github.com/KaiyangZhou/CoOp, DATASETS.md"

// layouts are the data sets by the names of CoOp's configs, in the order of its
// instructions.
var layouts = []layout{
	{
		name: "imagenet", folder: "imagenet", images: "images", read: readImageNet,
		size: Size{1000, 1281167, 0, 50000},
		steps: [3]string{
			"download ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from https://image-net.org (free account)",
			"unpack to imagenet/images/train/n01440764/... and imagenet/images/val/n01440764/..., a folder a class in both",
			"put classnames.txt (" + splits + ", ImageNet) into imagenet/",
		},
	},
	{
		name: "caltech101", folder: "caltech-101", images: "101_ObjectCategories", split: "split_zhou_Caltech101.json",
		read: splitOr(fromFolders(caltechNames, "BACKGROUND_Google", "Faces_easy")),
		size: Size{100, 4128, 1649, 2465},
		steps: [3]string{
			"download caltech-101.zip from https://data.caltech.edu/records/mzrjq-6wc02",
			"unpack it and the 101_ObjectCategories.tar.gz within to caltech-101/101_ObjectCategories/",
			"put split_zhou_Caltech101.json (" + splits + ", Caltech101) into caltech-101/",
		},
	},
	{
		name: "oxford_pets", folder: "oxford_pets", images: "images", split: "split_zhou_OxfordPets.json",
		read: splitOr(readPets),
		size: Size{37, 2944, 736, 3669},
		steps: [3]string{
			"download images.tar.gz and annotations.tar.gz from https://www.robots.ox.ac.uk/~vgg/data/pets",
			"unpack both in oxford_pets/, to images/ and annotations/",
			"put split_zhou_OxfordPets.json (" + splits + ", OxfordPets) into oxford_pets/",
		},
	},
	{
		name: "stanford_cars", folder: "stanford_cars", split: "split_zhou_StanfordCars.json",
		read: splitOr(needsSplit("devkit/cars_meta.mat")),
		size: Size{196, 6509, 1635, 8041},
		steps: [3]string{
			"download cars_train.tgz and cars_test.tgz, once at https://ai.stanford.edu/~jkrause/cars/car_dataset.html, now from a mirror",
			"unpack both in stanford_cars/, to cars_train/ and cars_test/",
			"put split_zhou_StanfordCars.json (" + splits + ", StanfordCars) into stanford_cars/; it replaces the .mat files",
		},
	},
	{
		name: "oxford_flowers", folder: "oxford_flowers", images: "jpg", split: "split_zhou_OxfordFlowers.json",
		read: splitOr(needsSplit("imagelabels.mat")),
		size: Size{102, 4093, 1633, 2463},
		steps: [3]string{
			"download 102flowers.tgz from https://www.robots.ox.ac.uk/~vgg/data/flowers/102",
			"unpack it in oxford_flowers/, to jpg/",
			"put split_zhou_OxfordFlowers.json (" + splits + ", Flowers102) into oxford_flowers/; it replaces imagelabels.mat",
		},
	},
	{
		name: "food101", folder: "food-101", images: "images", split: "split_zhou_Food101.json",
		read: splitOr(fromFolders(nil)),
		size: Size{101, 50500, 20200, 30300},
		steps: [3]string{
			"download food-101.tar.gz from https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101",
			"unpack it beside the other data sets, to food-101/images/",
			"put split_zhou_Food101.json (" + splits + ", Food101) into food-101/",
		},
	},
	{
		name: "fgvc_aircraft", folder: "fgvc_aircraft", images: "images", read: readAircraft,
		size: Size{100, 3334, 3333, 3333},
		steps: [3]string{
			"download fgvc-aircraft-2013b.tar.gz from https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft",
			"unpack it and move its folder data/ beside the other data sets",
			"rename that folder to fgvc_aircraft/: images/, variants.txt, images_variant_train.txt and the other lists",
		},
	},
	{
		name: "sun397", folder: "sun397", images: "SUN397", split: "split_zhou_SUN397.json",
		read: splitOr(readSUN),
		size: Size{397, 15880, 3970, 19850},
		steps: [3]string{
			"download SUN397.tar.gz and Partitions.zip from https://vision.princeton.edu/projects/2010/SUN",
			"unpack both in sun397/: SUN397/a/abbey/..., and ClassName.txt, Training_01.txt, Testing_01.txt beside it",
			"put split_zhou_SUN397.json (" + splits + ", SUN397) into sun397/",
		},
	},
	{
		name: "dtd", folder: "dtd", images: "images", split: "split_zhou_DescribableTextures.json",
		read: splitOr(fromFolders(nil)),
		size: Size{47, 2820, 1128, 1692},
		steps: [3]string{
			"download dtd-r1.0.1.tar.gz from https://www.robots.ox.ac.uk/~vgg/data/dtd",
			"unpack it beside the other data sets, to dtd/images/",
			"put split_zhou_DescribableTextures.json (" + splits + ", DTD) into dtd/",
		},
	},
	{
		name: "eurosat", folder: "eurosat", images: "2750", split: "split_zhou_EuroSAT.json",
		read: splitOr(fromFolders(eurosatNames)),
		size: Size{10, 13500, 5400, 8100},
		steps: [3]string{
			"download EuroSAT.zip (RGB) from https://github.com/phelber/EuroSAT",
			"unpack it in eurosat/, to 2750/AnnualCrop/...",
			"put split_zhou_EuroSAT.json (" + splits + ", EuroSAT) into eurosat/",
		},
	},
	{
		name: "ucf101", folder: "ucf101", images: "UCF-101-midframes", split: "split_zhou_UCF101.json",
		read: splitOr(readUCF),
		size: Size{101, 7639, 1898, 3783},
		steps: [3]string{
			"download UCF-101-midframes.zip, the middle frame of each video (" + splits + ", UCF101)",
			"unpack it in ucf101/, to UCF-101-midframes/Apply_Eye_Makeup/...",
			"put split_zhou_UCF101.json (" + splits + ", UCF101) into ucf101/",
		},
	},
	{
		name: "imagenetv2", folder: "imagenetv2", images: "imagenetv2-matched-frequency-format-val", read: readImageNetV2,
		size: Size{1000, 0, 0, 10000},
		steps: [3]string{
			"download imagenetv2-matched-frequency.tar.gz from https://github.com/modestyachts/ImageNetV2",
			"unpack it in imagenetv2/, to imagenetv2-matched-frequency-format-val/0/...",
			"copy imagenet/classnames.txt into imagenetv2/",
		},
	},
	{
		name: "imagenet_sketch", folder: "imagenet-sketch", images: "images", read: readShift,
		size: Size{1000, 0, 0, 50889},
		steps: [3]string{
			"download ImageNet-Sketch.zip from https://github.com/HaohanWang/ImageNet-Sketch",
			"unpack it so that the class folders are imagenet-sketch/images/n01440764/...",
			"copy imagenet/classnames.txt into imagenet-sketch/",
		},
	},
	{
		name: "imagenet_a", folder: "imagenet-adversarial", images: "imagenet-a", read: readShift,
		size: Size{200, 0, 0, 7500},
		steps: [3]string{
			"download imagenet-a.tar from https://github.com/hendrycks/natural-adv-examples",
			"unpack it in imagenet-adversarial/, to imagenet-a/n01498041/...",
			"copy imagenet/classnames.txt into imagenet-adversarial/",
		},
	},
	{
		name: "imagenet_r", folder: "imagenet-rendition", images: "imagenet-r", read: readShift,
		size: Size{200, 0, 0, 30000},
		steps: [3]string{
			"download imagenet-r.tar from https://github.com/hendrycks/imagenet-r",
			"unpack it in imagenet-rendition/, to imagenet-r/n01443537/...",
			"copy imagenet/classnames.txt into imagenet-rendition/",
		},
	},
}

// caltechNames and eurosatNames are what CoOp calls classes whose folders have
// names that no caption would have.
var caltechNames = map[string]string{
	"Faces": "face", "Leopards": "leopard", "Motorbikes": "motorbike", "airplanes": "airplane",
}

var eurosatNames = map[string]string{
	"AnnualCrop":           "Annual Crop Land",
	"HerbaceousVegetation": "Herbaceous Vegetation Land",
	"Highway":              "Highway or Road",
	"Industrial":           "Industrial Buildings",
	"Pasture":              "Pasture Land",
	"PermanentCrop":        "Permanent Crop Land",
	"Residential":          "Residential Buildings",
	"SeaLake":              "Sea or Lake",
}
