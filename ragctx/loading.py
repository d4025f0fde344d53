"""One lock around loading torch-based models: the libraries' lazy imports are not safe from two threads at once.

The reader's and the encoder's first requests arrive on a thread each. Two threads that import transformers together can
see a half-made module ("cannot import name 'AutoModelForCausalLM'"), so whoever loads weights holds this lock.
"""

from __future__ import annotations

import threading

LOADING = threading.RLock()
