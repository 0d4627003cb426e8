package results

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
)

const (
	// matrixClasses is up to how many classes a matrix is a table of numbers; with
	// more it is a picture, beside its most frequent confusions.
	matrixClasses = 16
	// matrixPairs bounds the table of the most frequent confusions.
	matrixPairs = 12
)

// confusions are the matrices of one method on one data set.
type confusions struct {
	Dataset, Method, Series string
	Matrices                []matrix
}

// matrix counts the images of a set of classes by true class, downwards, and by
// predicted class, over all seeds.
type matrix struct {
	Title, Facts string
	Rows         []matrixRow // nil if there are too many classes
	Picture      template.URL
	Pairs        *sheetTable // the most frequent confusions, beside a picture
}

type matrixRow struct {
	Class string
	Cells []matrixCell
}

// matrixCell is how many images of its row's class were taken for its column's.
type matrixCell struct {
	Count int
	Share float64 // of the row, in percent
	Right bool
	Title string
}

// confusionMatrices are those of a group, by data set and method.
func confusionMatrices(group string, runs []Folder, styles []string) ([]confusions, error) {
	var list []confusions
	for _, k := range testedSets(runs, styles) {
		i := slices.IndexFunc(list, func(c confusions) bool { return c.Dataset == k.dataset && c.Method == k.method })
		if i < 0 {
			i = len(list)
			list = append(list, confusions{Dataset: k.dataset, Method: k.method, Series: seriesClass(slices.Index(styles, k.method))})
		}
		m, err := newMatrix(k)
		if err != nil {
			return nil, err
		}
		if m.Pairs != nil {
			m.Pairs.ID = fmt.Sprintf("f%s%d-%d", group, i, len(list[i].Matrices))
		}
		list[i].Matrices = append(list[i].Matrices, m)
	}
	return list, nil
}

func newMatrix(k tested) (matrix, error) {
	n := k.sets[0].Classes
	counts, rows, images, right := make([][]int, n), make([]int, n), 0, 0
	for i := range counts {
		counts[i] = make([]int, n)
	}
	for _, s := range k.sets {
		for i, row := range s.Confusion {
			for j, count := range row {
				counts[i][j] += count
				rows[i] += count
				images += count
				if i == j {
					right += count
				}
			}
		}
	}
	m := matrix{
		Title: k.set + " classes",
		Facts: fmt.Sprintf("%d of %d right, over %s", right, images, count(len(k.sets), "seed")),
	}
	if k.set != "base" && k.set != "novel" && k.set != "all" {
		m.Title = k.set
	}
	names := make([]string, n)
	for i := range names {
		if names[i] = fmt.Sprintf("class %d", i+1); k.names != nil {
			names[i] = k.names[i]
		}
	}
	share := func(i, j int) float64 { return 100 * float64(counts[i][j]) / float64(max(rows[i], 1)) }
	if n > matrixClasses {
		m.Pairs = pairsTable(names, counts, share)
		var err error
		m.Picture, err = heat(counts, share)
		return m, err
	}
	for i, name := range names {
		row := matrixRow{Class: name}
		for j, c := range counts[i] {
			row.Cells = append(row.Cells, matrixCell{c, share(i, j), i == j, fmt.Sprintf("%d of %d of %s taken for %s", c, rows[i], name, names[j])})
		}
		m.Rows = append(m.Rows, row)
	}
	return m, nil
}

// pairsTable is the most frequent confusions, nil if there is none.
func pairsTable(names []string, counts [][]int, share func(i, j int) float64) *sheetTable {
	type pair struct{ i, j int }
	var pairs []pair
	for i := range counts {
		for j, c := range counts[i] {
			if i != j && c > 0 {
				pairs = append(pairs, pair{i, j})
			}
		}
	}
	if pairs == nil {
		return nil
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(counts[b.i][b.j], counts[a.i][a.j]) })
	t := &sheetTable{Caption: "Most frequent confusions", Head: append(heads("class", "taken for"), numeric("images", "% of the class")...)}
	if len(pairs) > matrixPairs {
		t.Note = fmt.Sprintf("%d of %d.", matrixPairs, len(pairs))
		pairs = pairs[:matrixPairs]
	}
	for _, p := range pairs {
		t.Rows = append(t.Rows, []cell{words(names[p.i]), words(names[p.j]), number(float64(counts[p.i][p.j]), "%.0f"), number(share(p.i, p.j), "%.0f")})
	}
	return t
}

// heat draws counts, a pixel each, in the colours of the page's tables: what is
// right in green, what is taken for something else in orange, on nothing, so that
// it shows on light and dark. Few of many are seen by the root.
func heat(counts [][]int, share func(i, j int) float64) (template.URL, error) {
	img := image.NewNRGBA(image.Rect(0, 0, len(counts), len(counts)))
	for i := range counts {
		for j, c := range counts[i] {
			if c == 0 {
				continue
			}
			at := color.NRGBA{213, 94, 0, uint8(math.Round(255 * math.Sqrt(share(i, j)/100)))}
			if i == j {
				at.R, at.G, at.B = 0, 158, 115
			}
			img.SetNRGBA(j, i, at)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return "", fmt.Errorf("confusion matrix: %w", err)
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil
}
