"""Ways to solve the exercises, right ones and wrong ones, as tables: name -> function.

RIGHT earns full marks. WRONG is name -> (function, the mistake that must be named, or None).
"""
