// Package paper holds the numbers that the literature printed, as facts with
// their sources: nothing in it was measured by this program.
package paper

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"math"
	"strconv"
)

// Cell is one printed cell of base to novel, in percent.
type Cell struct {
	Method, Dataset string // as printed; Average is a data set too
	Base, Novel, HM float64
}

// Average is the row over the eleven data sets.
const Average = "Average"

// Slack is by how much a printed harmonic mean may differ from that of the
// printed accuracies: each is rounded to two decimals, and a mean of three seeds'
// harmonic means is a little less than the harmonic mean of the means.
const Slack = .03

// Recomputed is the harmonic mean of the printed accuracies.
func (c Cell) Recomputed() float64 { return 2 * c.Base * c.Novel / (c.Base + c.Novel) }

// Follows says whether the printed harmonic mean follows from the printed
// accuracies.
func (c Cell) Follows() bool { return math.Abs(c.HM-c.Recomputed()) <= Slack }

//go:embed base_to_novel.csv
var baseToNovel []byte

//go:embed cross_dataset.csv
var crossDataset []byte

// The names that the tables print, by those of this program.
var (
	methods = map[string]string{
		"clip": "CLIP", "coop": "CoOp", "cocoop": "CoCoOp", "maple": "MaPLe", "promptsrc": "PromptSRC", "clipfit": "CLIPFit", "promptkd": "PromptKD",
		"coop+textrefiner": "CoOp+TextRefiner", "promptkd+textrefiner": "PromptKD+TextRefiner",
		"coop+spotlighter": "CoOp+Spotlighter", "promptkd+spotlighter": "PromptKD+Spotlighter",
	}
	datasets = map[string]string{
		"imagenet": "ImageNet", "caltech101": "Caltech101", "oxford_pets": "OxfordPets", "stanford_cars": "StanfordCars",
		"oxford_flowers": "Flowers102", "food101": "Food101", "fgvc_aircraft": "FGVCAircraft", "sun397": "SUN397",
		"dtd": "DTD", "eurosat": "EuroSAT", "ucf101": "UCF101", Average: Average,
	}
)

// BaseToNovelCells are all printed cells, in their order.
func BaseToNovelCells() []Cell { return base2novel }

// BaseToNovel is the printed cell of a method and a data set, by this program's
// names; Average is the row over all eleven.
func BaseToNovel(method, dataset string) (Cell, bool) {
	m, d := methods[method], datasets[dataset]
	for _, c := range base2novel {
		if c.Method == m && c.Dataset == d {
			return c, m != "" && d != ""
		}
	}
	return Cell{}, false
}

// CrossDataset is the printed accuracy on a target, by this program's names.
func CrossDataset(method, target string) (float64, bool) {
	v, ok := cross[[2]string{methods[method], datasets[target]}]
	return v, ok
}

// Eleven are this program's names of the data sets of the average.
func Eleven() []string {
	var names []string
	for name := range datasets {
		if name != Average {
			names = append(names, name)
		}
	}
	return names
}

var (
	base2novel = readBaseToNovel()
	cross      = readCross()
)

// read parses a table that the program carries; a mistake in it is one of ours.
func read(text []byte) [][]string {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		panic(fmt.Sprintf("results/paper: %v", err))
	}
	return rows
}

func number(text string) float64 {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(fmt.Sprintf("results/paper: %v", err))
	}
	return v
}

func readBaseToNovel() []Cell {
	var cells []Cell
	for _, row := range read(baseToNovel)[1:] {
		cells = append(cells, Cell{row[0], row[1], number(row[2]), number(row[3]), number(row[4])})
	}
	return cells
}

func readCross() map[[2]string]float64 {
	rows := read(crossDataset)
	values := map[[2]string]float64{}
	for _, row := range rows[1:] {
		for i, text := range row[1:] {
			values[[2]string{row[0], rows[0][i+1]}] = number(text)
		}
	}
	return values
}
