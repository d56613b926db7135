"""When what ran where: each bar is a pack of trials that trained together on one place of one machine. White space is
time that a machine waited."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from kdsweep.report.facts import timeline as times
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table
from kdsweep.values.stages import STAGES

TITLE = "Timeline"
CHAPTER = "reproduce"
ORDER = 74
RESTS = ("teacher", "search", "finalists", "confirm", "ablate", "control")
GLOSSARY = {
    "places": "Packs that the machine ever ran at once.",
    "utilisation": "Share (%) of the places' time in which a pack ran.",
}
SLOTS = 24  # drawn: the busiest
PIECES = 400  # bars: with more packs, what ran longest in each piece of time is drawn
BINS = 160
PACKS, BUSY, SECONDS = "packs", "busy (%)", "seconds since the first start"


def table(runs: Runs) -> list[Table]:
    timeline = _timeline(runs)
    if timeline is None:
        return []
    hosts: list[Row] = [
        {
            "machine": host,
            "places": slots,
            "packs": len(packs := timeline.packs[timeline.packs["host"] == host]),
            "trials": int(packs["trials"].sum()),
            "busy (s)": float((packs["end"] - packs["begin"]).sum()),
            "utilisation": 100 * timeline.utilisation(host),
        }
        for host, slots in timeline.slots.items()
    ]
    stages: list[Row] = [
        {
            "stage": stage,
            "packs": len(packs),
            "trials": int(packs["trials"].sum()),
            "trials a pack": float(packs["trials"].mean()),
            "busy (s)": float((packs["end"] - packs["begin"]).sum()),
            "first start (s)": float(packs["begin"].min()),
            "last end (s)": float(packs["end"].max()),
        }
        for stage in STAGES
        if len(packs := timeline.packs[timeline.packs["stage"] == stage])
    ]
    cut = f", without {len(timeline.cuts)} idle times of over a minute" if timeline.cuts else ""
    whole = f"{100 * timeline.utilisation():.0f} % of the places' time was used{cut}."
    digits = {"busy (s)": 0, "utilisation": 0, "trials a pack": 1, "first start (s)": 0, "last end (s)": 0}
    notes = ("Trials that an earlier study had trained are here as well: they are behind this report's numbers.",)
    return [
        Table(
            "machines",
            f"Machines, and the share (%) of their places' time that was used. In all {whole}",
            hosts,
            digits,
        ),
        Table("stages", "Packs by stage.", stages, digits, notes, page=False),
    ]


def drawing(runs: Runs) -> Drawing | None:
    timeline = _timeline(runs)
    if timeline is None:
        return None
    lanes = _lanes(timeline)
    pieces = _pieces(timeline, lanes)
    names = {lane: f"{host}: {slot + 1}" for (host, slot), lane in lanes.items()}
    packs = pd.DataFrame(
        {
            "panel": PACKS,
            "stage": pieces["stage"],
            "arm": pieces["arm"].map(runs.label),
            "machine and place": pieces["lane"].map(names),
            "line": pieces["lane"],
            SECONDS: pieces["begin"],
            "until": pieces["end"],
            "what": pieces["words"],
        }
    )
    middles, busy = timeline.busy(BINS)
    share = pd.DataFrame({"panel": BUSY, SECONDS: middles, BUSY: 100 * busy})
    return Drawing(pd.concat([packs, share], ignore_index=True), SECONDS, of=("panel", "stage"))


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Top: packs by place, coloured by stage; dotted lines: idle time of more than a minute was cut out. Bottom: the
    share of all places that were busy. No interval is drawn."""
    panels = dict(list(drawing.numbers.groupby("panel", sort=False)))
    packs, busy = panels[PACKS], panels[BUSY]
    names = packs.drop_duplicates("line").sort_values("line")["machine and place"]
    heights = [24 * len(names) + 30, 110]
    drawn = make_subplots(rows=2, shared_xaxes=True, row_heights=heights, vertical_spacing=0.06)
    for i, stage in enumerate(STAGES):
        bars = packs[packs["stage"] == stage]
        if bars.empty:
            continue
        drawn.add_trace(
            go.Bar(
                base=list(bars[SECONDS]),
                x=list(bars["until"] - bars[SECONDS]),
                y=list(bars["line"]),
                orientation="h",
                width=0.8,
                marker={"color": figures.PALETTE[i], "line": {"color": "rgba(128,128,128,0.6)", "width": 0.5}},
                name=stage,
                customdata=[figures.plain(words, 60) for words in bars["what"]],
                hovertemplate="%{customdata}<extra></extra>",
            ),
            row=1,
            col=1,
        )
    line = {"color": figures.GREY, "width": 1.5, "shape": "hvh"}
    drawn.add_scatter(
        x=list(busy[SECONDS]), y=list(busy[BUSY]), mode="lines", fill="tozeroy", line=line, showlegend=False,
        fillcolor=figures.faded(figures.GREY, 0.25), hovertemplate="%{x:.0f} s: %{y:.0f} %<extra></extra>",
        row=2, col=1,
    )  # fmt: skip
    timeline = _timeline(runs)
    for cut in timeline.cuts if timeline else ():
        drawn.add_vline(x=cut, line={"color": figures.GREY, "width": 1.5, "dash": "dot"})
    drawn.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=[figures.plain(name, 24) for name in names],
        range=[len(names) - 0.4, -0.6],
        showgrid=False,
        row=1,
        col=1,
    )
    drawn.update_yaxes(title=BUSY, range=[0, 105], row=2, col=1)
    drawn.update_xaxes(title=SECONDS, row=2, col=1)
    return drawn.update_layout(template=figures.TEMPLATE, height=110 + sum(heights), barmode="overlay")


def _lanes(timeline: times.Timeline) -> dict[tuple[str, int], int]:
    """The slots that are drawn, by machine and number, with their line."""
    packs = timeline.packs
    worked = (packs["end"] - packs["begin"]).groupby([packs["host"], packs["slot"]]).sum()
    busiest = worked.sort_values(ascending=False, kind="stable").head(SLOTS).index
    return {(str(host), int(slot)): i for i, (host, slot) in enumerate(sorted(busiest))}


def _pieces(timeline: times.Timeline, lanes: dict[tuple[str, int], int]) -> pd.DataFrame:
    """Bars to draw: `lane`, `begin`, `end`, `stage` and what is said of each."""
    packs = timeline.packs
    keys = zip(packs["host"], packs["slot"], strict=True)
    packs = packs.assign(lane=[lanes.get((str(host), int(slot)), -1) for host, slot in keys])
    packs = packs[packs["lane"] >= 0]
    if len(packs) <= PIECES:
        words = [
            f"{f'{stage} {arm}'.rstrip()}: {n} trials, {end - begin:.0f} s"
            for stage, arm, n, begin, end in packs[["stage", "arm", "trials", "begin", "end"]].itertuples(index=False)
        ]
        return packs.assign(words=words)
    edges = np.linspace(0, timeline.span, max(2, PIECES // len(lanes)) + 1)
    rows = []
    for lane, mine in packs.groupby("lane"):
        begin, end = mine["begin"].to_numpy()[:, None], mine["end"].to_numpy()[:, None]
        overlap = np.clip(np.minimum(end, edges[1:]) - np.maximum(begin, edges[:-1]), 0, None)
        longest = overlap.argmax(0)
        # Half of a piece or more was worked, or it stays white.
        rows += [
            {
                "lane": lane,
                "begin": edges[i],
                "end": edges[i + 1],
                "stage": mine["stage"].iloc[longest[i]],
                "arm": mine["arm"].iloc[longest[i]],
                "words": f"{int((overlap[:, i] > 0).sum())} packs, mostly {mine['stage'].iloc[longest[i]]}",
            }
            for i in range(len(edges) - 1)
            if overlap[:, i].sum() >= (edges[1] - edges[0]) / 2
        ]
    return pd.DataFrame(rows, columns=["lane", "begin", "end", "stage", "arm", "words"])


@functools.lru_cache(maxsize=2)
def _timeline(runs: Runs) -> times.Timeline | None:
    return times.timeline(runs)
