"""Lists the models of the zoo: python -m trainers.list prints each with its paper, what it can do, its recipes,
published and our numbers.

--json prints the same for programs; --markdown prints the tables of README.md, and --update_readme=README.md puts them
there, between the lines `<!-- models -->` and `<!-- /models -->`, `<!-- results -->` and `<!-- /results -->`.
"""

import inspect
import json
import pathlib
import sys

from absl import flags

from trainers import cli

_BESIDE = ("energy_distance", "rate", "distortion", "active_units", "perplexity", "codes_used", "top_perplexity",
           "top_codes_used", "bottom_perplexity",
           "bottom_codes_used", "ais_negative_log_likelihood", "bdmc_negative_log_likelihood_upper",
           "bdmc_negative_log_likelihood_lower", "bdmc_gap")
RESULTS = pathlib.Path(__file__).resolve().parent.parent / "results"


def models(results=()):
    """Describes each model by a dict, in the order of `MODELS`; `results` are records
    (`trainers.runs.records.load_results`)."""
    import zoo
    from trainers import recipes
    from zoo.capabilities import capabilities, likelihood_kind

    listed = []
    for name, cls in zoo.MODELS.items():
        module = inspect.getmodule(cls)
        paper = cls.paper
        listed.append(dict(
            name=name, family=module.__name__.split(".")[-2],
            description=module.__doc__.split("\n\n")[0].split("\n")[0].split(":")[0],
            paper=dict(authors=paper.authors, title=paper.title, year=paper.year, arxiv=paper.arxiv),
            cite=paper.short, likelihood=likelihood_kind(cls), capabilities=list(capabilities(cls)),
            recipes=[_named(recipe.dataset, recipe.variant) for recipe in recipes.of_model(name)],
            published=[dict(dataset=_named(recipe.dataset, recipe.variant), **number._asdict())
                       for recipe in recipes.of_model(name) for number in recipe.published],
            results=[record for record in results if record["model"] == name]))
    return listed


def _named(dataset, variant):
    return f"{dataset} ({variant})" if variant else dataset


def text(listed):
    """Writes the models, a paragraph each, as a terminal shows them."""
    from trainers.runs import records

    paragraphs = []
    for model in listed:
        lines = [f"{model['name']}  ({model['family']})  {model['description']}", f"  paper         {_citation(model)}",
                 f"  can           {' '.join(model['capabilities'])}", f"  recipes       {' '.join(model['recipes'])}"]
        lines += [f"  published     {p['dataset']}: {p['metric']} {p['value']:g} {p['unit']} ({p['source']})"
                  for p in model["published"]]
        lines += [f"  ours          {_named(r['dataset'], r.get('variant'))}: {r['metric']} {records.text(r)} "
                  f"{r['unit']} ({_steps(r)})" for r in model["results"]]
        paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs)


def models_table(listed):
    """Writes the models as a Markdown table."""
    likelihoods = {"exact": "exact", "lower_bound": "lower bound", "estimate": "estimate", None: "none"}
    rows = [(f"`{m['name']}`", m["family"], m["description"], _citation(m, link=True), likelihoods[m["likelihood"]],
             ", ".join(m["capabilities"]), ", ".join("any" if d == "*" else d for d in m["recipes"])) for m in listed]
    return _markdown(rows, ("model", "family", "what it is", "paper", "likelihood", "can", "recipes"))


def results_table(listed):
    """Writes our numbers and the published ones as a Markdown table."""
    from trainers.runs import records

    rows = []
    for record in (record for model in listed for record in _headline(model["results"])):
        published = record["published"]
        rows.append((f"`{record['model']}`", _named(record["dataset"], record.get("variant")),
                     record["metric"].replace("_", " "), f"{records.text(record)} {record['unit']}",
                     record["kind"].replace("_", " "),
                     f"{published['value']:g} ({published['source']})" if published else "", _steps(record)))
    return _markdown(rows, ("model", "data set", "metric", "ours", "kind", "published", "training"))


def _headline(results):
    """Returns the records that README.md shows: not what is measured beside a likelihood, where there is one on that
    data set."""
    known = {(record["dataset"], record.get("variant")) for record in results if record["unit"] in ("nats", "bits/dim")}
    return [r for r in results if (r["dataset"], r.get("variant")) not in known
            or not (r["metric"].startswith("missing_") or r["metric"] in _BESIDE)]


def update_readme(path, listed):
    """Puts the tables between their markers. Raises BadInput where the file or a marker is missing."""
    from trainers.errors import BadInput
    from trainers.runs.workdir import write

    try:
        old = pathlib.Path(path).read_text()
        new = with_tables(old, listed)
        if new != old:
            write(path, new)
    except OSError as error:
        raise BadInput(f"--update_readme={path}: {error.strerror or error}.") from error
    except ValueError as error:
        raise BadInput(f"--update_readme={path}: {error}") from error


def with_tables(readme, listed):
    """Returns the text of README.md with both tables made anew. Raises ValueError where a marker is missing."""
    return put(put(readme, "models", models_table(listed)), "results", results_table(listed))


def put(readme, name, table):
    """Returns a text with a table between the lines `<!-- name -->` and `<!-- /name -->`. Raises ValueError where one
    of them is missing."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = readme.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"has no {begin if not found else end} after which to put the table.")
    return f"{before}{begin}\n{table}\n{end}{after}"


def _citation(model, link=False):
    arxiv = model["paper"]["arxiv"]
    if link:
        return f"[{model['cite']}](https://arxiv.org/abs/{arxiv})" if arxiv else model["cite"]
    return f"{model['cite']}, {model['paper']['title']}" + (f", arXiv:{arxiv}" if arxiv else "")


def _steps(record):
    seconds = record["train_seconds"]
    took = f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
    return f"{record['steps']:,} steps of {record['batch_size']}, {took}"


def _markdown(rows, header):
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (header, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(header), *lines[1:]])


def define(options):
    flags.DEFINE_boolean("json", False, "Print JSON.", flag_values=options)
    flags.DEFINE_boolean("markdown", False, "Print the tables of README.md.", flag_values=options)
    flags.DEFINE_string("update_readme", None, "Put the tables into this file, between their markers.",
                        flag_values=options)
    flags.DEFINE_string("results", None, "Folder of our numbers; the checkout's results/ if not given.",
                        flag_values=options)


def main(options):
    from trainers.errors import BadInput
    from trainers.runs import records

    if options.results and not pathlib.Path(options.results).is_dir():
        raise BadInput(f"--results={options.results}: no such folder.")
    if sum(bool(options[name].value) for name in ("json", "markdown", "update_readme")) > 1:
        raise BadInput("--json, --markdown and --update_readme: one of them at a time.")
    listed = models(records.load_results(options.results or RESULTS))
    if options.update_readme:
        update_readme(options.update_readme, listed)
        print(options.update_readme)
    elif options.json:
        print(json.dumps(listed, indent=1, ensure_ascii=False))
    elif options.markdown:
        print(f"{models_table(listed)}\n\n{results_table(listed)}")
    else:
        print(text(listed))


def run(argv=None):
    """Runs the program; returns its exit code."""
    return cli.execute(define, main, argv)


if __name__ == "__main__":
    sys.exit(run())
