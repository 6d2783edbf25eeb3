"""The instructor's side: how marks come about, in the order in which data flows.

==================  ==============================================================================
:mod:`.course`      where a course lies
:mod:`.release`     solutions -> the notebooks that students get
:mod:`.collect`     what a learning platform hands out -> ``submitted/<student>/...``
:mod:`.submission`  one submitted notebook, read as data
:mod:`.execute`     the student's cells and the check cell, run in a kernel
:mod:`.grade`       a class: sanitise, execute, record in the gradebook
:mod:`.results`     what came out, as plain records
:mod:`.report`      the class as one HTML page; :mod:`.export` as CSV and JSON
:mod:`.standalone`  the same check on a notebook without Jupyter, for ``cs231n check`` and pytest
==================  ==============================================================================

Nothing in ``cs231n_utils`` outside this package and ``cli.py`` may import it.

What it does not guarantee yet: the check runs in the student's own kernel, beside the student's
code, as with stock nbgrader. Whoever wants to can forge a mark there. :mod:`.execute` is the room
that a sandboxed kernel and a judge outside it move into.
"""
