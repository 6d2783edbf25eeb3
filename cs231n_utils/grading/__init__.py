"""The instructor's side: how marks come about, in the order in which data flows.

==================  ==============================================================================
:mod:`.course`      where a course lies
:mod:`.release`     solutions -> the notebooks that students get
:mod:`.collect`     what a learning platform hands out -> ``submitted/<student>/...``
:mod:`.submission`  one submitted notebook, read as data
:mod:`.execute`     the student's cells, run in a sandboxed kernel; the check, judged outside of it
:mod:`.grade`       a class: sanitise, execute, record in the gradebook
:mod:`.results`     what came out, as plain records
:mod:`.report`      the class as one HTML page; :mod:`.export` as CSV and JSON
:mod:`.standalone`  the same check on a notebook without Jupyter, for ``cs231n check`` and pytest
==================  ==============================================================================

Nothing in ``cs231n_utils`` outside this package and ``cli.py`` may import it.

A student's code runs in a sandbox (:mod:`.sandbox`, :mod:`.kernel`) and leaves arrays; verdicts are
made from them outside of it (:mod:`.examine`). Where the sandbox is switched off, every result says
so, and whoever wants to can forge a mark.
"""
