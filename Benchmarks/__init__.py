"""The benchmark harness: what linkwatch takes to see, to say and to do, beside others in the same run.

    scenarios/   one row each: what is done, what is counted; they know systems only by their protocol
    systems/     the systems under test, and the yardsticks, as small plug-ins
    bare/        the least C programs that do the same, and the instruments
    figures.py   a figure: its values, its spread, its goal
    report.py    docs/benchmarks.md, from bench-results/*.json
    pictures.py  docs/*.svg, from the same

`make bench` runs what needs root and network namespaces, `make bench-lab` what needs the wire lab's guest; see
`python -m Benchmarks --help`. No test asserts anything about time: this is where it is looked at.
"""
