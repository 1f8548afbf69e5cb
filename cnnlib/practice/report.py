"""What diagnose found, as an object and as a text."""

import textwrap
from typing import Any

from .mistakes import Mistake, catalogue
from .weak import apart

# What a program may refuse and still be right in all that it takes.
LIMITS = (
    "a kernel that is not square",
    "a kernel of one number",
    "rows left over",
    "padding above K - 1",
    "stride and padding in pairs",
)
AVERAGED = "averaged over the examples once more"


class Report:
    """What is known of a program.

    ok: whether every gradient is right on every input that the program takes. mistakes: the entries of the
    catalogue that fit, each with its ``name``. errors: {gradient: the largest error beside the largest number}, None
    where the gradient was not returned. findings: what is wrong, gradient by gradient. notes: sentences on conventions
    and limits. ``str`` of the report says all of it.
    """

    def __init__(self, of: str, outcomes: list, findings: list, errors: dict, kept: list):
        self.of, self.outcomes, self.findings, self.errors = of, outcomes, findings, errors
        known = catalogue()
        self.grown = [g for k in kept if isinstance(k, tuple) for g in k[1]]
        self.begun = "begun" in kept
        self.failed = [o for o in outcomes if o.error]
        self.refused = [o for o in self.failed if o.case.special in LIMITS]
        changed = sorted({name for o in outcomes for name in o.changed})
        found = [m for f in findings for made in f.alternatives for m in made]
        found += [known["gradient accumulated over calls"]] if self.grown else []
        found += [known["np.empty or random numbers in place of zeros"]] if self.begun else []
        found += [known["input changed in place"]] if changed else []
        self.mistakes = list({m.name: m for m in found}.values())
        self.changed = changed
        self.notes = [k for k in kept if isinstance(k, str) and k != "begun"]
        self.notes += list(dict.fromkeys(note for o in outcomes for note in o.notes))
        missing = [g for g, error in errors.items() if error is None]
        self.notes += [f"{', '.join(missing)} not returned, so not judged"] if missing and errors else []
        unstable = "two calls with the same input give two answers" in self.notes
        crashed = len(self.failed) > len(self.refused)
        self.ok = not (
            findings or self.mistakes or unstable or crashed or all(e is None for e in errors.values())
        )

    @property
    def conventions(self) -> list[str]:
        """The agreements under which all is right; empty where something is wrong under any."""
        fitting = [
            next((made for made in f.alternatives if all(map(self.holds, made))), ()) for f in self.findings
        ]
        if (
            len(self.failed) > len(self.refused)
            or not all(fitting)
            or self.grown
            or self.begun
            or self.changed
        ):
            return []
        return list(dict.fromkeys(m.convention for made in fitting for m in made))

    def holds(self, mistake: Mistake) -> bool:
        """Whether its agreement can be meant here: a layer averages the gradients of all that it learns, and only these."""
        if mistake.name != AVERAGED:
            return bool(mistake.convention)
        named = {f.gradient for f in self.findings for made in f.alternatives if mistake in made}
        return named == {g for g in ("dW", "db") if self.errors.get(g) is not None}

    def __repr__(self) -> str:
        names = ", ".join(m.name for m in self.mistakes)
        return f"<Report {self.of}: {'right' if self.ok else 'wrong'}{': ' + names if names else ''}>"

    def __str__(self) -> str:
        done = len(self.outcomes) - len(self.failed)
        if not done:
            lines = [f"{self.of}: not right, it raises on every input."]
        else:
            inputs = f"{done} of {len(self.outcomes)} inputs" if self.failed else f"all {done} inputs"
            verdict = "right" if self.ok else "not right"
            if self.conventions:
                verdict = f"right if {' and '.join(self.conventions)}; not right by the book's convention"
            lines = [f"{self.of}: {verdict}, judged on {inputs}."]
        for finding in self.findings:
            lines += ["", *self.about(finding)]
        if self.begun:
            lines += [
                "",
                "np.empty or random numbers in place of zeros: the result depends on them. Judged as if they were zeros.",
            ]
        if self.grown:
            lines += [
                "",
                f"{', '.join(self.grown)}: two calls with the same input give two answers, and the second is the",
            ]
            lines += [
                "first plus the right gradient: gradient accumulated over calls. Each call must begin at zero."
            ]
        if self.changed:
            lines += [
                "",
                f"input changed in place: {', '.join(self.changed)} is another array after the call.",
            ]
        lines += self.raised()
        lines += ["", *(f"Note: {note}." for note in self.notes)] if self.notes else []
        return "\n".join(lines)

    def about(self, finding: Any) -> list[str]:
        """The lines on one wrong gradient."""
        case, total = finding.wrong[0], len(finding.wrong) + len(finding.right)
        if finding.raised:
            start = f"{finding.gradient} cannot be put where it belongs on {len(finding.wrong)} of {total} inputs."
        else:
            start = (
                f"{finding.gradient} is wrong on {len(finding.wrong)} of {total} inputs, {count(finding)}."
            )
        lines = [start]
        if finding.only:
            lines.append(
                f"It is right on every input with {' or '.join(finding.only)}, and wrong on every other."
            )
        named = [" and ".join(m.name for m in made) for made in finding.alternatives]
        if len(named) == 1:
            lines.append(f"It is consistent with: {named[0]}.")
        elif named:
            lines += ["It is consistent with each of these, which give the same numbers on all inputs:"]
            lines += [f"  - {one}" for one in named]
        elif finding.seen:
            lines.append(
                "No mistake of the catalogue gives these numbers. What is seen: "
                + "; ".join(finding.seen)
                + "."
            )
        for m in {m.name: m for made in finding.alternatives for m in made}.values():
            if self.holds(m):
                lines += wrapped(f"A convention, not an error, if {m.convention}. Otherwise:")
            lines += wrapped(f"{m.name}: {m.text}")
            if finding.factor is not None:
                lines.append(f"  The factor is {finding.factor:.6g}.")
            if hides := m.passes(self.of):
                lines += wrapped(f"Not seen by a test with: {', '.join(hides)}.")
            lines += [f"  Read: {m.section}", f"  Its card: {m.card}"]
        lines += ["The smallest input that shows it:", *wrapped(f"{case}")]
        return lines

    def raised(self) -> list[str]:
        """The lines on exceptions."""
        lines = []
        for kind, group in (
            ("refuses", self.refused),
            ("raises an exception on", [o for o in self.failed if o not in self.refused]),
        ):
            if group:
                first = group[0]
                said = f"{type(first.error).__name__}: {str(first.error).splitlines()[0] if str(first.error) else ''}"
                lines += [
                    "",
                    f"It {kind} {len(group)} input{'s' * (len(group) > 1)}; the first: {first.case}",
                    f"  {said}",
                ]
                if only := apart([o.case for o in self.outcomes if not o.error], [o.case for o in group]):
                    lines.append(f"  It runs on every input with {' or '.join(only)}, and on no other.")
        return lines

    def as_dict(self) -> dict:
        """For JSON: what the text says, without its sentences."""
        findings = [
            {
                "gradient": f.gradient,
                "wrong_inputs": len(f.wrong),
                "inputs": len(f.wrong) + len(f.right),
                "consistent_with": [[m.name for m in made] for made in f.alternatives],
                "seen": f.seen,
            }
            for f in self.findings
        ]
        mistakes = [
            {
                "name": m.name,
                "text": m.text,
                "convention": m.convention if self.holds(m) else "",
                "section": m.section,
                "card": m.card,
            }
            for m in self.mistakes
        ]
        errors = {g: e if e is None or e < float("inf") else "inf" for g, e in self.errors.items()}
        raised = [
            {"input": str(o.case), "error": f"{type(o.error).__name__}: {o.error}"} for o in self.failed
        ]
        return dict(
            of=self.of,
            ok=self.ok,
            mistakes=mistakes,
            errors=errors,
            findings=findings,
            raised=raised,
            notes=self.notes,
        )


def wrapped(line):
    """A line under a finding, in as many as a page has room for."""
    return textwrap.wrap(line, 78, initial_indent="  ", subsequent_indent="    ")


def count(finding):
    """In how many of how many numbers."""
    mine = finding.first
    if mine is None:
        return "by rounding only"
    right = finding.wrong[0].right(finding.gradient)
    if mine.shape != right.shape:
        return f"its shape is {mine.shape}, want {right.shape}"
    scale = max(float(abs(right).max()), 1e-6)
    wrong = int((~(abs(mine - right) <= 1e-9 * scale)).sum())
    return f"in {wrong} of {right.size} numbers on the smallest"
