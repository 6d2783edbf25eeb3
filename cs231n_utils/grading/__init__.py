"""The instructor's side: how marks come about, in the order in which data flows.

==================  ==============================================================================
:mod:`.course`      where a course lies
:mod:`.release`     solutions -> the notebooks that students get
:mod:`.collect`     what a learning platform hands out -> ``submitted/<student>/...``
:mod:`.grade`       a class: plan, send out, record; :mod:`.journal` is what makes it resumable
:mod:`.fleet`       the tasks of a class on Dask workers; :mod:`.task` is one of them, as data
:mod:`.worker`      one task: restore, execute, judge, read the marks off
:mod:`.submission`  a submitted notebook, read as data; :mod:`.restore` puts locked cells back
:mod:`.execute`     the student's cells, run in a kernel; the check, judged outside of it
:mod:`.client`      a conversation with a kernel, whatever it says
:mod:`.kernel`      a kernel in a room; :mod:`.warm` forks it from a :mod:`.zygote`
:mod:`.sandbox`     the closed room itself: bubblewrap and limits
:mod:`.examine`     fresh questions, and what is made of the answers
:mod:`.gradebook`   the one writer of nbgrader's gradebook; :mod:`.tally` counts a run
:mod:`.results`     what came out, as plain records
:mod:`.report`      the class as one HTML page; :mod:`.export` as CSV and JSON
:mod:`.standalone`  the same check on a notebook without Jupyter, for ``cs231n check`` and pytest
==================  ==============================================================================

Nothing in ``cs231n_utils`` outside this package and ``cli.py`` may import it.

A student's code runs in a sandbox and leaves arrays; verdicts are made from them outside of it.
Where the sandbox is switched off, every result says so, and whoever wants to can forge a mark.
"""
