"""CSV tables of tags: separators, encodings, headers, rows, paths and class names."""

from tests.bad_inputs.case import CHECK, TRAIN_FOLDER, Case

ROWS = "".join(
    f"{split}/{split}_{index}.jpg,{('bird', 'cat', 'dog')[index % 3]},{split}\n"
    for split, numbers in (("train", range(8)), ("val", range(8, 11)))
    for index in numbers
)
GOOD = f"image,tags,split\n{ROWS}"
"""All photos, with tags that are wrong but allowed."""
A, B = "train/train_0.jpg", "train/train_1.jpg"
HTML = "<!DOCTYPE html>\n<html><head><title>404</title></head></html>\n"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0a1b2c\nsize 1234\n"


def _csv(name: str, wrong: str, content: str | bytes, line: str) -> Case:
    command = f"{TRAIN_FOLDER} data.tags_file=tags.csv"
    return Case(f"csv-{name}", wrong, command, line, files={"photos/tags.csv": content})


def _accepted(name: str, wrong: str, content: str | bytes) -> Case:
    command = f"{CHECK} data.tags_file=tags.csv"
    files = {"photos/tags.csv": content}
    return Case(f"csv-{name}", wrong, command, "no errors, no warnings", 0, files, says="out")


CASES = (
    _accepted("bom", "A byte order mark, as Excel writes it", "\ufeff" + GOOD),
    _accepted("windows", "Windows line ends", GOOD.replace("\n", "\r\n")),
    _accepted(
        "header-blanks",
        "Blanks in the header",
        GOOD.replace("image,tags,split", "image, tags, split"),
    ),
    _accepted("blanks", "Blanks round tags", GOOD.replace(",bird,", ", bird ; dog ,")),
    _accepted("tabs", "Tabs between columns", GOOD.replace(",", "\t")),
    _accepted("semicolons", "Semicolons between columns", GOOD.replace(",", ";")),
    _accepted("excel-hint", "Excel's own first line", "sep=;\n" + GOOD.replace(",", ";")),
    _accepted(
        "utf-16", "UTF-16, as Excel's Unicode text", GOOD.replace(",", "\t").encode("utf-16")
    ),
    _accepted("empty-rows", "Empty rows at the end, as spreadsheets leave", GOOD + ",,\n,,\n"),
    _accepted(
        "header-in-capitals", "A header in capitals", GOOD.replace("image,tags,", "Image,Tags,")
    ),
    _accepted(
        "header-of-others",
        "Another program's header",
        GOOD.replace("image,tags", "file_name,label"),
    ),
    _accepted(
        "index-column",
        "A column of numbers without a name",
        "".join(f"{i if i else ''},{line}\n" for i, line in enumerate(GOOD.splitlines())),
    ),
    _accepted(
        "python-lists",
        "Lists as pandas saves them",
        GOOD.replace(",bird,", ",\"['bird', 'dog']\","),
    ),
    _csv(
        "latin-1",
        "Latin-1",
        "image,tags\ncaf\xe9.jpg,bird\n".encode("latin-1"),
        "photos/tags.csv: tags file cannot be read as UTF-8 text; save it as UTF-8",
    ),
    _csv(
        "two-separators",
        "Columns and tags separated by the same sign",
        f"image;tags\n{A};bird;dog\n",
        "photos/tags.csv, line 2: row does not fit the header; tags are joined by ';'",
    ),
    _csv(
        "quoted-line-break",
        "A line break inside quotes",
        'image,tags\n"train/\ntrain_0.jpg",bird\n',
        "photos/tags.csv, line 3: the name 'train/\\ntrain_0.jpg' is not UTF-8 or holds control characters; rename it",
    ),
    _csv(
        "open-quote",
        "A quote that is never closed",
        f'image,tags\n{A},"bird\n{B},cat\n',
        "photos/tags.csv, line 3: the tag 'bird\\ntrain/train_1.jpg' holds a line break or control character; is a quote not closed?",
    ),
    _csv(
        "no-header",
        "No header",
        f"{A},bird\n{B},cat\n",
        "photos/tags.csv, line 1: field 'image' is missing; write the header image,tags or image,tags,split, or image and one column of 0 and 1 for each class; found 'train/train_0.jpg,bird'",
    ),
    _csv(
        "header-misspelt",
        "A misspelt header",
        f"image,tgas\n{A},bird\n",
        "photos/tags.csv, line 1: field 'tags' is missing; write the header image,tags or image,tags,split, or image and one column of 0 and 1 for each class; found 'image,tgas'",
    ),
    _csv(
        "split-misspelt",
        "A misspelt column of splits, which would be passed over",
        GOOD.replace("tags,split", "tags,spilt"),
        "photos/tags.csv, line 1: unknown field 'spilt'; did you mean 'split'? if not, rename it",
    ),
    _csv(
        "two-images",
        "Two columns that may name the image",
        f"filename,path,tags\n{A},{A},bird\n",
        "photos/tags.csv, line 1: the columns 'filename', 'path' may all name the image; rename one of them to image",
    ),
    _csv(
        "two-tags",
        "Two columns that may be the tags",
        f"image,label,category\n{A},bird,cat\n",
        "photos/tags.csv, line 1: the columns 'label', 'category' may all be the tags; rename one of them to tags, or choose it: data.tags_control=label",
    ),
    _csv(
        "label-and-columns",
        "A column of labels beside columns of classes",
        f"image,label,bird\n{A},cat,1\n",
        "photos/tags.csv, line 1: both the column 'label' and the columns 'bird' say what is in an image; remove one of the two, or choose data.tags_control=label",
    ),
    _csv(
        "labels-are-numbers",
        "Numbers in place of names",
        f"id,label\n{A},0\n",
        "photos/tags.csv, line 2: the tag '0' is a number, and nothing says which class it is; write the classes' names",
    ),
    _csv(
        "labels-missing",
        "No row has its label",
        f"image,label\n{A},\n{B},\n",
        "photos/tags.csv: no image in it can be used: 2 no label in their row; with data.untagged=background they are pictures of background",
    ),
    _csv(
        "list-damaged",
        "A list without quotes in a cell",
        f'image,labels\n{A},"[bird, dog]"\n',
        "photos/tags.csv: column 'labels': the cell '[bird, dog]': not valid JSON (...)",
    ),
    _csv(
        "roboflow-unlabeled",
        "Marked as not labelled, and labelled",
        f"filename, bird, Unlabeled\n{A}, 1, 1\n",
        "photos/tags.csv, line 2: both 'Unlabeled' and 'bird'; keep one of them",
    ),
    _csv(
        "header-twice",
        "A column given twice",
        f"image,tags,tags\n{A},bird,cat\n",
        "photos/tags.csv, line 1: column 'tags' appears twice; keep one of them",
    ),
    _csv("empty", "No bytes", "", "photos/tags.csv: tags file has no rows"),
    _csv(
        "row-too-long",
        "Tags separated by the columns' comma",
        f"image,tags\n{A},bird,dog\n",
        "photos/tags.csv, line 2: row does not fit the header; tags are joined by ';'",
    ),
    _csv(
        "row-twice",
        "An image twice",
        f"image,tags\n{A},bird\n{B},cat\n{A},dog\n",
        "photos/tags.csv, line 4: image 'train/train_0.jpg' is already on line 2; keep one of them, with the tags of both",
    ),
    _csv(
        "row-twice-dot",
        "An image twice, once with ./",
        f"image,tags\n{A},bird\n./{A},dog\n",
        "photos/tags.csv, line 3: './train/train_0.jpg' and 'train_0.jpg' differ only in their suffix, or not at all; remove or rename one of them",
    ),
    _csv(
        "absolute-path",
        "An absolute path",
        f"image,tags\n/{A},bird\n",
        "photos/tags.csv, line 2: '/train/train_0.jpg' must be a path relative to the data root",
    ),
    _csv(
        "path-upwards",
        "A path with ..",
        f"image,tags\n../photos/{A},bird\n",
        "photos/tags.csv, line 2: '../photos/train/train_0.jpg' must be a path relative to the data root",
    ),
    _csv(
        "backslashes",
        "Windows paths",
        "image,tags\ntrain\\train_0.jpg,bird\n",
        "photos: 1 of 1 images of tags.csv missing, the first is 'train\\train_0.jpg'; separate folders by /",
    ),
    _csv(
        "nul",
        "A NUL in a path",
        "image,tags\ntr\0ain/a.jpg,bird\n",
        "photos/tags.csv, line 2: the name 'tr\\x00ain/a.jpg' is not UTF-8 or holds control characters; rename it",
    ),
    _csv(
        "class-in-capitals",
        "A class in capitals",
        f"image,tags\n{A},Bird\n",
        "photos/tags.csv, line 2: unknown class 'Bird'; did you mean 'bird'?",
    ),
    _csv(
        "class-misspelt",
        "A misspelt class",
        f"image,tags\n{A},bird;brid\n",
        "photos/tags.csv, line 2: unknown class 'brid'; did you mean 'bird'?",
    ),
    _csv(
        "class-unknown",
        "An unknown class",
        f"image,tags\n{A},zeppelin\n",
        "photos/tags.csv, line 2: unknown class 'zeppelin'; known classes: bird, cat, dog",
    ),
    _csv(
        "split-missing",
        "A split in some rows only",
        f"image,tags,split\n{A},bird,train\n{B},cat,\n",
        "photos/tags.csv, line 3: 'split' must be a name such as train or val, not ''",
    ),
    _csv(
        "columns-not-0-or-1",
        "A count in a class's column",
        f"image,bird,cat\n{A},2,0\n",
        "photos/tags.csv, line 2: column 'bird' must hold 0 or 1, not '2'; a column that holds the tags themselves is called tags",
    ),
    _csv(
        "columns-unknown",
        "A column that is no class",
        f"image,bird,cta\n{A},1,0\n",
        "photos/tags.csv, line 1: column 'cta' is no class; did you mean 'cat'?",
    ),
    _csv(
        "html",
        "An error page saved as CSV",
        HTML,
        "photos/tags.csv, line 1: field 'image' is missing; write the header image,tags or image,tags,split, or image and one column of 0 and 1 for each class; found '<!DOCTYPE html>'",
    ),
    Case(
        "tags-not-found",
        "A tags file that is not there",
        f"{TRAIN_FOLDER} data.tags_file=t.csv",
        "tags file 't.csv' not found, neither as given nor in the data root photos",
    ),
    Case(
        "tags-excel",
        "An Excel file",
        f"{TRAIN_FOLDER} data.tags_file=tags.xlsx",
        "photos/tags.xlsx: a tags file must end in .csv, .tsv, .jsonl, .json, .xml",
        files={"photos/tags.xlsx": b"PK"},
    ),
    Case(
        "tags-blanks",
        "Blanks that separate tags, or belong to names",
        "check blanks",
        "blanks/tags.csv: column 'tags': the tags 'dog', 'dog cat': are blanks between tags, or part of names? separate tags by ';', or give the class names with data.classes=FILE",
        files={"blanks/tags.csv": "image_name,tags\n1,dog cat\n2,dog\n"},
    ),
    Case(
        "tags-nan",
        "A program's word for an empty cell",
        "check nan",
        "nan/tags.csv, line 3: 'nan' is no class name; leave the tags of a picture of background empty, or give a class list that has it",
        files={"nan/tags.csv": "image,label\n1,dog\n2,nan\n"},
    ),
    Case(
        "untagged-unknown",
        "Another word for data.untagged",
        f"{CHECK} data.untagged=yes",
        "data.untagged=...: must be null or background, which says that images without a tag are pictures of background",
    ),
    Case(
        "control-unknown",
        "A column for data.tags_control that is not there",
        f"{TRAIN_FOLDER} data.tags_file=tags.csv data.tags_control=breed",
        "photos/tags.csv, line 1: data.tags_control=breed: no such column; there are 'image', 'tags', 'split'",
        files={"photos/tags.csv": GOOD},
    ),
    Case(
        "tags-text",
        "A text file",
        f"{TRAIN_FOLDER} data.tags_file=tags.txt",
        "photos/tags.txt: a tags file must end in .csv, .tsv, .jsonl, .json, .xml",
        files={"photos/tags.txt": f"{A} bird\n"},
    ),
)
