"""Makes the sample data of this folder from packages of the registries.

The values are those of the packages, untouched. What changes is the form: they
are put back into the untidy files laboratories keep (a metadata line above the
header, units in header cells, sentinels for missing values, an Excel workbook,
one file a year, nested JSON records), and some rows of each are kept apart in a
file new.csv, so that predictions can be seen beside values no model has met.
Run it to see that nothing else was done:

    pip install pvlib==0.16.1 scikit-learn==1.9.1 openpyxl
    npm pack vega-datasets@3.2.1 && tar xzf vega-datasets-3.2.1.tgz
    apt-get install r-base-core r-cran-modeldata   # 1.1.0
    python3 examples/make.py --vega package/data
"""

import argparse
import csv
import gzip
import importlib.util
import io
import json
import pathlib
import random
import subprocess

HERE = pathlib.Path(__file__).parent


def package_file(package, *parts):
    spec = importlib.util.find_spec(package)
    return pathlib.Path(spec.origin).parent.joinpath(*parts)


def write_gz(path, text):
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as f:
        f.write(text.encode())


def write_new(folder, header, rows):
    with open(HERE / folder / "new.csv", "w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows([header] + rows)


def apart(n, of):
    """Which n of so many rows are kept apart."""
    return set(random.Random(20251124).sample(range(of), n))


def energy():
    """A typical meteorological year of a solar station, as NREL writes it (TMY3).

    Kept: irradiance on the ground and above the air, cloud cover, weather.
    Left out: the direct and diffuse parts and the illuminances, which hold the
    answer, and most source and uncertainty flags.
    """
    lines = package_file("pvlib", "data", "723170TYA.CSV").read_text().splitlines()
    rows = list(csv.reader(lines[1:]))
    keep = ["Date (MM/DD/YYYY)", "Time (HH:MM)", "ETR (W/m^2)", "GHI (W/m^2)",
            "TotCld (tenths)", "OpqCld (tenths)", "Dry-bulb (C)", "Dew-point (C)", "RHum (%)",
            "Pressure (mbar)", "Wdir (degrees)", "Wspd (m/s)", "Hvis (m)", "CeilHgt (m)", "Pwat (cm)",
            "Lprecip depth (mm)"]
    at = [rows[0].index(k) for k in keep]
    rows = [[r[i] for i in at] for r in rows]
    new = [r for r in rows[1:] if "07/08/" <= r[0][:6] and r[0][:6] <= "07/14/"]
    out = io.StringIO()
    out.write(lines[0] + "\n")
    csv.writer(out, lineterminator="\n").writerows(r for r in rows if r not in new)
    write_new("energy", keep, new)
    write_gz(HERE / "energy" / "greensboro-tmy3.csv.gz", out.getvalue())


def materials():
    """Strength of concrete mixtures, as a workbook with units in the header."""
    import openpyxl

    text = subprocess.run(
        ["Rscript", "-e", "library(modeldata); write.csv(concrete, row.names=FALSE)"],
        check=True, capture_output=True, text=True).stdout
    rows = list(csv.reader(io.StringIO(text)))
    header = ["Cement (kg/m3)", "Blast furnace slag (kg/m3)", "Fly ash (kg/m3)", "Water (kg/m3)",
              "Superplasticizer (kg/m3)", "Coarse aggregate (kg/m3)", "Fine aggregate (kg/m3)",
              "Age (day)", "Compressive strength (MPa)"]
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Mixtures"
    sheet.append(["Compressive strength of concrete, after Yeh 1998"])
    sheet.append([])
    sheet.append(header)
    held = apart(30, len(rows) - 1)
    for i, row in enumerate(rows[1:]):
        if i not in held:
            sheet.append([float(v) for v in row])
    write_new("materials", header, [rows[1 + i] for i in sorted(held)])
    book.save(HERE / "materials" / "concrete.xlsx")


def medicine():
    """Cell nuclei of breast tumours, as nested JSON records, one a line."""
    rows = list(csv.reader(package_file("sklearn", "datasets", "data", "breast_cancer.csv").open()))
    names = ["radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity",
             "concave points", "symmetry", "fractal dimension"]
    lines, new = [], []
    held = apart(20, len(rows) - 1)
    for i, row in enumerate(rows[1:], 1):
        record = {"sample": f"WDBC-{i:04d}"}
        for k, part in enumerate(["mean", "error", "worst"]):
            record[part] = {n: float(v) for n, v in zip(names, row[10 * k:10 * k + 10])}
        record["diagnosis"] = ["malignant", "benign"][int(row[30])]
        if i - 1 in held:
            new.append([record["sample"], *row[:30], record["diagnosis"]])
        else:
            lines.append(json.dumps(record))
    header = [f"{part}.{n}" for part in ["mean", "error", "worst"] for n in names]
    write_new("medicine", ["sample", *header, "diagnosis"], new)
    write_gz(HERE / "medicine" / "tumours.jsonl.gz", "\n".join(lines) + "\n")


def environment(vega):
    """Daily weather of Seattle, a file a year. The column that the package
    synthesized from the others is left out."""
    rows = list(csv.DictReader((vega / "seattle-weather.csv").open()))
    header = ["Day", "Precipitation [mm]", "T max [°C]", "T min [°C]", "Wind [m/s]"]
    held, new = apart(40, len(rows)), []
    for year in sorted({r["date"][:4] for r in rows}):
        with open(HERE / "environment" / f"seattle-{year}.csv", "w", newline="") as f:
            w = csv.writer(f, lineterminator="\r\n")
            w.writerow(header)
            for i, r in enumerate(rows):
                if not r["date"].startswith(year):
                    continue
                y, m, d = r["date"].split("-")
                row = [f"{d}.{m}.{y}", r["precipitation"], r["temp_max"], r["temp_min"], r["wind"]]
                if i in held:
                    new.append(row)
                else:
                    w.writerow(row)
    write_new("environment", header, new)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vega", type=pathlib.Path, required=True, help="the data folder of the npm package vega-datasets")
    vega = parser.parse_args().vega
    energy()
    materials()
    medicine()
    environment(vega)
